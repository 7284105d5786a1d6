"""The embedded sample: real districts, simulated survey and simulated imagery, with the truth kept apart."""

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.dataset import Dataset, add_labels, read_dataset, write_dataset
from geolive.errors import InputError
from geolive.files import cache_folder, new_folder
from geolive.places import key_hash
from geolive.simulation import simulated_features as simfeats
from geolive.simulation.countryside import INDICATORS, RECIPES, Countryside, generator
from geolive.simulation.scenarios import DEFAULT_WORLD, SCENARIOS
from geolive.simulation.simulated_photos import Photos, draw_loadings, draw_photos, draw_sizes
from geolive.tables import CRS, points

# raised whenever the same seed gives other data, so that a cached sample is made again
SAMPLE_VERSION = 1
BIHAR_CLUSTERS, BIHAR_SITES = 172, 600
CLUSTERS_A_DISTRICT, SITES_A_DISTRICT = 4.5, 16
DARK_DISTRICTS = 3
SURVEYED_MEDIAN, UNSURVEYED_MEDIAN = 420.0, 60.0
ABOUT = "geolive's sample (SIMULATED survey and imagery on real districts)"


@dataclass(frozen=True)
class Sample:
    """A simulated dataset and its truth.

    Parameters
    ----------
    dataset : Dataset
    places : GeoDataFrame
        The truth at every place, surveyed or not: `place_id`, `unique_cluster` (or null), `district_id`, pov, pop, bmi.
    districts : DataFrame
        The truth of every district: `district_id`, pov, pop, bmi.
    """

    dataset: Dataset
    places: gpd.GeoDataFrame
    districts: pd.DataFrame


def simulate(
    region: str = "bihar",
    seed: int = 0,
    n_clusters: int | None = None,
    n_sites: int | None = None,
    *,
    world: str = DEFAULT_WORLD,
    most_images: int | None = None,
    with_features: bool = False,
) -> Sample:
    """Simulate a survey and street imagery in a state of India.

    Parameters
    ----------
    region : str
        A state. Bihar starts from its districts' real statistics, the others from random fields.
    seed : int
        Another seed, another countryside.
    n_clusters, n_sites : int, optional
        Surveyed clusters, and places with imagery but no survey; for Bihar 172 (as in the paper's split) and 600.
    world : str
        Where in the photos the signal sits: composition, few, arrangement, alike or none (`geolive.simulation.scenarios`).
    most_images : int, optional
        Of each place so many images at most, the first by the hash of their keys; the others are as without it.
    with_features : bool
        Whether images have simulated features, too: the feature set `simfeats` (`geolive.simulation.simulated_features`).

    Returns
    -------
    Sample

    Raises
    ------
    InputError
        No such state or world, or fewer clusters than districts.

    Examples
    --------
    >>> sample = simulate("goa", seed=1)
    >>> sample.dataset.simulated, len(sample.districts)
    (True, 3)
    """
    if seed < 0:
        raise InputError(f"--seed {seed}: must be 0 or more")
    if world not in SCENARIOS:
        raise InputError(f"--world {world!r}: there is no such world; choose {', '.join(SCENARIOS)}")
    land = Countryside(region, seed)
    n_districts, bihar = len(land.districts), land.region.name == "Bihar"
    n_clusters = n_clusters or (BIHAR_CLUSTERS if bihar else round(CLUSTERS_A_DISTRICT * n_districts))
    n_sites = n_sites or (BIHAR_SITES if bihar else SITES_A_DISTRICT * n_districts)
    if n_clusters < n_districts:
        raise InputError(
            f"{n_clusters} clusters are fewer than {land.region.name}'s {n_districts} districts; ask for more"
        )
    dark = _dark_districts(land)
    surveyed = land.draw_places(land.spread_by_population(n_clusters, 1, dark), generator(seed, "clusters"))
    others = land.draw_places(land.spread_by_population(n_sites, 0, dark), generator(seed, "sites"))
    positions, district = (np.concatenate(pair) for pair in zip(surveyed, others, strict=True))
    latents = land.latents(positions, district, generator(seed, "local"))
    sizes = _sizes(seed, n_clusters, district, dark)
    photos = draw_photos(latents, sizes, draw_loadings(seed), generator(seed, "photos"), world)
    keys = np.array([f"sim{seed}-{i:07d}" for i in range(len(photos.place))], dtype=object)
    features = {}
    if with_features:
        told = latents if world != "none" else np.zeros_like(latents)
        features[simfeats.NAME] = simfeats.draw_features(told, photos.place, generator(seed, simfeats.NAME))
    if most_images is not None:
        all_keys = keys
        photos, keys = _at_most(photos, keys, most_images)
        features = {name: array[np.isin(all_keys, keys)] for name, array in features.items()}
    cluster_ids = np.array([f"sim_{i + 1:04d}" for i in range(n_clusters)], dtype=object)
    place_cluster = np.concatenate([cluster_ids, np.full(len(positions) - n_clusters, None)])
    images = _images_table(land, photos, keys, positions, place_cluster)
    default = world == DEFAULT_WORLD
    clusters, thresholds = _clusters_table(land, positions, district, latents, photos, cluster_ids)
    dataset = Dataset(
        images,
        clusters,
        {"objects": photos.objects, **features},
        list(INDICATORS),
        source=f"{ABOUT}, {land.region.name}, seed {seed}{'' if default else f', world {world}'}",
        command=f"sample --region {land.region.name.lower()!r} --seed {seed}{'' if default else f' --world {world}'}"
        + (f" --max-per-place {most_images}" if most_images is not None else "")
        + (" --with-features" if with_features else ""),
        simulated=True,
        thresholds=thresholds,
        extra={"sample_version": SAMPLE_VERSION, "seed": seed, "region": land.region.name}
        | ({} if default else {"world": world}),
    )
    return Sample(
        dataset, _truth_of_places(land, positions, district, latents, place_cluster), _truth_of_districts(land)
    )


