"""Read a survey of the DHS Program: join the file of its clusters' positions with its recode files.

Positions are displaced on purpose, urban clusters by up to 2 km, rural ones by up to 5 km and one in a hundred by up to 10 km
(Burgert et al. 2013, DHS Spatial Analysis Reports 7). Clusters that could not be located are at 0, 0.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from geolive.command_line import command_line
from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.labels import add_labels
from geolive.sources.survey import columns
from geolive.sources.survey.dhs_recodes import BMI, HOUSEHOLDS, POV, Measure, Recode, cluster_means, read_recode
from geolive.sources.survey.options import check_value_names
from geolive.sources.survey.reader import no_images
from geolive.sources.survey.tables import SurveyTable, read_table, require
from geolive.tables import CLUSTER_COLUMNS, not_located, points
from geolive.terminal_text import as_unicode

_NEEDED = ("DHSCLUST", "LATNUM", "LONGNUM")
_OPTIONAL = ("URBAN_RURA", "DHSCC", "DHSYEAR", "ADM1NAME", "SOURCE")


def read_dhs(
    gps: str | Path,
    recodes: list[Path],
    values: dict[str, tuple[str, float | None]] | None = None,
    progress: Callable[[str], None] = lambda words: None,
    *,
    encoding: str | None = None,
    layer: str | None = None,
) -> Dataset:
    """Join the positions of a DHS survey's clusters with the weighted means of their households and women.

    Parameters
    ----------
    gps : str or Path
        The geographic file (GE): a Shapefile, CSV or any format of `read_table`, with DHSCLUST, LATNUM, LONGNUM and
        optionally URBAN_RURA, DHSCC, DHSYEAR, ADM1NAME, SOURCE. Names may be in upper or lower case.
    recodes : list of Path
        Household recodes (HR), which give `pov` (hv271 / 100,000), and women's recodes (IR), which give `bmi` (v445 /
        100); see `read_recode`. Several files of the same kind, for example one for each state, are joined.
    values : dict of str to (str, float or None), optional
        Further indicators: a column of either kind of recode and, if it has special codes, the smallest raw value
        that is one. The mean is over raw values.
    progress : callable, optional
        Called with a short text about the progress.
    encoding, layer : str, optional
        Encoding of the texts in `gps`, and its layer if it has several; see `read_table`.

    Returns
    -------
    Dataset
        One cluster in each row: `unique_cluster` (country and cluster number, as in the paper: "ia_70003"), `country`
        (DHS code, lower case), `state` (ADM1NAME), `urban`, `year`, the survey's design, and for each indicator NAME,
        `NAME_n` (number of values in the mean) and `NAME_se`. The design is `weight` (sum of the households' weights,
        else of the women's), `n_households` (their number), and if the recodes have them `stratum` (hv022, v022) and
        `psu` (hv021, v021), each with the country before it. `rejects` holds the row of `gps` and the reason for
        clusters without a position or without a value in the recodes. `extra["dhs"]` counts the rows that were left
        out.

    Raises
    ------
    InputError
        A file cannot be read, belongs to another survey or another kind, or nothing can be joined.

    See Also
    --------
    geolive.read_survey : Read a table of surveyed places.
    geolive.read_photos : Read positions and times from photos.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "GE.csv").write_text("DHSCLUST,LATNUM,LONGNUM,URBAN_RURA\\n1,25.6,85.1,U\\n2,0,0,R\\n")
    >>> rows = {"hv000": ["IA7"] * 2, "hv001": [1, 1], "hv005": [500_000, 1_500_000], "hv271": [100_000, -50_000]}
    >>> pd.DataFrame(rows).to_stata(folder / "HR.dta", write_index=False)
    >>> dataset = read_dhs(folder / "GE.csv", [folder / "HR.dta"])
    >>> dataset.clusters[["unique_cluster", "urban", "pov", "pov_n"]].values.tolist()
    [['ia_1', True, -0.125, 2]]
    >>> dataset.rejects.values.tolist()
    [[3, 'cluster 2: not located (0, 0)']]
    """
    values = values or {}
    _check_names(values)
    measures = [POV, BMI, *(Measure(name, column.lower(), 1.0, limit) for name, (column, limit) in values.items())]
    table = _read_gps(Path(gps), encoding, layer)
    number = _cluster_numbers(table)
    read = _read_recodes(recodes, measures, progress)
    country = _country(table, read)
    means = _all_means(read, measures, values)
    clusters, reasons, located = _clusters(table, number, country, means, _design(read, country))
    keep = np.array([reason is None for reason in reasons])
    if not keep.any():
        raise InputError(
            f"{gps}: no cluster is located and has values in the recode files; check that they belong together"
        )
    clusters, thresholds = add_labels(clusters[keep].reset_index(drop=True), list(means))
    rejects = [(row, why) for row, why in zip(table.row_numbers, reasons, strict=True) if why]
    return Dataset(
        no_images(),
        clusters,
        {},
        list(means),
        source=" + ".join(as_unicode(Path(path).name) for path in [gps, *recodes]),
        command=_command(gps, recodes, values, {"encoding": encoding, "layer": layer}),
        simulated=False,
        thresholds=thresholds,
        rejects=pd.DataFrame(rejects, columns=["row", "reason"]),
        extra={"dhs": _counts(read, number, located, keep)} | _guessed_encoding(table),
    )


def _guessed_encoding(table: SurveyTable) -> dict[str, Any]:
    if table.encoding is None or not table.encoding.guessed:
        return {}
    return {"survey": {"encoding": table.encoding.name}}


def _counts(read: list[Recode], number: np.ndarray, located: np.ndarray, keep: np.ndarray) -> dict[str, Any]:
    """Return the survey's code, and the numbers of clusters and rows that were left out."""
    known = np.unique(np.concatenate([recode.cluster for recode in read]))
    return {
        "survey": read[0].survey,
        "clusters_not_located": int((~located).sum()),
        "clusters_without_values": int((located & ~keep).sum()),
        "recode_clusters_not_in_gps_file": len(np.setdiff1d(known, number)),
        "rows": {as_unicode(recode.path.name): len(recode.cluster) for recode in read},
        "rows_left_out": {as_unicode(recode.path.name): recode.left_out for recode in read},
    }


