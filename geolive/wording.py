"""Numbers and counts as people read them: in messages, at the terminal and on pages."""

import math


def count_of(number: int, noun: str, plural: str | None = None) -> str:
    """A count with its noun, in the singular for 1, with separators between thousands.

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


def number_text(value: float, digits: int = 3) -> str:
    """A number with a given number of significant digits, never with an exponent.

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
