"""Languages of the map page: catalogues of words, and the forms of numbers, plurals and dates."""

import datetime
import functools
import json
import math
import re
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from geolive.errors import InputError
from geolive.phrases import Decimal, Percent, Phrase

LANGUAGES = ("en", "hi", "fr")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
# a language tag as in `<html lang>` (BCP 47), in its simple forms
_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_FORMS = ("one", "other")


@dataclass(frozen=True)
class Language:
    """The words of a language, and how it writes numbers and dates.

    `open_language` reads it from a catalogue.

    Parameters
    ----------
    tag : str
        Language tag, for example "hi".
    direction : {"ltr", "rtl"}
        Whether it is written from left to right.
    decimal, group : str
        The sign before the decimals, and the one between groups of digits.
    grouping : tuple of int
        Digits in the last group, and in each group before it: (3, 2) gives 1,00,000.
    percent, date : str
        Patterns of percentages ("{number} %") and dates ("{day}/{month}/{year}").
    singular : tuple of int
        The whole numbers that take the form "one" of a word.
    words : dict of str to str or dict
        Texts by their keys; texts that depend on a number have the forms "one" and "other".
    hexagons : tuple of (str, str)
        What stands for "district" in its forms, and what to write in its place where the areas of a map are hexagons, in order.

    Examples
    --------
    >>> hindi = open_language("hi")
    >>> hindi.number(1234567.5, 1)
    '12,34,567.5'
    """

    tag: str
    direction: str
    decimal: str
    group: str
    grouping: tuple[int, ...]
    percent: str
    date: str
    singular: tuple[int, ...]
    words: dict[str, Any]
    hexagons: tuple[tuple[str, str], ...] = ()

    def text(self, key: str, /, **values: Any) -> str:
        """Write the text of a key with values in its placeholders.

        Parameters
        ----------
        key : str
        **values
            As in `geolive.phrases.Phrase`; `count` decides the plural form.

        Examples
        --------
        >>> open_language("fr").text("counts.sites", count=1), open_language("fr").text("counts.sites", count=2)
        ('1 site', '2 sites')
        """
        words = self.words[key]
        if isinstance(words, dict):
            words = words["one" if values["count"] in self.singular else "other"]
        # what is put in is never read as a template
        return _PLACEHOLDER.sub(lambda match: self._value(values[match[1]]), words)

    def of(self, text: str) -> str:
        """Write a phrase in this language; any other text stays as it is.

        Examples
        --------
        >>> open_language("fr").of(phrase("counts.images", count=1200))
        '1\\u202f200 images'
        >>> open_language("fr").of("Patna")
        'Patna'
        """
        if not isinstance(text, Phrase):
            return text
        if not text.key:
            return " ".join(self.of(part) for part in text.parts)
        return self.text(text.key, **text.values)

    def number(self, value: float, digits: int = 0) -> str:
        """Write a number with some decimals, groups of digits and a true minus sign.

        Examples
        --------
        >>> open_language("fr").number(-1234.5, 1)
        '−1\\u202f234,5'
        """
        rounded = round(float(value), digits) + 0.0
        whole, _, decimals = f"{abs(rounded):.{digits}f}".partition(".")
        sign = "\N{MINUS SIGN}" if rounded < 0 else ""
        grouped = self._grouped(whole) if math.isfinite(rounded) else whole
        return sign + grouped + (self.decimal + decimals if decimals else "")

    def share(self, share: float) -> str:
        """Write a share of 1 in percent, with a decimal where it has one.

        Examples
        --------
        >>> open_language("en").share(0.9), open_language("hi").share(0.125)
        ('90 %', '12.5%')
        """
        percent = round(100 * share, 1)
        number = self.number(percent, 0 if percent == round(percent) else 1)
        return self.percent.replace("{number}", number)

    def day(self, day: datetime.date) -> str:
        """Write a date.

        Examples
        --------
        >>> open_language("en").day(datetime.date(2026, 1, 2)), open_language("fr").day(datetime.date(2026, 1, 2))
        ('2026-01-02', '02/01/2026')
        """
        parts = {"day": f"{day.day:02}", "month": f"{day.month:02}", "year": str(day.year)}
        return _PLACEHOLDER.sub(lambda match: parts[match[1]], self.date)

    def words_of(self, group: str) -> dict[str, Any]:
        """Return the words of a group of keys without the group's name, for the page's script.

        Examples
        --------
        >>> open_language("en").words_of("script")["districts"]
        'districts'
        """
        return {key.removeprefix(f"{group}."): text for key, text in self.words.items() if key.startswith(f"{group}.")}

    def of_hexagons(self) -> "Language":
        """Return the language with words for hexagons in place of districts; names of sources stay as they are.

        Examples
        --------
        >>> open_language("en").of_hexagons().text("counts.districts", count=3)
        '3 hexagons'
        >>> open_language("fr").of_hexagons().text("says.no_survey")
        "L'enquête n'a aucun lieu dans cet hexagone."
        """

        def changed(text: Any) -> Any:
            if isinstance(text, dict):
                return {form: changed(each) for form, each in text.items()}
            pieces = re.split(r"(\{\w+\})", text)
            for district, hexagon in self.hexagons:
                # placeholders keep their names
                pieces[::2] = [piece.replace(district, hexagon) for piece in pieces[::2]]
            return "".join(pieces)

        return replace(
            self, words={key: text if key.startswith("source.") else changed(text) for key, text in self.words.items()}
        )

    def _grouped(self, whole: str) -> str:
        groups, sizes = [], list(self.grouping)
        while whole:
            size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
            whole, group = whole[:-size], whole[-size:]
            groups.append(group)
        return self.group.join(reversed(groups))

    def _value(self, value: Any) -> str:
        if isinstance(value, Decimal):
            return self.number(*value)
        if isinstance(value, Percent):
            return self.share(value.share)
        if isinstance(value, datetime.date):
            return self.day(value)
        if isinstance(value, (list, tuple)):
            return self.words["page.comma"].join(self._value(each) for each in value)
        if isinstance(value, str):
            return self.of(value)
        return self.number(value)