def make_sample(region: str = "bihar", seed: int = 0, **settings) -> Dataset:
    """Simulate a survey and street imagery in a state of India, without the truth behind it.

    Parameters
    ----------
    region : str
        A state.
    seed : int
        Another seed gives another countryside.
    **settings
        The other parameters of `simulate`.

    Returns
    -------
    Dataset
        A simulated dataset; `simulate` returns the truth of its places and districts, too.

    Examples
    --------
    >>> make_sample("goa", seed=1).simulated
    True
    """
    return simulate(region, seed, **settings).dataset


def write_sample(sample: Sample, folder: str | Path) -> Path:
    """Write a sample as a dataset folder; its truth goes to `truth/`, which no model reads.

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
    """Write a sample whose images are pictures too: a drawing of the objects in each, `photos/KEY.jpg`.

    As with fetched photos, `dataset.json` lists `images.parquet`, which has `img_path` and `sha256` of each.

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
    with new_folder(folder) as whole:
        images = draw_scenes(dataset.images, dataset.features["objects"], whole, dataset.extra["seed"], progress)
        command = dataset.command.replace("sample ", "sample --with-images ", 1)
        drawn = replace(sample, dataset=replace(dataset, images=images, command=command))
        # moved up from a folder of its own, since the list of checksums names each file that it finds in the folder
        for path in write_sample(drawn, whole / "dataset").iterdir():
            path.rename(whole / path.name)
        (whole / "dataset").rmdir()
    return Path(folder)


def cached_sample(region: str = "bihar", seed: int = 0) -> Dataset:
    """The sample of a region from the cache folder, made first where it is not there or damaged."""
    folder = cache_folder() / f"sample-{region}-{seed}-v{SAMPLE_VERSION}"
    if folder.exists():
        with contextlib.suppress(InputError):
            return read_dataset(folder)
        shutil.rmtree(folder)  # the cache's own file, damaged: it is made again
    sample = simulate(region, seed)
    try:
        write_sample(sample, folder)
    except InputError:
        # another process may have been faster: then its sample, which is the same, is read
        if not folder.exists():
            raise
    return read_dataset(folder)


