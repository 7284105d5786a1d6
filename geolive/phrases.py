"""Texts for readers that remember how they were made, so that they can be written in another language."""

from collections.abc import Sequence
from typing import Any, NamedTuple


class Decimal(NamedTuple):
    """A number inside a phrase, with the decimals to show.

    Parameters
    ----------
    value : float
    digits : int
        Decimals.
    """

    value: float
    digits: int


class Percent(NamedTuple):
    """A share inside a phrase, which is written in percent.

    Parameters
    ----------
    share : float
        0 to 1.
    """

    share: float


class Phrase(str):
    """An English text that knows its key in the catalogues of words, and the values in it.

    It is a plain text wherever one is expected. `geolive.languages.phrase` makes it, and `Language.of` writes it in another
    language.

    Parameters
    ----------
    text : str
        The text in English.
    key : str
        Its key in the catalogues; empty for several texts in a row.
    values : dict
        What stands for its placeholders: texts, whole numbers, `Decimal`, `Percent`, dates, other phrases, or lists of them.
    parts : sequence of str
        The texts in a row.

    Examples
    --------
    >>> Phrase("Hello", "greeting") == "Hello"
    True
    """

    key: str
    values: dict[str, Any]
    parts: tuple[str, ...]

    def __new__(
        cls, text: str, key: str = "", values: dict[str, Any] | None = None, parts: Sequence[str] = ()
    ) -> "Phrase":
        """Make the text, and keep what it was made of."""
        made = super().__new__(cls, text)
        made.key, made.values, made.parts = key, values or {}, tuple(parts)
        return made


def sentences(*texts: str) -> Phrase:
    """Join texts with spaces; those that are phrases can still be written in another language. Empty ones are left out.

    Examples
    --------
    >>> sentences("One.", "", "Two.")
    'One. Two.'
    """
    kept = [text for text in texts if text]
    return Phrase(" ".join(kept), parts=kept)