def _check_names(values: dict[str, tuple[str, float | None]]) -> None:
    check_value_names(list(dict.fromkeys([POV.name, BMI.name, *values])))
    for name in values:
        if name in (POV.name, BMI.name):
            raise InputError(f"values: DHS's own indicator has the name {name!r}; choose another name")


def _read_gps(path: Path, encoding: str | None, layer: str | None) -> SurveyTable:
    def choose(header: list[str]) -> list[str]:
        upper = {name.upper(): name for name in reversed(header)}
        named = [upper.get(name, name) for name in _NEEDED]
        return require(path, header, named) + [upper[name] for name in _OPTIONAL if name in upper]

    table = read_table(path, choose, with_positions=False, encoding=encoding, layer=layer)
    renamed = {name.upper(): texts for name, texts in table.texts.items()}
    return replace(table, texts=renamed)


def _read_recodes(paths: list[Path], measures: list[Measure], progress: Callable[[str], None]) -> list[Recode]:
    if not paths:
        raise InputError("no recode file is named; add the household (HR) or women's (IR) recode, recodes=['FILE.dta']")
    read: list[Recode] = []
    for path in paths:
        recode = read_recode(path, measures, _prefixed(progress, f"{Path(path).name}: "))
        for other in read:
            if other.survey != recode.survey:
                raise InputError(
                    f"{recode.path}: is of survey {recode.survey}, {other.path} of {other.survey}; give files of one survey"
                )
            both = np.intersect1d(other.cluster, recode.cluster)
            if other.kind == recode.kind and len(both):
                raise InputError(f"{recode.path}: cluster {both[0]} is also in {other.path}; give each file once")
        read.append(recode)
    return read


def _prefixed(progress: Callable[[str], None], prefix: str) -> Callable[[str], None]:
    return lambda words: progress(prefix + words)


def _country(table: SurveyTable, read: list[Recode]) -> str:
    country = read[0].survey[:2]
    for i, text in enumerate(table.texts.get("DHSCC", [])):
        if text.upper() != country:
            raise InputError(
                f"{table.path}: {table.place_of(i)}, column 'DHSCC': {text!r}, but {read[0].path} is of country {country!r}; "
                "give files of one survey"
            )
    return country.lower()


def _all_means(
    read: list[Recode], measures: list[Measure], values: dict[str, tuple[str, float | None]]
) -> dict[str, pd.DataFrame]:
    """Compute the means by cluster of every measure that the files have."""
    means = {measure.name: _means(read, measure.name) for measure in measures}
    for name, (column, _) in values.items():
        if means[name] is None:
            raise InputError(
                f"values: no recode file has values of {name!r} in a column {column!r}; see the recode manual"
            )
    known = {name: table for name, table in means.items() if table is not None}
    if not known:
        raise InputError(
            f"{read[0].path}: has values of neither wealth (hv271) nor body-mass index (v445); name another column "
            "with values={'NAME': 'COLUMN'}"
        )
    return known


def _means(read: list[Recode], name: str) -> pd.DataFrame | None:
    """Compute the means by cluster from the files that have the measure; None where there is no value."""
    having = [recode for recode in read if name in recode.values]
    kinds = {recode.kind.name for recode in having}
    if len(kinds) > 1:
        raise InputError(
            f"values: both household and women's recodes have the column of {name!r}; rename it in one of them"
        )
    if not having:
        return None
    cluster, weight, value = (
        np.concatenate(parts)
        for parts in zip(*((recode.cluster, recode.weight, recode.values[name]) for recode in having), strict=True)
    )
    there = np.isfinite(value)
    if not there.any():
        return None
    return cluster_means(cluster[there], weight[there], value[there])


