"""The built-in sample: real districts with a simulated survey and simulated imagery, and the truth kept apart."""

import contextlib
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.command_line import command_line
from geolive.dataset import Dataset
from geolive.dataset_folder import read_dataset, write_dataset
from geolive.errors import InputError
from geolive.files import cache_folder, new_folder
from geolive.labels import add_labels
from geolive.languages import phrase
from geolive.places import key_hash
from geolive.processors import available_processors
from geolive.simulation import simulated_features as simfeats
from geolive.simulation.countryside import INDICATORS, RECIPES, Countryside, generator
from geolive.simulation.scenarios import DEFAULT_SCENARIO, SCENARIOS
from geolive.simulation.simulated_photos import Photos, draw_loadings, draw_photos, draw_sizes
from geolive.tables import CRS, points

# increased whenever the same seed gives other data, so that a cached sample is made again
SAMPLE_VERSION = 2
BIHAR_CLUSTERS, BIHAR_SITES = 172, 600
CLUSTERS_PER_DISTRICT, SITES_PER_DISTRICT = 4.5, 16
DARK_DISTRICTS = 3
SURVEYED_MEDIAN, UNSURVEYED_MEDIAN = 420.0, 60.0
# bounds the memory that keys of photos take
_KEYS_AT_ONCE = 50_000


@dataclass(frozen=True)
class Sample:
    """A simulated dataset and its truth.

    Parameters
    ----------
    dataset : Dataset
        What a model may use.
    places : GeoDataFrame
        The true values at every place, surveyed or not: `place_id`, `unique_cluster` (or null), `district_id`, pov, pop, bmi.
    districts : DataFrame
        The true values of every district: `district_id`, pov, pop, bmi.
    """

    dataset: Dataset
    places: gpd.GeoDataFrame
    districts: pd.DataFrame


@dataclass(frozen=True)
class _Places:
    """All simulated places; the surveyed ones come first.

    Parameters
    ----------
    positions : array, shape (places, 2)
        Longitude, latitude in degrees.
    district : array of int, shape (places,)
        Row of the districts table.
    cluster_ids : array of str, shape (surveyed places,)
    is_dark : array of bool, shape (places,)
        Whether the place lies in a district with hardly any imagery.
    """

    positions: np.ndarray
    district: np.ndarray
    cluster_ids: np.ndarray
    is_dark: np.ndarray

    @property
    def unique_cluster(self) -> np.ndarray:
        """The cluster of each place; None where it was not surveyed."""
        return np.concatenate([self.cluster_ids, np.full(len(self.positions) - len(self.cluster_ids), None)])


