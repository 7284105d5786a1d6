"""A stand-in for the paper's data.csv: the real file's size, shape and cluster ids, with SIMULATED content.

Each state's clusters stand in the state that their ids name, at random places, and its survey and photos come from the same
simulation as the sample. Every key begins with `simulated-`, which survives any copy, cut or pipe: by that `ingest paper` knows.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.files import new_folder
from geolive.simulation.countryside import INDICATORS, RECIPES, Countryside, generator
from geolive.simulation.simulated_photos import draw_loadings, draw_photos, draw_sizes
from geolive.sources.paper.nfhs_states import state_of_cluster
from geolive.sources.paper.rows import SIMULATED_PREFIX
from geolive.sources.paper.split_lists import read_split_lists
from geolive.tables import VOID, vistas_classes

# these two bring the table to the real one's 1.12 million rows for 7,117 clusters, and to its 1.3 kB a row
IMAGES_MEDIAN = 280.0
COUNTED_TWICE = 0.53
BATCH = 200
HEADER = (
    "key,country,unique_cluster,ilon,ilat,lon,lat,features,features_name,confidence,"
    "pov,pov_label,pop,pop_label,bmi,bmi_label\n"
)


def write_standin(
    ids: str | Path,
    n_clusters: int,
    folder: str | Path,
    seed: int = 0,
    tell: Callable[[str], None] = lambda words: None,
) -> int:
    """Write a stand-in for the paper's data.csv, and the split lists that belong to it, to a new folder.

    Memory does not grow with the number of clusters: rows are written as they are made.

    Parameters
    ----------
    ids : str or Path
        A folder of split lists with Indian ids (`ia_SSNNNN`).
    n_clusters : int
        How many of those clusters to take, chosen by the seed; the lists written hold only these.
    folder : str or Path
        Must not exist, or be empty.
    seed : int
        Equal seeds give equal files.
    tell : callable, optional
        Takes words on what is under way.

    Returns
    -------
    int
        Number of images, which is the number of rows.

    Raises
    ------
    InputError
        The lists cannot be used, or hold fewer clusters; the folder is not free.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "train_clusters_ia.txt").write_text("ia_100001")
    >>> n = write_standin(folder, 1, folder / "new")
    >>> (folder / "new" / "data.csv").read_text().count("\\n") == n + 1
    True
    """
    chosen = _choose(ids, n_clusters, seed)
    loadings, n_images = draw_loadings(seed), 0
    with new_folder(folder) as temporary:
        for (split, country), listed in chosen.groupby(["split", "country"]):
            path = temporary / f"{split}_clusters_{country}.txt"
            path.write_text("\n".join(listed["unique_cluster"]), encoding="utf-8")
        tell("places and survey")
        clusters = pd.concat([_survey(state, part, seed) for state, part in chosen.groupby("state")], ignore_index=True)
        for name in INDICATORS:
            clusters[f"{name}_label"] = (clusters[name] >= clusters[name].median()).astype(int)
        with (temporary / "data.csv").open("w", encoding="utf-8", newline="") as file:
            file.write(HEADER)
            for start in range(0, len(clusters), BATCH):
                tell(f"photos of {start:,} of {len(clusters):,} clusters")
                batch = clusters.iloc[start : start + BATCH]
                for row in _rows(batch, n_images, loadings, generator(seed, f"photos from {start}")):
                    file.write(row)
                    n_images += 1
    return n_images


def _choose(ids: str | Path, n_clusters: int, seed: int) -> pd.DataFrame:
    """So many rows of the split lists, with the state of each."""
    listed = read_split_lists(ids)
    listed["state"] = listed["unique_cluster"].map(state_of_cluster)
    if listed["state"].isna().any():
        stranger = listed.loc[listed["state"].isna(), "unique_cluster"].iloc[0]
        raise InputError(f"{ids}: {stranger!r} is no Indian cluster id such as ia_50383; list only those")
    if not 1 <= n_clusters <= len(listed):
        raise InputError(f"--clusters {n_clusters}: the lists in {ids} hold {len(listed)}; ask for 1 to {len(listed)}")
    rows = generator(seed, "choice of clusters").choice(len(listed), n_clusters, replace=False)
    return listed.iloc[np.sort(rows)]


def _survey(state: str, clusters: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Positions and survey values of a state's clusters, and the latents that their photos follow."""
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
    """A line of the table for each photo of these clusters; the first has the number `first`."""
    latents = clusters[[f"latent_{name}" for name in INDICATORS]].to_numpy()
    photos = draw_photos(latents, draw_sizes(len(clusters), IMAGES_MEDIAN, rng), loadings, rng)
    image, found = np.nonzero(photos.objects)
    times = photos.objects[image, found]
    image, found = np.repeat(image, times), np.repeat(found, times)
    times = 1 + (rng.random(len(found)) < COUNTED_TWICE)  # a detector takes some objects for two
    image, found = np.repeat(image, times), np.repeat(found, times)
    names = [*vistas_classes()["name"], "Void"]
    index_of = np.array([*map(str, range(VOID)), "255"], dtype=object)[found].tolist()
    name_of = np.array([f'""{name}""' for name in names], dtype=object)[found].tolist()
    pool = np.array([repr(c) for c in rng.uniform(0.5, 1, 10_000).tolist()], dtype=object)
    confidence = pool[rng.integers(len(pool), size=len(found))].tolist()
    ends = np.searchsorted(image, np.arange(len(photos.place)), side="right").tolist()
    where = clusters[["lon", "lat"]].to_numpy()[photos.place]
    where = np.round(
        where + photos.km / 111.195 / np.column_stack([np.cos(np.radians(where[:, 1])), np.ones(len(where))]), 7
    )
    surveyed = [f"{name}{label}" for name in INDICATORS for label in ("", "_label")]
    heads = [f"{c.unique_cluster},{{}},{c.lon},{c.lat}" for c in clusters.itertuples()]
    tails = [",".join(map(str, row)) for row in clusters[surveyed].astype(object).to_numpy().tolist()]
    start = 0
    for i, (place, (lon, lat), end) in enumerate(zip(photos.place.tolist(), where.tolist(), ends, strict=True)):
        lists = (", ".join(texts[start:end]) for texts in (index_of, name_of, confidence))
        quoted = ",".join(f'"[{text}]"' for text in lists)
        yield f"{SIMULATED_PREFIX}{first + i:012d},ia,{heads[place].format(f'{lon},{lat}')},{quoted},{tails[place]}\n"
        start = end