def _design(read: list[Recode], country: str) -> pd.DataFrame:
    """Return weight, stratum and primary sampling unit by cluster, from the household recodes or else from the women's."""
    kinds = [recode.kind for recode in read]
    chosen = [recode for recode in read if recode.kind == (HOUSEHOLDS if HOUSEHOLDS in kinds else kinds[0])]
    cluster = np.concatenate([recode.cluster for recode in chosen])
    weight = pd.Series(np.concatenate([recode.weight for recode in chosen])).clip(lower=0)
    design = {"weight": weight.groupby(cluster).sum(), "n_households": weight.groupby(cluster).size().astype(float)}
    for name in ("stratum", "psu"):
        if all(name in recode.design for recode in chosen):
            number = pd.Series(np.concatenate([recode.design[name] for recode in chosen]))
            # the files repeat it in each row of a cluster
            of_cluster = number.groupby(cluster).first()
            if of_cluster.notna().any():
                design[name] = of_cluster.map(lambda n: None if pd.isna(n) else f"{country}_{n:.0f}").astype(object)
    return pd.DataFrame(design)


def _cluster_numbers(table: SurveyTable) -> np.ndarray:
    number, texts = columns.numbers(table, "DHSCLUST", "cluster"), table.texts["DHSCLUST"]
    columns.note(table, "DHSCLUST", texts, ~(number == np.round(number)), "not a whole number")
    columns.note(table, "DHSCLUST", texts, pd.Series(number).duplicated(), "occurs already:")
    _refuse_wrong_rows(table)
    return number.astype(np.int64)


def _clusters(
    table: SurveyTable, number: np.ndarray, country: str, means: dict[str, pd.DataFrame], design: pd.DataFrame
) -> tuple[gpd.GeoDataFrame, list[str | None], np.ndarray]:
    """Read all clusters of the GPS file, why some cannot be used, and which have a position."""
    x, y = (columns.numbers(table, column, "coordinate") for column in ("LONGNUM", "LATNUM"))
    columns.check_positions(table, "LONGNUM", "LATNUM", x, y)
    urban = columns.urban(table, "URBAN_RURA") if "URBAN_RURA" in table.texts else None
    year = columns.years(table, "DHSYEAR") if "DHSYEAR" in table.texts else None
    _refuse_wrong_rows(table)
    located = ~not_located(x, y)
    located &= np.array([text.upper() != "MIS" for text in table.texts.get("SOURCE", [""] * len(table))])

    states = [text if text.upper() != "NULL" else "" for text in table.texts.get("ADM1NAME", [""] * len(table))]
    rows = {
        "unique_cluster": [f"{country}_{n}" for n in number],
        "country": country,
        "state": pd.Series([state or None for state in states], dtype=object),
        "district_id": None,
        "urban": pd.Series(urban, dtype=object, index=range(len(table))),
        "n_images": 0,
        "split": None,
        **({} if year is None else {"year": year}),
        **{name: design[name].reindex(number).to_numpy() for name in design},
    }
    for name, of_cluster in means.items():
        of_cluster = of_cluster.reindex(number)
        rows |= {name: of_cluster["mean"].to_numpy(), f"{name}_n": of_cluster["n"].fillna(0).to_numpy(np.int64)}
        rows[f"{name}_se"] = of_cluster["se"].to_numpy()
    clusters = gpd.GeoDataFrame(rows, geometry=points(x, y))
    order = [*CLUSTER_COLUMNS, *(name for name in rows if name not in CLUSTER_COLUMNS)]
    measured = clusters[list(means)].notna().any(axis=1).to_numpy()
    reasons = [
        f"cluster {n}: not located (0, 0)" if not at else None if has else f"cluster {n}: no value in the recode files"
        for n, at, has in zip(number, located, measured, strict=True)
    ]
    return clusters[order], reasons, located


def _refuse_wrong_rows(table: SurveyTable) -> None:
    for i, reason in enumerate(table.reasons):
        # clusters at 0, 0 are listed as not located
        if reason is not None and reason != columns.NOT_LOCATED:
            raise InputError(f"{table.path}: {table.place_of(i)}, {reason}; correct it, or download the file again")


def _command(
    gps: str | Path,
    recodes: list[Path],
    values: dict[str, tuple[str, float | None]],
    options: dict[str, str | None],
) -> str:
    words: list[object] = ["ingest", "dhs", gps]
    for path in recodes:
        words += ["--recode", path]
    for name, (column, limit) in values.items():
        words += ["--value", f"{name}={column}" + (f":{limit:g}" if limit is not None else "")]
    for option, named in options.items():
        words += [f"--{option}", named] if named else []
    return command_line(*words, "--out", "dhs")
