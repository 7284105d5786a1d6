"""What the value labels of Stata and SPSS files say of a code: that it stands for "missing", or for urban or rural."""

import re
import unicodedata

# answers that are no value, as DHS, MICS and LSMS files label them, without accents, in English, French, Spanish and Portuguese
_MISSING = re.compile(
    r"missing(?: (?:values?|data|information|cases?))?|system missing|d\.?k\.?|n\.?r\.?|n\.?s\.?p\.?|n\.?a\.?|n/a|"
    r"do(?: no|n'?)t know|does(?: no|n'?)t know|don t know|unknown|not known|no (?:response|answer|information|data)|"
    r"not (?:stated|reported|answered|available|determined|applicable|measured|recorded|specified)|"
    r"inapplicable|inconsistent(?: (?:response|answer|data))?|refused?(?: to answer)?|flagged(?: cases?)?|"
    r"out of plausible limits|implausible(?: value)?|invalid(?: value)?|outlier|"
    r"ne sai[st] pas|manquante?s?|valeurs? manquantes?|non (?:declare|reponse|specifie|applicable|connu|mesure)e?s?|"
    r"pas de reponse|sans reponse|inconnue?s?|refus(?:e de repondre)?|incoherente?s?|"
    r"no sabe|no responde|no contesta|sin (?:respuesta|informacion|dato)|omitid[oa]|perdid[oa]|desconocid[oa]|inconsistente|"
    r"no aplica(?:ble)?|ns/nr|nao sabe|nao (?:responde(?:u)?|declarad[oa]|aplicavel)|sem (?:resposta|informacao)|ignorad[oa]|"
    r"omiss[oa]|em falta"
)
# what stands between two such answers in one label, and a code that the label repeats before them
_BETWEEN = re.compile(r"\s*(?:/|,|;|\bor\b|\bou\b|\bo\b|&|\band\b)\s*")
_CODE = re.compile(r"\s*-?[0-9]+(?:\.[0-9]+)?\s*[.:=)-]*\s*")
_URBAN, _RURAL = re.compile(r"urb"), re.compile(r"rur")


def means_missing(label: str) -> bool:
    """Return whether a value label says that the code is no answer.

    Examples
    --------
    >>> [means_missing(label) for label in ("Missing/DK", "Don't know", "9. Manquant", "None", "Missing teeth")]
    [True, True, True, False, False]
    """
    text = _plain(label)
    if _MISSING.fullmatch(text):
        return True
    parts = [part for part in _BETWEEN.split(text) if part]
    return bool(parts) and all(_MISSING.fullmatch(part) for part in parts)


def urban_or_rural(label: str) -> bool | None:
    """Return True where a value label names a kind of urban place, False for a rural one, and None for any other.

    Examples
    --------
    >>> urban_or_rural("Urbain"), urban_or_rural("2 Rural with road"), urban_or_rural("Camp")
    (True, False, None)
    """
    text = _plain(label)
    if _URBAN.match(text):
        return True
    return False if _RURAL.match(text) else None


def _plain(label: str) -> str:
    """Return the label in small letters without accents, brackets around it, and the code that it may begin with."""
    decomposed = unicodedata.normalize("NFKD", label.casefold().replace("’", "'"))
    text = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    text = " ".join(text.split()).strip(" .()[]<>*")
    without = _CODE.sub("", text, count=1) if _CODE.match(text) else text
    return without or text
