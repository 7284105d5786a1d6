"""The dataset folder: images, clusters, feature sets and the facts about them, in and out."""

import contextlib
import json
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.files import checksum, new_folder, replacing, umask
from geolive.places import ImageFeatures, Places, group_images
from geolive.tables import check_clusters, check_images, collector_paused, lonlat

SCHEMA_VERSION = 1
FACTS = "dataset.json"


@dataclass(frozen=True)
class Dataset:
    """Images and surveyed clusters, with the facts that make results reproducible.

    Parameters
    ----------
    images, clusters : GeoDataFrame
        As `geolive.tables` defines them.
    features : dict of str to array
        Feature sets; row i belongs to row i of `images`. "objects" holds object counts, uint16, shape (images, 66).
    indicators : list of str
        The indicators that `clusters` holds.
    source, command : str
        What it was made from, and by which command.
    simulated : bool
        Whether survey or imagery are simulated.
    thresholds : dict of str to float
        For each indicator the value from which on its label is 1.
    rejects : DataFrame or None
        Rows of the source that were left out: row number and reason.
    extra : dict
        Further facts to keep in dataset.json.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> dataset = make_sample("bihar", seed=0, n_clusters=40, n_sites=10)
    >>> dataset.simulated, dataset.indicators
    (True, ['pov', 'pop', 'bmi'])
    """

    images: gpd.GeoDataFrame
    clusters: gpd.GeoDataFrame
    features: dict[str, np.ndarray]
    indicators: list[str]
    source: str
    command: str
    simulated: bool
    thresholds: dict[str, float] = field(default_factory=dict)
    rejects: pd.DataFrame | None = None
    extra: dict = field(default_factory=dict)
    path: Path | None = None
    checksum: str = ""

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return str(self.path) if self.path else self.source

    def labelled(self, indicator: str) -> gpd.GeoDataFrame:
        """The clusters with a value of that indicator.

        Raises
        ------
        InputError
            The dataset has no such indicator, or no cluster with a value.
        """
        if indicator not in self.indicators:
            known = ", ".join(self.indicators) or "none"
            raise InputError(f"{self.name}: no indicator {indicator!r}; it has: {known} (choose with --indicator)")
        rows = self.clusters[self.clusters[indicator].notna()]
        if rows.empty:
            raise InputError(f"{self.name}: no cluster has a value of {indicator!r}")
        return rows

    def feature_set(self, name: str | None = None) -> str:
        """The feature set of that name; without a name, the only one there is beside the object counts.

        Raises
        ------
        InputError
            There is no such feature set, or there are none or several to choose from.
        """
        there = [known for known in self.features if known != "objects"]
        if name in there:
            return name
        if name is None and len(there) == 1:
            return there[0]
        if not there:
            raise InputError(f"{self.name}: has no image features; add some with embed or ingest features")
        said = "several feature sets" if name is None else f"no image features {name!r}"
        raise InputError(f"{self.name}: has {said}; choose with --features: {', '.join(there)}")

    def image_features(self, name: str, rows: np.ndarray | None = None) -> ImageFeatures:
        """Features of all images, or of those rows of the images table, to be read when they are needed."""
        rows = np.arange(len(self.images)) if rows is None else rows
        return ImageFeatures(name, self.features[name], rows)

    def has_features(self, name: str) -> np.ndarray:
        """Which images have features of that set, shape (images,): not each photo can be read."""
        listed = self.path and self.path / "features" / f"{name}.missing.parquet"
        if listed and listed.is_file():
            return ~self.images["key"].isin(pd.read_parquet(listed)["key"]).to_numpy()
        return np.isfinite(self.features[name][:, 0])

    def cluster_places(self, clusters: gpd.GeoDataFrame, features: str | None = None) -> Places:
        """What a model sees of these clusters: their images, with object counts where the dataset has any.

        Parameters
        ----------
        clusters : GeoDataFrame
            Rows of `clusters`.
        features : str, optional
            A feature set that images bring too; those without features are left out.
        """
        ids, where = clusters["unique_cluster"].to_numpy(), lonlat(clusters.geometry)
        objects, of_image = self.features.get("objects"), self.images["unique_cluster"]
        if features is None:
            if objects is None:
                return Places.without_images(ids, where)
            return group_images(ids, where, self.images, objects, of_image)
        of_image = of_image.where(self.has_features(features))
        return group_images(ids, where, self.images, objects, of_image, self.image_features(features))