def simulate(
    region: str = "bihar",
    seed: int = 0,
    n_clusters: int | None = None,
    n_sites: int | None = None,
    *,
    scenario: str = DEFAULT_SCENARIO,
    most_images: int | None = None,
    with_features: bool = False,
) -> Sample:
    """Simulate a survey and street imagery in a state of India, or in all of India.

    Parameters
    ----------
    region : str
        Name of a state, or "india". The simulation of Bihar starts from the real statistics of its districts, that of any other
        region from random fields.
    seed : int
        Seed of the random numbers; each seed gives another countryside.
    n_clusters, n_sites : int, optional
        Numbers of surveyed clusters, and of places with imagery but without a survey. For Bihar, the defaults are 172 (as in
        the paper's split) and 600.
    scenario : str
        Where in the photos the signal is: composition, few, arrangement, alike or none (`geolive.simulation.scenarios`).
    most_images : int, optional
        Largest number of images of a place. Those with the lowest hashes of their keys are kept, and they are the same as
        without this limit.
    with_features : bool
        Add simulated image features as the feature set `simfeats` (`geolive.simulation.simulated_features`).

    Returns
    -------
    Sample

    Raises
    ------
    InputError
        The state or the scenario is unknown, or there are fewer clusters than districts.

    Examples
    --------
    >>> sample = simulate("goa", seed=1)
    >>> sample.dataset.simulated, len(sample.districts)
    (True, 3)
    """
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise InputError(f"seed={seed!r}: must be a whole number of 0 or more", parameter="seed")
    if scenario not in SCENARIOS:
        raise InputError(
            f"scenario={scenario!r}: there is no such scenario; choose {', '.join(SCENARIOS)}", parameter="scenario"
        )
    land = Countryside(region, seed)
    places = _draw_places(land, n_clusters, n_sites)
    sizes = _draw_sizes(seed, places)
    with ThreadPoolExecutor(1) as beside:
        # what does not depend on the photos is computed beside: their numbers are drawn one after the other on one processor
        kept = None if most_images is None else beside.submit(_photos_to_keep, seed, sizes, most_images)
        truth = beside.submit(land.district_truth, threads=max(1, available_processors() - 1))
        latents = land.latents(places.positions, places.district, generator(seed, "local"))
        chosen = None if kept is None else kept.result()
        photos, keys, features = _draw_imagery(seed, latents, sizes, scenario, chosen, with_features)
    clusters, thresholds = _clusters_table(land, places, latents, photos)
    command = ["sample", "--region", land.region.name.lower(), "--seed", seed]
    command += ["--scenario", scenario] if scenario != DEFAULT_SCENARIO else []
    command += ["--max-per-place", most_images] if most_images is not None else []
    command += ["--with-features"] if with_features else []
    command += ["--out", land.region.name.lower().replace(" ", "-")]
    source = "source.sample" if scenario == DEFAULT_SCENARIO else "source.sample_scenario"
    dataset = Dataset(
        _images_table(land, places, photos, keys),
        clusters,
        features,
        list(INDICATORS),
        source=phrase(source, region=land.region.name, seed=str(seed), scenario=scenario),
        command=command_line(*command),
        simulated=True,
        thresholds=thresholds,
        extra={"sample_version": SAMPLE_VERSION, "seed": seed, "region": land.region.name}
        | ({} if scenario == DEFAULT_SCENARIO else {"scenario": scenario}),
    )
    return Sample(dataset, _true_places(land, places, latents), truth.result().reset_index())


def make_sample(
    region: str = "bihar",
    seed: int = 0,
    n_clusters: int | None = None,
    n_sites: int | None = None,
    *,
    scenario: str = DEFAULT_SCENARIO,
    most_images: int | None = None,
    with_features: bool = False,
) -> Dataset:
    """Simulate a survey and street imagery in a state of India or all of it, without the truth behind it.

    Parameters
    ----------
    region, seed, n_clusters, n_sites, scenario, most_images, with_features
        As for `simulate`.

    Returns
    -------
    Dataset
        A simulated dataset. `simulate` also returns the true values of its places and districts.

    See Also
    --------
    geolive.read_survey : Read a table of surveyed places.
    geolive.read_photos : Read positions and times from photos.

    Examples
    --------
    >>> make_sample("goa", seed=1).simulated
    True
    """
    options: dict[str, Any] = {"scenario": scenario, "most_images": most_images, "with_features": with_features}
    return simulate(region, seed, n_clusters, n_sites, **options).dataset


def write_sample(sample: Sample, folder: str | Path) -> str | Path:
    """Write a sample as a dataset folder; its truth goes to the folder `truth` in it, which no model reads.

    Parameters
    ----------
    sample : Sample
    folder : str or Path
        Must not exist, or be empty.

    Returns
    -------
    Path
        The folder.

    Examples
    --------
    >>> import tempfile
    >>> folder = write_sample(simulate("goa", seed=1), Path(tempfile.mkdtemp()) / "goa")
    >>> sorted(p.name for p in (folder / "truth").iterdir())
    ['districts.parquet', 'places.parquet']
    """
    truth = {"truth/places.parquet": sample.places, "truth/districts.parquet": sample.districts}
    return write_dataset(sample.dataset, folder, truth)


