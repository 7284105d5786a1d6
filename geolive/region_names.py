"""Names of regions in any script: how a user's spelling finds the name in a file."""

import difflib
import re
import unicodedata
from collections.abc import Iterable

from geolive.errors import InputError

# other spellings of India's states
_ALIASES = {
    "orissa": "odisha",
    "uttaranchal": "uttarakhand",
    "pondicherry": "puducherry",
    "newdelhi": "delhi",
    "nctofdelhi": "delhi",
    "nationalcapitalterritoryofdelhi": "delhi",
    "chattisgarh": "chhattisgarh",
    "chhatisgarh": "chhattisgarh",
    "telengana": "telangana",
    "tamilnad": "tamilnadu",
    "bengal": "westbengal",
    "jammukashmir": "jammuandkashmir",
    "jandk": "jammuandkashmir",
    "andamannicobarislands": "andamanandnicobarislands",
    "andamanandnicobar": "andamanandnicobarislands",
    "dadraandnagarhaveli": "dadraandnagarhavelianddamananddiu",
    "damananddiu": "dadraandnagarhavelianddamananddiu",
    "up": "uttarpradesh",
    "mp": "madhyapradesh",
    "ap": "andhrapradesh",
    "tn": "tamilnadu",
    "wb": "westbengal",
}
# letters that Unicode does not take for another with a mark
_LETTERS = str.maketrans(
    {"đ": "d", "ð": "d", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "ı": "i", "þ": "th", "ħ": "h", "ŧ": "t", "ŋ": "ng"}
)
# accents, and the vowel signs of Arabic that are left out as often as not; the vowel signs of Indic scripts are letters
_ACCENTS = re.compile("[\u0300-\u036f\u064b-\u065f\u0670]")
_WORDS = {"AND": "and", "OF": "of", "NTR": "NTR", "SAS": "SAS", "YSR": "YSR"}


def match_name(text: str, names: Iterable[str], complaint: str) -> str:
    """Find the name that a user means; case, spacing, accents, punctuation and ampersands do not matter.

    Parameters
    ----------
    text : str
    names : iterable of str
        The names of a file. They come before the other spellings of India's states that are known here.
    complaint : str
        Words for the message where there is no such name.

    Raises
    ------
    InputError
        There is no such name (the message lists the nearest ones), or several names differ only in what does not matter.

    Examples
    --------
    >>> match_name("DAK LAK", ["Đắk Lắk", "Đắk Nông"], "no such province")
    'Đắk Lắk'
    >>> match_name("四川", ["四川省", "云南省"], "no such province")
    Traceback (most recent call last):
    geolive.errors.InputError: region='四川': no such province; nearest: 四川省
    """
    names = sorted(set(names))
    if text in names:
        return text
    by_plain: dict[str, list[str]] = {}
    for name in names:
        by_plain.setdefault(plain_name(name), []).append(name)
    by_plain.pop("", None)
    wanted = plain_name(text)
    wanted = wanted if wanted in by_plain else _ALIASES.get(wanted, wanted)
    found = by_plain.get(wanted, [])
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"region={text!r}: names {' and '.join(found)}; write one of them exactly", parameter="region")
    near = difflib.get_close_matches(wanted, by_plain, n=3, cutoff=0.5) or sorted(by_plain)[:3]
    shown = ", ".join(name for plain in near for name in by_plain[plain])
    raise InputError(f"region={text!r}: {complaint}; nearest: {shown or 'none'}", parameter="region")


def plain_name(name: str) -> str:
    """Return a name without case, accents, spaces and punctuation, in any script.

    Examples
    --------
    >>> plain_name("Île-de-France"), plain_name("Jammu & Kashmir"), plain_name("बिहार") == plain_name("बहार")
    ('iledefrance', 'jammuandkashmir', False)
    """
    decomposed = unicodedata.normalize("NFKD", name.casefold().replace("&", "and")).casefold()
    letters = _ACCENTS.sub("", decomposed).translate(_LETTERS)
    return "".join(letter for letter in letters if unicodedata.category(letter)[0] in "LMN")


def other_spellings(names: Iterable[str]) -> dict[str, str]:
    """Return the other spellings of names that are known here, each with the name; both as `plain_name` writes them.

    Examples
    --------
    >>> other_spellings(["Odisha", "Goa"])
    {'orissa': 'odisha'}
    """
    plain = {plain_name(name) for name in names}
    return {other: name for other, name in _ALIASES.items() if name in plain}


def title_case(name: str) -> str:
    """Write a name of capitals in title case, and remove carriage returns that a spreadsheet left behind.

    Examples
    --------
    >>> title_case("KAIMUR (BHABUA)"), title_case("JAMMU AND KASHMIR")
    ('Kaimur (Bhabua)', 'Jammu and Kashmir')
    """
    name = re.sub(r"_x000D_|\s+", " ", name).strip()
    words = re.sub(r"[^\W\d_]+", lambda word: _WORDS.get(word[0].upper(), word[0].capitalize()), name)
    return words[:1].upper() + words[1:]