def add_labels(clusters: gpd.GeoDataFrame, indicators: list[str]) -> tuple[gpd.GeoDataFrame, dict[str, float]]:
    """Clusters with a label for each indicator: 1 where the value is at least the median of all clusters with a value.

    Returns
    -------
    clusters : GeoDataFrame
        A copy with `NAME_label`.
    thresholds : dict of str to float

    Examples
    --------
    >>> table, thresholds = add_labels(pd.DataFrame({"pov": [1.0, 2.0, 3.0]}), ["pov"])
    >>> table.pov_label.tolist(), thresholds
    ([0.0, 1.0, 1.0], {'pov': 2.0})
    """
    clusters, thresholds = clusters.copy(), {}
    for name in indicators:
        thresholds[name] = float(clusters[name].median())
        clusters[f"{name}_label"] = (clusters[name] >= thresholds[name]).astype(float).where(clusters[name].notna())
    return clusters, thresholds


def write_dataset(dataset: Dataset, folder: str | Path, extra_files: dict[str, pd.DataFrame] | None = None) -> Path:
    """Write a dataset to a new folder, whole or not at all.

    Parameters
    ----------
    dataset : Dataset
    folder : str or Path
        Must not exist, or be empty.
    extra_files : dict of str to DataFrame, optional
        Further tables to keep beside, by file name (the sample's truth).

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    InputError
        A table breaks its contract, or the folder is not free.

    Examples
    --------
    >>> import tempfile
    >>> from geolive.simulation.sample import make_sample
    >>> folder = Path(tempfile.mkdtemp()) / "bihar"
    >>> made = make_sample("bihar", seed=0, n_clusters=40, n_sites=10)
    >>> len(read_dataset(write_dataset(made, folder)).clusters)
    40
    """
    check_images(dataset.images)
    check_clusters(dataset.clusters, dataset.indicators)
    for name, array in dataset.features.items():
        if len(array) != len(dataset.images):
            raise InputError(f"feature set {name!r} has {len(array)} rows, images has {len(dataset.images)}")
    with new_folder(folder) as temporary:
        _write_table(dataset.images, temporary / "images.parquet")
        _write_table(dataset.clusters, temporary / "clusters.parquet")
        rejects = dataset.rejects if dataset.rejects is not None else pd.DataFrame({"row": [], "reason": []})
        rejects.astype({"row": "int64", "reason": "str"}).to_parquet(temporary / "rejects.parquet", index=False)
        for name, array in dataset.features.items():
            (temporary / "features").mkdir(exist_ok=True)
            np.save(temporary / "features" / f"{name}.npy", array, allow_pickle=False)
            about = {"name": name, "shape": list(array.shape), "dtype": str(array.dtype)}
            (temporary / "features" / f"{name}.json").write_text(json.dumps(about, indent=1) + "\n")
        for name, table in (extra_files or {}).items():
            (temporary / name).parent.mkdir(exist_ok=True)
            _write_table(table, temporary / name)
        (temporary / FACTS).write_text(json.dumps(_facts(dataset, temporary), indent=1, ensure_ascii=False) + "\n")
    return Path(folder)