def _dark_districts(land: Countryside) -> np.ndarray:
    """Rows of the districts with hardly any imagery, as real coverage has them; chosen by the seed."""
    n = min(DARK_DISTRICTS, len(land.districts) // 6)
    return generator(land.seed, "dark districts").choice(len(land.districts), n, replace=False)


def _sizes(seed: int, n_clusters: int, district: np.ndarray, dark: np.ndarray) -> np.ndarray:
    rng = generator(seed, "sizes")
    sizes = np.concatenate(
        [draw_sizes(n_clusters, SURVEYED_MEDIAN, rng), draw_sizes(len(district) - n_clusters, UNSURVEYED_MEDIAN, rng)]
    )
    return np.where(np.isin(district, dark), np.minimum(sizes, 8), sizes)


def _at_most(photos: Photos, keys: np.ndarray, most: int) -> tuple[Photos, np.ndarray]:
    """So many photos of each place at most, chosen as models choose theirs."""
    order = np.lexsort((key_hash(keys), photos.place))
    rank = np.arange(len(order)) - np.searchsorted(photos.place, photos.place[order])
    kept = np.sort(order[rank < most])
    columns = {name: getattr(photos, name)[kept] for name in ("place", "walk", "step", "km", "objects")}
    return Photos(**columns), keys[kept]


def _images_table(
    land: Countryside, photos: Photos, keys: np.ndarray, positions: np.ndarray, place_cluster: np.ndarray
) -> gpd.GeoDataFrame:
    where = np.round(land.degrees(land.km(positions)[photos.place] + photos.km), 7)
    rng = generator(land.seed, "dates")
    start = rng.integers(1_400_000_000, 1_560_000_000, photos.walk[-1] + 1)
    seconds = start[photos.walk] + 4 * photos.step
    columns = {
        "key": keys,
        "country": np.full(len(where), "ia", dtype=object),
        "unique_cluster": place_cluster[photos.place],
        "sequence_id": np.array([f"walk-{i:06d}" for i in photos.walk], dtype=object),
        "captured_at": pd.to_datetime(seconds, unit="s", utc=True),
        "creator": np.full(len(where), "simulated", dtype=object),
    }
    return gpd.GeoDataFrame(columns, geometry=points(*where.T), crs=CRS)


def _clusters_table(land, positions, district, latents, photos, ids) -> tuple[gpd.GeoDataFrame, dict[str, float]]:
    n = len(ids)
    spread = np.sqrt([RECIPES[name].noise for name in INDICATORS])
    error = generator(land.seed, "survey").standard_normal((n, len(INDICATORS))) * spread
    columns = {
        "unique_cluster": ids,
        "country": np.full(n, "ia", dtype=object),
        "state": land.districts["state"].to_numpy(object)[district[:n]],
        "district_id": land.districts["district_id"].to_numpy(object)[district[:n]],
        "urban": np.full(n, None, dtype=object),
        "n_images": np.bincount(photos.place, minlength=n)[:n],
        "split": np.full(n, None, dtype=object),
    } | dict(zip(INDICATORS, land.in_units(latents[:n] + error).T, strict=True))
    clusters = gpd.GeoDataFrame(columns, geometry=points(*np.round(positions[:n], 7).T), crs=CRS)
    return add_labels(clusters, list(INDICATORS))


def _truth_of_places(land, positions, district, latents, place_cluster) -> gpd.GeoDataFrame:
    columns = {
        "place_id": np.array([f"place-{i + 1:05d}" for i in range(len(positions))], dtype=object),
        "unique_cluster": place_cluster,
        "district_id": land.districts["district_id"].to_numpy(object)[district],
    } | dict(zip(INDICATORS, land.in_units(latents).T, strict=True))
    return gpd.GeoDataFrame(columns, geometry=points(*positions.T), crs=CRS)


def _truth_of_districts(land: Countryside) -> pd.DataFrame:
    return land.district_truth().reset_index()
