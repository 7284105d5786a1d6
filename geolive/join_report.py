"""Compare the names of districts in a survey or a table with those in a file of boundaries: which join, and which do not."""

import difflib
from collections.abc import Sequence

import geopandas as gpd
import pandas as pd

from geolive.region_names import plain_name

MATCHED, SPELLED, NEAR, UNMATCHED, AMBIGUOUS, UNUSED = (
    "matched",
    "other spelling",
    "near",
    "unmatched",
    "ambiguous",
    "without rows",
)
COLUMNS = ("status", "name", "rows", "districts")
# how alike two names are, from 0 to 1, so that one may be a misspelling of the other
_ALIKE = 0.75
_MOST_NEAR = 3
# each search compares a name with all others
_MOST_SEARCHED = 500


def join_report(names: Sequence[str | None], districts: gpd.GeoDataFrame, level: str = "district") -> pd.DataFrame:
    """List which names are those of districts, and which are not, with the names that they may mean.

    Parameters
    ----------
    names : sequence of str or None
        The names, or the districts' ids, that rows of a survey or table have.
    districts : GeoDataFrame
        `district_id`, `district`, `state`, as `geolive.boundary_files.read_boundaries` gives them.
    level : {"district", "state"}
        Whether the names are of districts or of states.

    Returns
    -------
    DataFrame
        One name in each row. `status`: "matched" (an id or a name of the file, letter by letter), "other spelling" (the
        same but for case, accents, spaces and punctuation), "near" (nearly the same letters), "unmatched", "ambiguous"
        (several districts have the name), and "without rows" for districts of the file that no row names. `name`;
        `rows` with it; `districts`, the names of the file that it is, or may be.

    Examples
    --------
    >>> import shapely
    >>> table = {"district_id": ["1", "2", "3"], "district": ["Ouémé", "Zou", "Mono"], "state": ""}
    >>> districts = gpd.GeoDataFrame(table, geometry=[shapely.box(i, 0, i + 1, 1) for i in range(3)], crs=4326)
    >>> report = join_report(["OUEME", "Zou", "Zou", "Monno", "Paris"], districts)
    >>> print("\\n".join(line.rstrip() for line in report.to_string().splitlines()))
               status   name  rows districts
    0  other spelling  OUEME     1     Ouémé
    1            near  Monno     1      Mono
    2       unmatched  Paris     1
    3         matched    Zou     2       Zou
    4    without rows   Mono     0      Mono
    """
    column = "state" if level == "state" else "district"
    counts = pd.Series([name for name in names if isinstance(name, str) and name.strip()], dtype=object).value_counts()
    ids = {} if level == "state" else dict(zip(districts["district_id"].astype(str), districts[column], strict=True))
    known = [str(name) for name in districts[column] if str(name)]
    of_name: dict[str, int] = pd.Series(known, dtype=object).value_counts().to_dict()
    by_plain: dict[str, list[str]] = {}
    for name in of_name:
        by_plain.setdefault(plain_name(name), []).append(name)
    by_plain.pop("", None)
    rows, searched = [], 0
    for name, n in counts.sort_index().items():
        status, found = _match(str(name), ids, of_name, by_plain, level)
        if status == UNMATCHED and searched < _MOST_SEARCHED:
            searched += 1
            found = _near(str(name), by_plain)
            status = NEAR if found else UNMATCHED
        rows.append((status, str(name), int(n), found))
    used = {name for status, _, _, found in rows if status != NEAR for name in found}
    rows += [(UNUSED, name, 0, [name]) for name in sorted(of_name) if name not in used]
    order = {status: i for i, status in enumerate((AMBIGUOUS, SPELLED, NEAR, UNMATCHED, MATCHED, UNUSED))}
    rows.sort(key=lambda row: (order[row[0]], row[1]))
    return pd.DataFrame([(status, name, n, "; ".join(found)) for status, name, n, found in rows], columns=list(COLUMNS))


def _match(
    name: str, ids: dict[str, str], of_name: dict[str, int], by_plain: dict[str, list[str]], level: str
) -> tuple[str, list[str]]:
    """Return how a name is in the file, and the names there."""
    if name in ids:
        return MATCHED, [ids[name]]
    if name in of_name:
        # several districts have one state
        return (MATCHED if of_name[name] == 1 or level == "state" else AMBIGUOUS), [name]
    alike = by_plain.get(plain_name(name), [])
    if not alike:
        return UNMATCHED, []
    once = len(alike) == 1 and (of_name[alike[0]] == 1 or level == "state")
    return (SPELLED if once else AMBIGUOUS), alike


def _near(name: str, by_plain: dict[str, list[str]]) -> list[str]:
    close = difflib.get_close_matches(plain_name(name), by_plain, n=_MOST_NEAR, cutoff=_ALIKE)
    return [spelling for plain in close for spelling in by_plain[plain]]