def write_sample_with_photos(sample: Sample, folder: str | Path, progress: Callable[[str], None] | None = None) -> Path:
    """Write a sample with a picture of each image: a drawing of its objects, `photos/KEY.jpg`.

    As in a dataset of fetched photos, `images.parquet` has the columns `img_path` and `sha256`.

    Parameters
    ----------
    sample : Sample
    folder : str or Path
        Must not exist, or be empty.
    progress : callable, optional
        Called with words that say how many pictures are drawn.

    Returns
    -------
    Path
        The folder.

    Examples
    --------
    >>> import tempfile
    >>> sample = simulate("goa", seed=1, n_sites=3, most_images=1)
    >>> folder = write_sample_with_photos(sample, Path(tempfile.mkdtemp()) / "goa")
    >>> len(list((folder / "photos").iterdir())) == len(sample.dataset.images)
    True
    """
    from geolive.simulation.scenes import draw_scenes

    dataset = sample.dataset
    with new_folder(folder) as temporary:
        images = draw_scenes(
            dataset.images, np.asarray(dataset.features["objects"]), temporary, dataset.extra["seed"], progress
        )
        drawn = replace(sample, dataset=replace(dataset, images=images, command=f"{dataset.command} --with-images"))
        # written to a folder of its own first: the list of checksums names each file that it finds in the folder
        write_sample(drawn, temporary / "dataset")
        for path in (temporary / "dataset").iterdir():
            path.rename(temporary / path.name)
        (temporary / "dataset").rmdir()
    return Path(folder)


def cached_sample(region: str = "bihar", seed: int = 0, most_images: int | None = None) -> Dataset:
    """Return the sample of a region from the cache folder; make it first where it is missing or damaged."""
    limit = "" if most_images is None else f"-{most_images}"
    folder = cache_folder() / f"sample-{region}-{seed}{limit}-v{SAMPLE_VERSION}"
    if folder.exists():
        with contextlib.suppress(InputError):
            return read_dataset(folder)
        shutil.rmtree(folder)  # damaged: geolive wrote it, so geolive may make it again
    sample = simulate(region, seed, most_images=most_images)
    try:
        write_sample(sample, folder)
    except InputError:
        # another process was faster; its sample is the same
        if not folder.exists():
            raise
    return read_dataset(folder)


def _draw_places(land: Countryside, n_clusters: int | None, n_sites: int | None) -> _Places:
    seed, n_districts, is_bihar = land.seed, len(land.districts), land.region.name == "Bihar"
    n_clusters = n_clusters or (BIHAR_CLUSTERS if is_bihar else round(CLUSTERS_PER_DISTRICT * n_districts))
    n_sites = n_sites or (BIHAR_SITES if is_bihar else SITES_PER_DISTRICT * n_districts)
    if n_clusters < n_districts:
        raise InputError(
            f"n_clusters={n_clusters}: fewer than {land.region.name}'s {n_districts} districts; give at least {n_districts}",
            parameter="n_clusters",
        )
    dark = _dark_districts(land)
    surveyed = land.draw_places(land.spread_by_population(n_clusters, 1, dark), generator(seed, "clusters"))
    others = land.draw_places(land.spread_by_population(n_sites, 0, dark), generator(seed, "sites"))
    positions, district = (np.concatenate(pair) for pair in zip(surveyed, others, strict=True))
    cluster_ids = np.array([f"sim_{i + 1:04d}" for i in range(n_clusters)], dtype=object)
    return _Places(positions, district, cluster_ids, np.isin(district, dark))


def _dark_districts(land: Countryside) -> np.ndarray:
    """Choose the districts that have hardly any imagery, as in real coverage; return their rows."""
    n = min(DARK_DISTRICTS, len(land.districts) // 6)
    return generator(land.seed, "dark districts").choice(len(land.districts), n, replace=False)


def _draw_imagery(
    seed: int, latents: np.ndarray, sizes: np.ndarray, scenario: str, kept: np.ndarray | None, with_features: bool
) -> tuple[Photos, np.ndarray, dict[str, np.ndarray]]:
    """Draw photos, their keys, and their feature sets; `kept` are the numbers of the photos to return, None for all."""
    photos = draw_photos(latents, sizes, draw_loadings(seed), generator(seed, "photos"), scenario, kept)
    keys = _keys(seed, np.arange(len(photos.place)) if kept is None else kept)
    if not with_features:
        return photos, keys, {"objects": photos.objects}
    shown = latents if scenario != "none" else np.zeros_like(latents)
    features = simfeats.draw_features(shown, np.repeat(np.arange(len(sizes)), sizes), generator(seed, simfeats.NAME))
    return photos, keys, {"objects": photos.objects, simfeats.NAME: features if kept is None else features[kept]}


def _keys(seed: int, numbers: np.ndarray) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    digits = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width=7, padding="0")
    return pc.binary_join_element_wise(f"sim{seed}", digits, "-").to_numpy(zero_copy_only=False)


