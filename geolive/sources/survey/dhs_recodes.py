"""Read recode files of a DHS survey, of Stata or SPSS, with a row for each household or woman, and average them by cluster.

Definitions follow the Guide to DHS Statistics (https://dhsprogram.com/data/Guide-to-DHS-Statistics/) and the standard recode
manual: hv001 and v001 are the cluster, hv005 and v005 the sample weight with six implied decimals, hv021 and v021 the primary
sampling unit, hv022 and v022 the stratum, hv000 and v000 the country and phase, hv271 the wealth index factor score with five
implied decimals, v445 the body-mass index with two.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.sources.survey.labelled_files import is_labelled, read_labelled
from geolive.sources.survey.missing_codes import known_codes
from geolive.sources.survey.tables import require


@dataclass(frozen=True)
class Kind:
    """A kind of recode file: its name, the columns that every file of that kind has, and those of the survey's design."""

    name: str
    cluster: str
    weight: str
    survey: str
    psu: str
    stratum: str


HOUSEHOLDS = Kind("household", "hv001", "hv005", "hv000", "hv021", "hv022")
WOMEN = Kind("women", "v001", "v005", "v000", "v021", "v022")
# columns that only files with a row for each member, birth, pregnancy or couple have, and what to give instead
_OTHER_FILES = {
    "hvidx": "household members (PR); give the household recode (HR)",
    "bidx": "births or children (BR, KR); give the women's recode (IR)",
    "pidx": "pregnancies (GR); give the women's recode (IR)",
    "mv001": "men or couples (MR, CR); give the women's recode (IR)",
}


@dataclass(frozen=True)
class Measure:
    """A measure to average: a column of one kind of recode, its scale, and from which raw value on it holds special codes.

    Parameters
    ----------
    name, column : str
        The indicator and the column, in lower case.
    divisor : float
        What raw values are divided by.
    codes_from : float or None
        Raw values from here on mean "missing", "refused", "flagged" and the like, and are left out. None for the codes that are
        known for the column (`geolive.sources.survey.missing_codes`), if it is.
    without_recent_mothers : bool
        Leave out pregnant women and those with a birth in the last two months.
    """

    name: str
    column: str
    divisor: float = 1.0
    codes_from: float | None = None
    without_recent_mothers: bool = False


POV = Measure("pov", "hv271", 100_000, codes_from=99_999_990)
BMI = Measure("bmi", "v445", 100, codes_from=9_994, without_recent_mothers=True)


@dataclass(frozen=True)
class Recode:
    """A recode file's rows.

    Parameters
    ----------
    path : Path
    kind : Kind
    survey : str
        Country and phase, for example "IA7".
    cluster : array of int, shape (rows,)
    weight : array of float, shape (rows,)
    values : dict of str to array of float, shape (rows,)
        For each measure its value, NaN where a row has none.
    left_out : dict of str to dict
        For each measure how many rows have no value, by reason.
    design : dict of str to array of float, shape (rows,)
        `psu` and `stratum`, where the file has them; NaN where a row has none.
    """

    path: Path
    kind: Kind
    survey: str
    cluster: np.ndarray
    weight: np.ndarray
    values: dict[str, np.ndarray]
    left_out: dict[str, dict[str, int]]
    design: dict[str, np.ndarray] = field(default_factory=dict)


