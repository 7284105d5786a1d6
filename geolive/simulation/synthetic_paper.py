"""A synthetic copy of the paper's data.csv: the size, columns and cluster ids of the real file, with SIMULATED content.

Clusters are at random places of the state that their id names. Survey and photos come from the same simulation as the sample.
Every key begins with `simulated-`, so that `ingest paper` recognises simulated rows after any copy, cut or pipe.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.files import new_folder
from geolive.simulation.countryside import INDICATORS, RECIPES, Countryside, generator
from geolive.simulation.simulated_photos import Photos, draw_loadings, draw_photos, draw_sizes
from geolive.sources.paper.nfhs_states import state_of_cluster
from geolive.sources.paper.rows import SIMULATED_PREFIX
from geolive.sources.paper.split_lists import read_split_lists
from geolive.tables import VOID, vistas_classes

# with these two numbers the table has, like the real one, 1.12 million rows for 7,117 clusters and 1.3 kB per row
IMAGES_MEDIAN = 280.0
SHARE_COUNTED_TWICE = 0.53
BATCH = 200
HEADER = (
    "key,country,unique_cluster,ilon,ilat,lon,lat,features,features_name,confidence,"
    "pov,pov_label,pop,pop_label,bmi,bmi_label\n"
)


def write_synthetic_paper(
    splits: str | Path,
    n_clusters: int,
    folder: str | Path,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> int:
    """Write a synthetic data.csv and the split lists that belong to it to a new folder.

    Rows are written as they are made, so memory does not grow with the number of clusters.

    Parameters
    ----------
    splits : str or Path
        A folder of split lists with Indian ids (`ia_SSNNNN`).
    n_clusters : int
        How many of these clusters to draw at random; the lists written hold only the drawn clusters.
    folder : str or Path
        Must not exist, or be empty.
    seed : int
        Seed of the random numbers; equal seeds give equal files.
    progress : callable, optional
        Called with a short text about the progress.

    Returns
    -------
    int
        Number of images, which is the number of rows.

    Raises
    ------
    InputError
        The lists cannot be used, or hold fewer clusters, or the folder exists.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "train_clusters_ia.txt").write_text("ia_100001")
    >>> n = write_synthetic_paper(folder, 1, folder / "new")
    >>> (folder / "new" / "data.csv").read_text().count("\\n") == n + 1
    True
    """
    progress = progress or (lambda words: None)
    drawn = _draw_clusters(splits, n_clusters, seed)
    loadings, n_images = draw_loadings(seed), 0
    with new_folder(folder) as temporary:
        for (split, country), listed in drawn.groupby(["split", "country"]):
            path = temporary / f"{split}_clusters_{country}.txt"
            path.write_text("\n".join(listed["unique_cluster"]), encoding="utf-8")
        progress("places and survey")
        clusters = pd.concat(
            [_survey(str(state), part, seed) for state, part in drawn.groupby("state")], ignore_index=True
        )
        for name in INDICATORS:
            clusters[f"{name}_label"] = (clusters[name] >= clusters[name].median()).astype(int)
        with (temporary / "data.csv").open("w", encoding="utf-8", newline="") as file:
            file.write(HEADER)
            for start in range(0, len(clusters), BATCH):
                progress(f"photos of {start:,} of {len(clusters):,} clusters")
                batch = clusters.iloc[start : start + BATCH]
                for row in _rows(batch, n_images, loadings, generator(seed, f"photos from {start}")):
                    file.write(row)
                    n_images += 1
    return n_images


def _draw_clusters(splits: str | Path, n_clusters: int, seed: int) -> pd.DataFrame:
    """Draw rows of the split lists at random, with the state of each."""
    listed = read_split_lists(splits)
    listed["state"] = listed["unique_cluster"].map(state_of_cluster)
    if listed["state"].isna().any():
        unknown = listed.loc[listed["state"].isna(), "unique_cluster"].iloc[0]
        raise InputError(
            f"{splits}: {unknown!r} is not an Indian cluster id such as ia_50383; list only Indian clusters"
        )
    if not 1 <= n_clusters <= len(listed):
        raise InputError(
            f"n_clusters={n_clusters}: the lists in {splits} hold {len(listed)} clusters; give 1 to {len(listed)}",
            parameter="n_clusters",
        )
    rows = generator(seed, "choice of clusters").choice(len(listed), n_clusters, replace=False)
    return listed.iloc[np.sort(rows)]


def _survey(state: str, clusters: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Draw positions and survey values of the clusters of a state, and the latent values that their photos follow."""
    land = Countryside(state, seed)
    number = land.spread_by_population(len(clusters), 0, np.zeros(0, int))
    positions, district = land.draw_places(number, generator(seed, f"clusters {state}"))
    latents = land.latents(positions, district, generator(seed, f"local {state}"))
    noise = np.sqrt([RECIPES[name].noise for name in INDICATORS])
    error = generator(seed, f"survey {state}").standard_normal(latents.shape) * noise
    columns = {"unique_cluster": clusters["unique_cluster"].to_numpy(object)}
    columns |= dict(zip(("lon", "lat"), np.round(positions, 7).T, strict=True))
    columns |= dict(zip(INDICATORS, land.in_units(latents + error).T, strict=True))
    columns |= {f"latent_{name}": latents[:, i] for i, name in enumerate(INDICATORS)}
    return pd.DataFrame(columns)