def _draw_sizes(seed: int, places: _Places) -> np.ndarray:
    """Number of images of each place."""
    n_clusters, rng = len(places.cluster_ids), generator(seed, "sizes")
    surveyed = draw_sizes(n_clusters, SURVEYED_MEDIAN, rng)
    others = draw_sizes(len(places.positions) - n_clusters, UNSURVEYED_MEDIAN, rng)
    sizes = np.concatenate([surveyed, others])
    return np.where(places.is_dark, np.minimum(sizes, 8), sizes)


def _photos_to_keep(seed: int, sizes: np.ndarray, most: int) -> np.ndarray:
    """Return the numbers of a limited number of photos of each place, chosen in the way that models choose theirs."""
    first, hashes = np.cumsum(sizes) - sizes, np.zeros(sizes.sum(), np.uint64)
    for start in range(0, len(hashes), _KEYS_AT_ONCE):
        numbers = np.arange(start, min(start + _KEYS_AT_ONCE, len(hashes)))
        hashes[numbers] = key_hash(_keys(seed, numbers))
    kept = [np.zeros(0, np.int64)]
    for size in np.unique(sizes):
        # a row for each place of this size
        photos = first[sizes == size, None] + np.arange(size)
        if size > most:
            lowest = np.argpartition(hashes[photos], most - 1, axis=1)[:, :most]
            photos = np.take_along_axis(photos, lowest, axis=1)
        kept.append(photos.ravel())
    return np.sort(np.concatenate(kept))


def _images_table(land: Countryside, places: _Places, photos: Photos, keys: np.ndarray) -> gpd.GeoDataFrame:
    where = np.round(land.degrees(land.km(places.positions)[photos.place] + photos.km), 7)
    rng = generator(land.seed, "dates")
    start = rng.integers(1_400_000_000, 1_560_000_000, photos.sequence[-1] + 1)
    seconds = start[photos.sequence] + 4 * photos.step
    columns = {
        "key": keys,
        "country": np.full(len(where), "ia", dtype=object),
        "unique_cluster": places.unique_cluster[photos.place],
        "sequence_id": np.array([f"walk-{i:06d}" for i in photos.sequence], dtype=object),
        "captured_at": pd.to_datetime(seconds, unit="s", utc=True),
        "creator": np.full(len(where), "simulated", dtype=object),
    }
    return gpd.GeoDataFrame(columns, geometry=points(*where.T), crs=CRS)


def _clusters_table(
    land: Countryside, places: _Places, latents: np.ndarray, photos: Photos
) -> tuple[gpd.GeoDataFrame, dict[str, float]]:
    """Simulate the survey with its errors, and return it with the threshold of each label."""
    n = len(places.cluster_ids)
    spread = np.sqrt([RECIPES[name].noise for name in INDICATORS])
    error = generator(land.seed, "survey").standard_normal((n, len(INDICATORS))) * spread
    columns = {
        "unique_cluster": places.cluster_ids,
        "country": np.full(n, "ia", dtype=object),
        "state": land.districts["state"].to_numpy(object)[places.district[:n]],
        "district_id": land.districts["district_id"].to_numpy(object)[places.district[:n]],
        "urban": np.full(n, None, dtype=object),
        "n_images": np.bincount(photos.place, minlength=n)[:n],
        "split": np.full(n, None, dtype=object),
    } | dict(zip(INDICATORS, land.in_units(latents[:n] + error).T, strict=True))
    clusters = gpd.GeoDataFrame(columns, geometry=points(*np.round(places.positions[:n], 7).T), crs=CRS)
    return add_labels(clusters, list(INDICATORS))


def _true_places(land: Countryside, places: _Places, latents: np.ndarray) -> gpd.GeoDataFrame:
    columns = {
        "place_id": np.array([f"place-{i + 1:05d}" for i in range(len(places.positions))], dtype=object),
        "unique_cluster": places.unique_cluster,
        "district_id": land.districts["district_id"].to_numpy(object)[places.district],
    } | dict(zip(INDICATORS, land.in_units(latents).T, strict=True))
    return gpd.GeoDataFrame(columns, geometry=points(*places.positions.T), crs=CRS)