def read_recode(
    path: str | Path, measures: list[Measure], progress: Callable[[str], None] = lambda words: None
) -> Recode:
    """Read what is measured from a household recode (HR) or women's recode (IR).

    Measures whose column the file lacks are skipped. Women's body-mass index leaves out special codes (9994 and
    above), pregnant women (v213 is 1) and women with a birth in the last two months: fewer than 2 months from the last birth to
    the interview, as the DHS Program's own code counts them (v222, else b19_01, else v008 - b3_01). Unlike that code's
    national tables, it keeps every value below the special codes; DHS flags those under 12 and over 60 itself.

    Parameters
    ----------
    path : str or Path
        A file of Stata or SPSS; names of columns in either case.
    measures : list of Measure
    progress : callable, optional
        Called with a short text about the progress.

    Raises
    ------
    InputError
        The file cannot be read, is of another kind, or lacks a column.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "HR.dta"
    >>> rows = {"hv000": ["IA7"] * 2, "hv001": [1, 1], "hv005": [500_000, 1_500_000], "hv271": [100_000, -50_000]}
    >>> pd.DataFrame(rows).to_stata(path, write_index=False)
    >>> recode = read_recode(path, [POV])
    >>> recode.cluster.tolist(), recode.weight.tolist(), recode.values["pov"].tolist()
    ([1, 1], [0.5, 1.5], [1.0, -0.5])
    """
    path = Path(path)
    if not is_labelled(path):
        raise InputError(
            f"{path}: is not a file of Stata or SPSS; download the recode as 'Stata dataset', unzip it and give its .dta"
        )
    layout: list[_Layout] = []

    def choose(names: list[str]) -> list[str]:
        layout.append(_layout(path, names, measures))
        return [layout[0].header[name] for name in layout[0].wanted]

    progress("reading its columns")
    raw = read_labelled(path, choose).columns
    raw.columns = pd.Index(layout[0].wanted)
    kind, known, births, design = layout[0].kind, layout[0].known, layout[0].births, layout[0].design
    survey = _survey(path, raw, kind.survey)
    numbers = {name: _numbers(path, raw[name], name) for name in layout[0].wanted if name != kind.survey}
    cluster, weight = _clusters(path, numbers[kind.cluster], kind.cluster), numbers[kind.weight] / 1e6
    if not (weight > 0).any():
        raise InputError(
            f"{path}: column {kind.weight!r}: no row has a weight above 0, and means need weights; download the file again"
        )
    values, left_out = {}, {}
    for measure in known:
        values[measure.name], left_out[measure.name] = _measured(measure, numbers, weight, births)
    of_design = {name: numbers[column] for name, column in design.items()}
    return Recode(path, kind, survey, cluster, weight, values, left_out, of_design)


def cluster_means(cluster: np.ndarray, weight: np.ndarray, value: np.ndarray) -> pd.DataFrame:
    """Compute the weighted mean of each cluster, with the number of values and the standard error of the mean.

    The standard error is that of a ratio, by linearisation: the square root of n / (n - 1) · Σ w² (x - mean)², divided by Σ w,
    within the cluster (Cochran 1977, Sampling Techniques, 3rd ed.; Gatz and Smith 1995, Atmospheric Environment 29:1185, found
    it nearest to the bootstrap). With equal weights it is the standard deviation over √n. It knows of no variation
    between clusters, and there is none of a single value.

    Parameters
    ----------
    cluster : array of int, shape (rows,)
    weight : array of float, shape (rows,)
        Positive.
    value : array of float, shape (rows,)
        Finite.

    Returns
    -------
    DataFrame
        Index: cluster, ascending. Columns: `mean`, `n`, `se` (NaN where n is 1).

    Examples
    --------
    >>> cluster_means(np.array([1, 1, 2]), np.array([1.0, 3.0, 1.0]), np.array([0.0, 4.0, 5.0]))
       mean  n   se
    1   3.0  2  1.5
    2   5.0  1  NaN
    """
    ids, at = np.unique(cluster, return_inverse=True)
    n, total = np.bincount(at, minlength=len(ids)), np.bincount(at, weight, len(ids))
    mean = np.bincount(at, weight * value, len(ids)) / total
    spread = np.bincount(at, (weight * (value - mean[at])) ** 2, len(ids))
    with np.errstate(divide="ignore", invalid="ignore"):
        se = np.where(n > 1, np.sqrt(n / (n - 1) * spread) / total, np.nan)
    return pd.DataFrame({"mean": mean, "n": n, "se": se}, index=ids)