def _rows(clusters: pd.DataFrame, first: int, loadings: np.ndarray, rng: np.random.Generator) -> Iterator[str]:
    """Yield a line of the table for each photo of these clusters; `first` is the number of the first photo."""
    latents = clusters[[f"latent_{name}" for name in INDICATORS]].to_numpy()
    photos = draw_photos(latents, draw_sizes(len(clusters), IMAGES_MEDIAN, rng), loadings, rng)
    image, lists = _object_lists(photos, rng)
    ends = np.searchsorted(image, np.arange(len(photos.place)), side="right").tolist()
    centre = clusters[["lon", "lat"]].to_numpy()[photos.place]
    km_per_degree = 111.195 * np.column_stack([np.cos(np.radians(centre[:, 1])), np.ones(len(centre))])
    positions = np.round(centre + photos.km / km_per_degree, 7).tolist()
    surveyed = [f"{name}{label}" for name in INDICATORS for label in ("", "_label")]
    heads = [f"{c.unique_cluster},{{}},{c.lon},{c.lat}" for c in clusters.itertuples()]
    tails = [",".join(map(str, row)) for row in clusters[surveyed].astype(object).to_numpy().tolist()]
    start = 0
    for i, (place, (lon, lat), end) in enumerate(zip(photos.place.tolist(), positions, ends, strict=True)):
        quoted = ",".join(f'"[{", ".join(texts[start:end])}]"' for texts in lists)
        yield f"{SIMULATED_PREFIX}{first + i:012d},ia,{heads[place].format(f'{lon},{lat}')},{quoted},{tails[place]}\n"
        start = end


def _object_lists(photos: Photos, rng: np.random.Generator) -> tuple[np.ndarray, list[list[str]]]:
    """Return the image of each detected object, and its class index, class name and confidence as the table writes them."""
    image, classes = np.nonzero(photos.objects)
    times = photos.objects[image, classes]
    image, classes = np.repeat(image, times), np.repeat(classes, times)
    times = 1 + (rng.random(len(classes)) < SHARE_COUNTED_TWICE)  # a detector counts some objects twice
    image, classes = np.repeat(image, times), np.repeat(classes, times)
    indexes = np.array([*map(str, range(VOID)), "255"], dtype=object)
    names = np.array([f'""{name}""' for name in [*vistas_classes()["name"], "Void"]], dtype=object)
    pool = np.array([repr(c) for c in rng.uniform(0.5, 1, 10_000).tolist()], dtype=object)
    confidences = pool[rng.integers(len(pool), size=len(classes))]
    return image, [indexes[classes].tolist(), names[classes].tolist(), confidences.tolist()]
