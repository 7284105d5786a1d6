"""Numbers and counts as people read them: in messages, at the terminal and on pages."""

import math

import numpy as np


def count_of(number: int, noun: str, plural: str | None = None) -> str:
    """Write a count with its noun, in the singular for 1, with separators between thousands.

    Parameters
    ----------
    number : int
    noun : str
        In the singular.
    plural : str, optional
        Where it is not the noun with an s.

    Examples
    --------
    >>> count_of(1, "site"), count_of(2654, "cluster"), count_of(3, "country", "countries")
    ('1 site', '2,654 clusters', '3 countries')
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def significant(number: float, digits: int, sign: str = "") -> str:
    """Write a number with so many significant digits; a large one is whole, with separators between thousands.

    Parameters
    ----------
    number : float
    digits : int
    sign : {"", "+"}
        "+" also writes the sign of a positive number.

    Examples
    --------
    >>> significant(0.012345, 3), significant(2031.4, 3), significant(0.5, 2, "+")
    ('0.0123', '2,031', '+0.5')
    """
    whole = abs(number) >= 10**digits - 0.5
    return format(number, f"{sign},.0f" if whole else f"{sign}.{digits}g")


def listed(words: list[str], most: int) -> str:
    """List at most some words, and say how many others there are.

    Parameters
    ----------
    words : list of str
    most : int
        Number of words to list.

    Examples
    --------
    >>> listed(["Gaya", "Patna", "Nalanda"], 2), listed(["Gaya", "Patna"], 2)
    ('Gaya, Patna and 1 more', 'Gaya, Patna')
    """
    shown = ", ".join(words[:most])
    return f"{shown} and {len(words) - most:,} more" if len(words) > most else shown


def number_text(value: float, digits: int = 3) -> str:
    """Write a number with a given number of significant digits, never with an exponent.

    Parameters
    ----------
    value : float
    digits : int
        Significant digits; digits before the decimal point are all kept.

    Examples
    --------
    >>> number_text(1543.2), number_text(25.649), number_text(-0.04213), number_text(0.0), number_text(float("nan"))
    ('1,543', '25.6', '-0.0421', '0', '–')
    """
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0)
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def decimal_text(value: float, digits: int) -> str:
    """Write a number with a given number of decimals, thousands separators and a true minus sign.

    Examples
    --------
    >>> decimal_text(-1234.567, 1), decimal_text(-0.001, 2)
    ('−1,234.6', '0.00')
    """
    return f"{round(float(value), digits) + 0.0:,.{digits}f}".replace("-", "\N{MINUS SIGN}")


def decimals_to_show(values: np.ndarray) -> int:
    """Return the number of decimals that distinguish values by about a hundredth of their spread.

    Parameters
    ----------
    values : array of float
        NaN are left out.

    Examples
    --------
    >>> decimals_to_show(np.array([-1.2, 0.9])), decimals_to_show(np.array([100.0, 1800.0]))
    (2, 0)
    """
    finite = np.asarray(values, float)[np.isfinite(values)]
    spread = np.ptp(finite) if finite.size else 0
    size = spread or np.abs(finite).max(initial=0)
    return int(np.clip(2 - np.floor(np.log10(size)), 0, 6)) if size > 0 else 0


def percent_text(share: float) -> str:
    """Write a share of 1 in percent.

    Examples
    --------
    >>> percent_text(0.9), percent_text(0.1234)
    ('90 %', '12.3 %')
    """
    return f"{round(100 * share, 1):g} %"