def add_features(
    folder: str | Path, name: str, blocks: Iterable[tuple[np.ndarray, np.ndarray]], about: dict[str, str]
) -> list[str]:
    """Add a feature set to a dataset folder; nothing else in it is altered, and a failure leaves it as it was.

    Parameters
    ----------
    folder : str or Path
        A dataset.
    name : str
        Of the feature set: letters, digits, `_`, `-`, `.`.
    blocks : iterable of (array of int, array of float)
        Rows of the images table, and their features, shape (rows, columns): as many columns in every block.
    about : dict of str to str
        Facts to keep in the feature set's JSON file.

    Returns
    -------
    list of str
        Keys of the images without features. Their rows are NaN, and `features/NAME.missing.parquet` lists them.

    Raises
    ------
    InputError
        The folder is no sound dataset, it has a feature set of that name, or the blocks hold nothing for its images.

    Examples
    --------
    >>> import tempfile
    >>> from geolive.simulation.sample import make_sample
    >>> folder = Path(tempfile.mkdtemp()) / "goa"
    >>> _ = write_dataset(make_sample("goa", seed=1), folder)
    >>> missing = add_features(folder, "two", [(np.array([0, 2]), np.ones((2, 5)))], {"source": "an example"})
    >>> read_dataset(folder).features["two"][:3, 0].tolist()
    [1.0, nan, 1.0]
    """
    folder = Path(folder)
    dataset = read_dataset(folder)
    check_feature_name(dataset, name)
    found, array = np.zeros(len(dataset.images), bool), None
    (folder / "features").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder / "features") as temporary:
        file = Path(temporary) / "array.npy"
        for rows, values in blocks:
            if array is None:
                shape = (len(dataset.images), values.shape[1])
                array = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=shape)
            array[rows] = values
            found[rows] = True
        if array is None or not found.any():
            raise InputError(f"{folder}: none of its images is in the features; check that the keys are this dataset's")
        array[~found] = np.nan
        array.flush()
        missing = dataset.images["key"][~found]
        place_features(folder, name, file, pd.DataFrame({"key": missing}), about)
    return missing.tolist()


def place_features(folder: str | Path, name: str, file: Path, missing: pd.DataFrame, about: dict) -> None:
    """Move a finished file of features into a dataset folder, with what is to be known of it; `dataset.json` lists it last.

    Parameters
    ----------
    folder : str or Path
        A dataset without a feature set of that name (`check_feature_name`).
    name : str
    file : Path
        An npy file, row i for row i of the images table, on the disk where the dataset is.
    missing : DataFrame
        `key` of the images without features, and what else is known of them, `reason` for example.
    about : dict
        Facts to keep in the feature set's JSON file.

    Examples
    --------
    >>> import tempfile
    >>> from geolive.simulation.sample import make_sample
    >>> folder = write_dataset(make_sample("goa", seed=1), Path(tempfile.mkdtemp()) / "goa")
    >>> file = folder / "features" / ".ones.npy"
    >>> np.save(file, np.ones((len(read_dataset(folder).images), 2), np.float16))
    >>> place_features(folder, "ones", file, pd.DataFrame({"key": []}), {"source": "an example"})
    >>> read_dataset(folder).features["ones"].dtype
    dtype('float16')
    """
    folder, stem = Path(folder), f"features/{name}"
    array = np.load(file, mmap_mode="r", allow_pickle=False)
    written = {"name": name, "shape": list(array.shape), "dtype": str(array.dtype), "missing": len(missing), **about}
    with contextlib.ExitStack() as stack:
        # in this order they are put into place last to first: the facts last, when what they list is there
        new_facts = stack.enter_context(replacing(folder / FACTS))
        files = {end: stack.enter_context(replacing(folder / f"{stem}{end}")) for end in (".json", ".missing.parquet")}
        missing.to_parquet(files[".missing.parquet"], index=False)
        files[".json"].write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        facts = _read_facts(folder)
        facts["features"] = sorted([*facts["features"], name])
        facts["checksums"] |= {f"{stem}{end}": checksum(path) for end, path in (files | {".npy": file}).items()}
        new_facts.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        file.chmod(0o666 & ~umask())
        file.replace(folder / f"{stem}.npy")


def check_feature_name(dataset: Dataset, name: str) -> None:
    """Raise InputError where a feature set of that name cannot be added."""
    if not _is_word(name) or name.endswith(".missing"):
        raise InputError(f"--name {name!r}: use letters, digits, _, - and . only")
    if name in dataset.features:
        raise InputError(
            f"{dataset.name}: has a feature set {name!r} already, and nothing is overwritten; use another --name"
        )


