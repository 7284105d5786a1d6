"""Numbers that stand for "missing" in survey files: those known for a variable, and those that look so.

Sources: DHS Recode Manual (special codes of each variable), MICS tabulation syntax (flagged z-scores are 99.97 and above), and
the negative codes of LSMS files.
"""

import re
from dataclasses import dataclass

import numpy as np

# names of columns or indicators, and the range of their codes; ranges end where four digits do
_CODES: tuple[tuple[str, float, float], ...] = (
    # body-mass index with two implied decimals, and as a number with two decimals
    (r"m?v445|h[ab]40|\w*bmi\w*", 9_994, 9_999),
    (r"m?v445|h[ab]40|\w*bmi\w*", 99.94, 99.99),
    # wealth index factor score with five implied decimals, and as a number
    (r"hv271a?|m?v191a?|\w*wealth\w*|pov", 99_999_990, 99_999_999),
    (r"hv271a?|m?v191a?|\w*wealth\w*|pov", 999.9999, 999.99999),
    # weights and heights with one implied decimal
    (r"m?v43[78]|h[abc][23]|hw[23]", 9_994, 9_999),
    # z-scores of children's growth with two implied decimals, and as a number
    (r"h[cw]7[0-3]|h[cw][458]|hc1[01]|hw1[01]", 9_996, 9_999),
    (r"h[cw]7[0-3]|\w*(?:haz|waz|whz|baz)\d?", 99.96, 99.99),
    # haemoglobin with one implied decimal
    (r"m?v45[36]|h[abc]5[36]|hw5[36]", 994, 999),
    # members of a household, rooms, and the level of schooling of MICS
    (r"hh(?:11|48)|hc[23]", 97, 99),
    (r"(?:h|m|w|f)elevel\d?|ed[56]a", 8, 9),
    # years of schooling
    (r"hv108(?:_\d+)?|m?v133", 97, 99),
)
# what cannot be negative holds codes below 0
_NOT_NEGATIVE = re.compile(
    r"m?v445|h[ab]40|m?v43[78]|hv009|hv108(?:_\d+)?|m?v133|\w*(?:bmi|pop|height|income|expend|consum|school|rate|share|number)\w*",
    re.IGNORECASE,
)
_NEGATIVE_CODES = (-9.0, -99.0, -999.0, -9999.0, -99999.0, -999999.0)
# digits of codes: 9s, of which the last may be from 4 on, as in 9998 and 99.97
_LOOKS_LIKE_A_CODE = re.compile(r"-?9+(?:\.9+)?[4-9]?(?:\.0+)?|-?9+\.9*[4-9]")
_FAR = 10.0
_MOST_NAMED = 3


@dataclass(frozen=True)
class Suspicion:
    """Values of a column that lie far from all others, and may stand for "missing".

    Parameters
    ----------
    column : str
    values : tuple of str
        At most three, as the file writes them.
    rows : int
        Number of rows with such values.
    low, high : float
        Smallest and largest of the other values.
    """

    column: str
    values: tuple[str, ...]
    rows: int
    low: float
    high: float


def known_codes(column: str, indicator: str, values: np.ndarray) -> np.ndarray:
    """Return which values are known codes for "missing" of a variable.

    Parameters
    ----------
    column, indicator : str
        The name in the file, and the name that the user gave; either may be the name of a known variable.
    values : array of float, shape (n,)

    Returns
    -------
    array of bool, shape (n,)

    Examples
    --------
    >>> known_codes("v445", "thin", np.array([2150.0, 9998.0])).tolist()
    [False, True]
    >>> known_codes("women_bmi", "bmi", np.array([21.5, 99.98, -9999.0])).tolist()
    [False, True, True]
    >>> known_codes("income", "income", np.array([9998.0, -99.0])).tolist()
    [False, True]
    """
    found = np.zeros(len(values), bool)
    for name in dict.fromkeys((column, indicator)):
        for pattern, low, high in _CODES:
            if re.fullmatch(pattern, name, re.IGNORECASE):
                # a float of a Stata file has seven digits
                found |= (values >= low - 1e-5 * low) & (values <= high * (1 + 1e-7))
        if _NOT_NEGATIVE.fullmatch(name):
            found |= np.isin(values, _NEGATIVE_CODES)
    return found


def suspicious(column: str, texts: list[str], values: np.ndarray) -> Suspicion | None:
    """Return the values of a column that look like codes for "missing": they lie far from all others.

    Values look so where they are written in 9s (−999, 9998, 99.97) and lie ten times as far from the middle half of the values as
    that is wide, or where they lie a hundred times as far.

    Parameters
    ----------
    column : str
    texts : list of str
        As the file writes the values.
    values : array of float, shape (n,)
        NaN where a value is missing.

    Examples
    --------
    >>> values = np.array([0.1, 0.5, -0.3, 0.2, -999.0])
    >>> suspicious("score", ["0.1", "0.5", "-0.3", "0.2", "-999"], values).values
    ('-999',)
    """
    there = np.isfinite(values)
    if there.sum() < 3:
        return None
    first, third = np.percentile(values[there], [25, 75])
    width = max(third - first, 1e-3 * max(abs(first), abs(third)), 1e-9)
    away = np.where(there, np.maximum(first - values, values - third) / width, 0)
    coded = np.array([bool(_LOOKS_LIKE_A_CODE.fullmatch(text.strip())) for text in texts])
    far = (coded & (away > _FAR)) | (away > _FAR**2)
    # where much is far, it is how the values are spread
    if not far.any() or far.sum() > 0.25 * there.sum():
        return None
    named = tuple(dict.fromkeys(texts[i].strip() for i in np.flatnonzero(far)))[:_MOST_NAMED]
    others = values[there & ~far]
    return Suspicion(column, named, int(far.sum()), float(others.min()), float(others.max()))