def phrase(key: str, /, **values: Any) -> Phrase:
    """Write a text of the English catalogue that can be written in another language later.

    Parameters
    ----------
    key : str
        In the catalogues.
    **values
        As in `geolive.phrases.Phrase`.

    Examples
    --------
    >>> phrase("counts.sites", count=1200)
    '1,200 sites'
    """
    return Phrase(open_language("en").text(key, **values), key, values)


def phrase_of(text: str, *keys: str) -> str:
    """Find which of some texts of the English catalogue a plain text is; it comes back as a phrase, or else as it is.

    Parameters
    ----------
    text : str
        As a file keeps it.
    *keys : str
        Keys whose placeholders stand for texts; the first that fits is taken.

    Examples
    --------
    >>> phrase_of("survey.shp; cleaned by geolive", "source.cleaned").values
    {'source': 'survey.shp'}
    """
    if isinstance(text, Phrase):
        return text
    for key in keys:
        pieces = _PLACEHOLDER.split(open_language("en").words[key])
        pattern = "".join(f"(?P<{piece}>.+)" if i % 2 else re.escape(piece) for i, piece in enumerate(pieces))
        if found := re.fullmatch(pattern, text):
            return phrase(key, **found.groupdict())
    return text


def open_language(name: "str | Path | Language") -> Language:
    """Open the catalogue of a language.

    Parameters
    ----------
    name : str, Path or Language
        "en", "hi", "fr", or the path of a catalogue of one's own: a JSON file as those in `geolive/words`. One that has a
        `base` takes from that language what it does not have.

    Returns
    -------
    Language

    Raises
    ------
    InputError
        There is no such language or file, or the catalogue has other keys, placeholders or forms than the English one.

    Examples
    --------
    >>> open_language("hi").tag
    'hi'
    >>> open_language("klingon")
    Traceback (most recent call last):
    geolive.errors.InputError: language='klingon': must be en, hi, fr, or the name of a .json file of words
    """
    if isinstance(name, Language):
        return name
    if str(name) in LANGUAGES:
        return _built_in(str(name))
    path = Path(name)
    if path.suffix.lower() != ".json":
        raise InputError(
            f"language={str(name)!r}: must be {', '.join(LANGUAGES)}, or the name of a .json file of words",
            parameter="language",
        )
    try:
        catalogue = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the name", parameter="language") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not a JSON file ({error})", parameter="language") from error
    return _checked(catalogue, str(path))


@functools.cache
def _built_in(tag: str) -> Language:
    text = resources.files("geolive").joinpath("words", f"{tag}.json").read_text(encoding="utf-8")
    return _language(json.loads(text))


def _language(catalogue: dict[str, Any]) -> Language:
    return Language(
        tag=catalogue["language"],
        direction=catalogue["direction"],
        decimal=catalogue["decimal"],
        group=catalogue["group"],
        grouping=tuple(catalogue["grouping"]),
        percent=catalogue["percent"],
        date=catalogue["date"],
        singular=tuple(catalogue["singular"]),
        words=catalogue["words"],
        hexagons=tuple((district, hexagon) for district, hexagon in catalogue["hexagons"]),
    )