def read_dataset(folder: str | Path) -> Dataset:
    """Read a dataset folder; feature sets are mapped from disk, not loaded.

    Raises
    ------
    InputError
        The folder is no dataset, one of its files is missing, altered or cut short, or a table breaks its contract.

    Examples
    --------
    >>> read_dataset("no/such/folder")
    Traceback (most recent call last):
    geolive.errors.InputError: no/such/folder: no such dataset folder; make one with sample or ingest
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such dataset folder; make one with sample or ingest")
    facts = _read_facts(folder)
    for name, expected in facts["checksums"].items():
        path = folder / name
        if not path.is_file() or checksum(path) != expected:
            raise InputError(
                f"{path}: missing, altered or cut short since the dataset was made; make the dataset again"
            )
    images = check_images(_read_table(folder / "images.parquet"), f"{folder}/images.parquet")
    clusters = check_clusters(
        _read_table(folder / "clusters.parquet"), facts["indicators"], f"{folder}/clusters.parquet"
    )
    features = {}
    for name in facts["features"]:
        features[name] = np.load(folder / "features" / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        if len(features[name]) != len(images):
            rows = f"{len(features[name])} rows, images.parquet has {len(images)}"
            raise InputError(f"{folder}/features/{name}.npy: {rows}; make the feature set again")
    return Dataset(
        images,
        clusters,
        features,
        facts["indicators"],
        facts["source"],
        facts["command"],
        bool(facts["simulated"]),
        facts["thresholds"],
        pd.read_parquet(folder / "rejects.parquet"),
        facts["extra"],
        folder,
        checksum(folder / FACTS),
    )


def _facts(dataset: Dataset, folder: Path) -> dict:
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return {
        "schema_version": SCHEMA_VERSION,
        "source": dataset.source,
        "command": dataset.command,
        "simulated": dataset.simulated,
        "counts": {"images": len(dataset.images), "clusters": len(dataset.clusters)},
        "indicators": dataset.indicators,
        "thresholds": dataset.thresholds,
        "features": sorted(dataset.features),
        "extra": dataset.extra,
        "checksums": {name: checksum(folder / name) for name in files},
    }


def _read_facts(folder: Path) -> dict:
    path = folder / FACTS
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        version = facts["schema_version"]
    except FileNotFoundError:
        raise InputError(f"{folder}: not a dataset (no {FACTS}); make one with sample or ingest") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: cannot be read ({type(error).__name__}); make the dataset again") from None
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path}: schema version {version}, this geolive reads {SCHEMA_VERSION}; make the dataset again"
        )
    typed = all(isinstance(facts.get(name), kind) for name, kind in _FACT_TYPES.items())
    # names become paths, so a name is a plain word, and a file lies in the folder
    if not (
        typed
        and all(map(_is_word, facts["features"] + facts["indicators"]))
        and all(map(_is_inner, facts["checksums"]))
    ):
        raise InputError(f"{path}: not as geolive writes it; make the dataset again")
    return facts


_FACT_TYPES = {
    "source": str,
    "command": str,
    "simulated": bool,
    "indicators": list,
    "thresholds": dict,
    "features": list,
    "extra": dict,
    "checksums": dict,
}


def _is_word(name: object) -> bool:
    return isinstance(name, str) and re.fullmatch(r"\w[\w.-]*", name) is not None


def _is_inner(path: str) -> bool:
    return not path.startswith("/") and ".." not in path.split("/")


def _write_table(table: pd.DataFrame, path: Path) -> None:
    version = {"schema_version": "1.1.0"} if isinstance(table, gpd.GeoDataFrame) else {}
    with collector_paused():
        table.to_parquet(path, index=False, compression="zstd", **version)


def _read_table(path: Path) -> gpd.GeoDataFrame:
    try:
        with collector_paused():
            return gpd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); make the dataset again") from None