@dataclass(frozen=True)
class _Layout:
    """What a recode file has: its kind, its columns' names by their names in Stata, and which are wanted for what."""

    kind: Kind
    header: dict[str, str]
    known: list[Measure]
    births: list[str]
    design: dict[str, str]

    @property
    def wanted(self) -> list[str]:
        of_measures = [measure.column for measure in self.known]
        always = [self.kind.cluster, self.kind.weight, self.kind.survey]
        return list(dict.fromkeys([*always, *self.design.values(), *of_measures, *self.births]))


def _layout(path: Path, names: list[str], measures: list[Measure]) -> _Layout:
    # the Program's SPSS files have hv108$01 where those of Stata have hv108_01
    header = {name.lower().replace("$", "_"): name for name in names}
    kind = _kind(path, header)
    known = [measure for measure in measures if measure.column in header]
    births = _births_columns(path, header) if any(measure.without_recent_mothers for measure in known) else []
    design = {name: column for name, column in (("psu", kind.psu), ("stratum", kind.stratum)) if column in header}
    layout = _Layout(kind, header, known, births, design)
    require(path, list(header), layout.wanted)
    return layout


def _kind(path: Path, header: dict[str, str]) -> Kind:
    for column, words in _OTHER_FILES.items():
        if column in header:
            raise InputError(f"{path}: is a recode of {words}")
    for kind in (HOUSEHOLDS, WOMEN):
        if kind.cluster in header:
            return kind
    raise InputError(
        f"{path}: is not a DHS recode of households or women: it has neither column 'hv001' nor 'v001'; give the HR "
        "or IR file"
    )


def _survey(path: Path, raw: pd.DataFrame, column: str) -> str:
    """Return country and phase of the survey that all rows belong to."""
    if raw.empty:
        raise InputError(f"{path}: has no rows; download the file again")
    surveys = raw[column].astype(str).str.strip().str.upper().unique()
    if len(surveys) > 1:
        raise InputError(f"{path}: column {column!r} has several surveys: {', '.join(surveys[:5])}; give one at a time")
    return surveys[0]


def _births_columns(path: Path, header: dict[str, str]) -> list[str]:
    """Return v213 and the columns that show how long ago the last birth was."""
    for births in (["v222"], ["b19_01"], ["v008", "b3_01"]):
        if all(name in header for name in births):
            return ["v213", *births]
    raise InputError(f"{path}: has no column that shows when the last birth was (v222, b19_01, or v008 and b3_01)")


def _numbers(path: Path, column: pd.Series, name: str) -> np.ndarray:
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = (numbers.isna() & column.notna()) | np.isinf(numbers.to_numpy(float))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(f"{path}: row {row + 1}, column {name!r}: not a number {str(column.iloc[row])[:40]!r}")
    return numbers.to_numpy(float)


def _clusters(path: Path, numbers: np.ndarray, name: str) -> np.ndarray:
    wrong = ~((numbers == np.round(numbers)) & (numbers >= 0) & (numbers < 2**53))
    if wrong.any():
        raise InputError(f"{path}: row {int(np.argmax(wrong)) + 1}, column {name!r}: not the number of a cluster")
    return numbers.astype(np.int64)


def _measured(measure: Measure, numbers: dict, weight: np.ndarray, births: list[str]) -> tuple[np.ndarray, dict]:
    """Return the measure's values, NaN for rows that are left out, and the number of these rows for each reason."""
    raw = numbers[measure.column]
    reasons = {"no value": np.isnan(raw)}
    reasons["special code"] = (
        known_codes(measure.column, measure.column, raw) if measure.codes_from is None else raw >= measure.codes_from
    )
    if measure.without_recent_mothers:
        pregnant, *when = (numbers[name] for name in births)
        months = when[0] - when[1] if len(when) == 2 else when[0]
        reasons |= {"pregnant": pregnant == 1, "birth in the last two months": months < 2}
    reasons["no weight"] = ~(weight > 0)
    usable, counts = np.ones(len(raw), bool), {}
    for reason, rows in reasons.items():
        counts[reason] = int((usable & rows).sum())
        usable &= ~rows
    return np.where(usable, raw / measure.divisor, np.nan), counts