def _checked(catalogue: Any, path: str) -> Language:
    """Check a user's catalogue against the English one."""

    def wrong(words: str) -> InputError:
        return InputError(f"{path}: {words}", parameter="language")

    if not isinstance(catalogue, dict) or not isinstance(catalogue.get("words"), dict):
        raise wrong('give an object with "language" and "words", as in the catalogues of geolive/words')
    base = catalogue.pop("base", None)
    if base not in (None, *LANGUAGES):
        raise wrong(f'"base" is {base!r}; it must be one of {", ".join(LANGUAGES)}')
    english = _built_in("en")
    whole = json.loads(resources.files("geolive").joinpath("words", f"{base or 'en'}.json").read_text(encoding="utf-8"))
    other = set(catalogue) - set(whole)
    if other:
        raise wrong(f"has {min(other)!r}; it may have {', '.join(whole)} and base")
    unknown = set(catalogue["words"]) - set(english.words)
    if unknown:
        raise wrong(f'"words" has {min(unknown)!r}, which is no key of the English catalogue')
    missing = set(english.words) - set(catalogue["words"])
    if missing and base is None:
        raise wrong(
            f'"words" lacks {len(missing)} of {len(english.words)} keys, first {min(missing)!r}; translate them, or add '
            '"base": "en", from which missing words are taken'
        )
    for key, text in catalogue["words"].items():
        problem = _word_problem(text, english.words[key])
        if problem:
            raise wrong(f"{key!r} {problem}")
    catalogue = whole | catalogue | {"words": whole["words"] | catalogue["words"]}
    problem = _form_problem(catalogue)
    if problem:
        raise wrong(problem)
    return _language(catalogue)


def _word_problem(text: Any, english: Any) -> str:
    """Say what is wrong with a text of a user's catalogue; empty where nothing is."""
    if isinstance(english, dict):
        if not isinstance(text, dict) or set(text) != set(_FORMS) or not all(isinstance(t, str) for t in text.values()):
            return 'depends on a number: give the two forms {"one": TEXT, "other": TEXT}'
        wanted = _placeholders(english["other"])
        # "one site" may say its number in words
        found = _placeholders(text["one"]) | {"count"} | _placeholders(text["other"])
        return _placeholder_problem(_placeholders(text["other"]), wanted) or _placeholder_problem(found, wanted)
    if not isinstance(text, str):
        return "must be a text"
    return _placeholder_problem(_placeholders(text), _placeholders(english))


def _placeholders(text: str) -> set[str]:
    return set(_PLACEHOLDER.findall(text))


def _placeholder_problem(found: set[str], wanted: set[str]) -> str:
    if missing := wanted - found:
        return f"lacks the placeholder {{{min(missing)}}}"
    if other := found - wanted:
        return f"has the placeholder {{{min(other)}}}, which the English text does not have"
    return ""


def _form_problem(catalogue: dict[str, Any]) -> str:
    """Say what is wrong with the forms of a language; empty where nothing is."""
    if not isinstance(catalogue["language"], str) or not _TAG.fullmatch(catalogue["language"]):
        return f'"language" is {catalogue["language"]!r}; give a language tag, for example "sw" or "pt-BR"'
    if catalogue["direction"] not in ("ltr", "rtl"):
        return f'"direction" is {catalogue["direction"]!r}; it must be "ltr" or "rtl"'
    for name, needed in {"percent": {"number"}, "date": {"day", "month", "year"}}.items():
        if not isinstance(catalogue[name], str) or _placeholders(catalogue[name]) != needed:
            return f'"{name}" must be a text with {", ".join(f"{{{each}}}" for each in sorted(needed))}'
    for name in ("decimal", "group"):
        if not isinstance(catalogue[name], str) or len(catalogue[name]) > 1 or catalogue[name].isdigit():
            return f'"{name}" must be one character'
    for name, least in {"grouping": 1, "singular": 0}.items():
        numbers = catalogue[name]
        if not isinstance(numbers, list) or not all(type(n) is int and n >= least for n in numbers):
            return f'"{name}" must be a list of whole numbers'
    pairs = catalogue["hexagons"]
    if not isinstance(pairs, list) or not all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) and text for text in pair)
        for pair in pairs
    ):
        return '"hexagons" must be a list of pairs: a text with "district", and the same with "hexagon"'
    return "" if catalogue["grouping"] else '"grouping" must not be empty'
