"""Text from data, made safe to print at a terminal."""

import logging
import sys
import unicodedata
import warnings

# categories of Unicode without which every word can be read: control characters, formats (among them those that turn the
# direction of text), surrogates, line and paragraph separators
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# joiners shape words of Indic, Arabic and other scripts, and turn nothing
_JOINERS = {"\u200c", "\u200d"}
_LEFT_AS_IT_IS = {"\n", "\t"}


def clean(text: str) -> str:
    """Show each character that a terminal would act on as its code, and leave all others unchanged.

    Names and messages from data may hold escape sequences that set a terminal's title, clear its screen or hide text, and
    characters that turn the direction of text, so that a line reads otherwise than it is.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Control characters (but line feeds and tabs), escape, C1 controls, bidirectional overrides, invisible formats and
        surrogates stand as `\\\\x1b` or `\\\\u202e`.

    Examples
    --------
    >>> clean("Patna\\x1b]0;owned\\x07"), clean("Gaya\\u202e"), clean("पटना, İzmir")
    ('Patna\\\\x1b]0;owned\\\\x07', 'Gaya\\\\u202e', 'पटना, İzmir')
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


def _shown(letter: str) -> str:
    if letter in _LEFT_AS_IT_IS or letter in _JOINERS or unicodedata.category(letter) not in _UNSEEN:
        return letter
    code = ord(letter)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def as_unicode(name: object) -> str:
    """Return the name of a file as text that can be written as UTF-8.

    Where the locale is not UTF-8, or a name is in another encoding, Python holds its bytes as lone surrogates. Bytes that are
    UTF-8 become their letters; others become U+FFFD.

    Parameters
    ----------
    name : str or Path

    Examples
    --------
    >>> as_unicode("Ou\\udcc3\\udca9m\\udcc3\\udca9.csv"), as_unicode("patna.csv")
    ('Ouémé.csv', 'patna.csv')
    """
    text = str(name)
    try:
        text.encode("utf-8")
        return text
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape" if _all_escaped(text) else "replace").decode("utf-8", "replace")


def _all_escaped(text: str) -> bool:
    """Return whether all lone surrogates of a text stand for bytes."""
    return all(not "\ud800" <= letter <= "\udfff" or "\udc80" <= letter <= "\udcff" for letter in text)


def print_safely() -> None:
    """Clean what libraries print of data, and print all of Unicode wherever the terminal knows less.

    Examples
    --------
    >>> print_safely()
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if logging.lastResort is not None:  # what prints the warnings of libraries, GDAL's among them
        logging.lastResort.setFormatter(_CleanFormatter())
    format_warning = warnings.formatwarning
    warnings.formatwarning = lambda *args, **options: clean(format_warning(*args, **options))


class _CleanFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return clean(super().format(record))
