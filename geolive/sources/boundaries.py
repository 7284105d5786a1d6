"""Fetch the districts of any country from geoBoundaries, and keep them between runs.

geoBoundaries (Runfola et al. 2020, PLoS ONE 15(4): e0231866, https://www.geoboundaries.org) says for each country and level
where its file is, who drew the borders and under which licence. Nothing that comes from the network is trusted: addresses are
https, answers are bounded in size and time, and what is not districts is refused.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely

from geolive.errors import InputError
from geolive.files import cache_folder, check_new_folder, checksum, replacing, today
from geolive.sources.download import check_address, download

API = "https://www.geoboundaries.org/api/current/gbOpen"
_LEVELS = range(6)
_MOST_FACTS = 1_000_000
_MOST_BOUNDARIES = 300_000_000
_FACTS = (
    "boundaryID",
    "boundaryName",
    "boundaryISO",
    "boundaryType",
    "boundaryYearRepresented",
    "boundarySource",
    "boundarySourceURL",
    "boundaryLicense",
    "licenseDetail",
    "licenseSource",
    "sourceDataUpdateDate",
    "buildDate",
)
_LONGEST_FACT = 500
_OTHERWISE = "without a network, get a file of districts elsewhere and name it with predict(boundaries='FILE')"
_NOT_EXPECTED = (
    "not as geoBoundaries answers; get the file from its website and name it with predict(boundaries='FILE')"
)


@dataclass(frozen=True)
class Boundaries:
    """A file of districts and its source.

    Parameters
    ----------
    path : Path
    n_districts : int
    source, licence : str
        As geoBoundaries states them.
    year : str
        The year that the borders are of, as geoBoundaries states it.
    from_cache : bool
        Whether it was kept from an earlier run.
    """

    path: Path
    n_districts: int
    source: str
    licence: str
    year: str
    from_cache: bool


def fetch_boundaries(
    country: str,
    level: int,
    out: str | Path,
    simplified: bool = False,
    refresh: bool = False,
    api: str = API,
) -> Boundaries:
    """Write the districts of a country as GeoJSON, for `find_region(..., boundaries=out)`.

    Parameters
    ----------
    country : str
        ISO 3166-1 code of three letters, such as KEN, in any case.
    level : int
        0 the country, 1 its states or provinces, 2 its districts, up to 5.
    out : str or Path
        A .geojson file that does not exist. It has geoBoundaries' features unchanged (`shapeName`, `shapeID`, EPSG:4326), and
        the top-level members `description` (source and licence in a sentence) and `geoBoundaries` (what it says of the file).
    simplified : bool
        Take the version with fewer vertices.
    refresh : bool
        Ask the network even where the file is kept from an earlier run.
    api : str
        Base address.

    Returns
    -------
    Boundaries

    Raises
    ------
    InputError
        No such country or level, no network (the message names the way without), or an answer that cannot be used.

    Examples
    --------
    >>> fetch_boundaries("Kenya", 2, "kenya.geojson")
    Traceback (most recent call last):
    geolive.errors.InputError: country='Kenya': not a country's code of three letters (ISO 3166-1 alpha-3, such as KEN)
    """
    out = Path(out)
    if not re.fullmatch(r"[A-Za-z]{3}", country) or not country.isascii():
        raise InputError(
            f"country={country!r}: not a country's code of three letters (ISO 3166-1 alpha-3, such as KEN)"
        )
    if level not in _LEVELS:
        raise InputError(f"level={level}: must be from 0 (the country) to {_LEVELS[-1]}")
    if out.suffix.lower() not in (".geojson", ".json"):
        raise InputError(f"{out}: must be named .geojson")
    check_new_folder(out)
    check_address(api)
    kept = _kept(country.upper(), level, simplified, api)
    document = None if refresh else _read_kept(kept)
    from_cache = document is not None
    if document is None:
        document = _fetch(country.upper(), level, simplified, api)
        _keep(kept, document)
    with replacing(out) as temporary:
        temporary.write_text(json.dumps(document, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    facts = document["geoBoundaries"]
    return Boundaries(
        out,
        len(document["features"]),
        facts["boundarySource"],
        facts["boundaryLicense"],
        facts["boundaryYearRepresented"],
        from_cache=from_cache,
    )


def years_apart(represented: str, years: Sequence[int]) -> str | None:
    """Return a warning where borders are not of the years of a survey, or None where they are or the year is not known.

    Parameters
    ----------
    represented : str
        The year that the borders are of, as geoBoundaries states it: "2017", "2017.0", "2010 to 2012".
    years : sequence of int
        The years of the survey's clusters.

    Examples
    --------
    >>> years_apart("2020", [2011, 2012])  # doctest: +ELLIPSIS
    'the boundaries are of 2020, and the survey is of 2011 to 2012: districts may have been split, joined or renamed ...'
    >>> years_apart("2012", [2011, 2012]) is None
    True
    """
    stated = [int(year) for year in re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", represented)]
    if not stated or not len(years):
        return None
    if min(stated) <= max(years) and min(years) <= max(stated):
        return None
    return (
        f"the boundaries are of {_span(stated)}, and the survey is of {_span(years)}: districts may have been split, joined or "
        "renamed in between; compare their names with: info DATASET --boundaries FILE"
    )


def _span(years: Sequence[int]) -> str:
    return f"{min(years)}" if min(years) == max(years) else f"{min(years)} to {max(years)}"


def _fetch(country: str, level: int, simplified: bool, api: str) -> dict:
    """Return the GeoJSON to write."""
    address = f"{api.rstrip('/')}/{country}/ADM{level}/"
    missing = f"geoBoundaries has no level {level} of {country}; check country and level"
    answer = _parsed(download(address, _MOST_FACTS, missing, _OTHERWISE), address)
    if isinstance(answer, list) and answer:  # some versions of the API answer with a list
        answer = answer[0]
    if not isinstance(answer, dict):
        raise InputError(f"{address}: has no metadata: {_NOT_EXPECTED}")
    member = "simplifiedGeometryGeoJSON" if simplified else "gjDownloadURL"
    file_address = answer.get(member)
    if not isinstance(file_address, str):
        raise InputError(f"{address}: names no {member}: {_NOT_EXPECTED}")
    for name, expected in (("boundaryISO", country), ("boundaryType", f"ADM{level}")):
        if answer.get(name, expected) != expected:
            raise InputError(f"{address}: {name} is not {expected}: {_NOT_EXPECTED}")
    check_address(file_address, as_local_as=api)
    content = download(
        file_address, _MOST_BOUNDARIES, f"the file that geoBoundaries names is not there; {_OTHERWISE}", _OTHERWISE
    )
    if content.startswith(b"version https://git-lfs"):
        raise InputError(
            f"{file_address}: is a pointer to a large file, not the file; try simplified=True, or {_OTHERWISE}"
        )
    features = _districts(_parsed(content, file_address), file_address)
    facts: dict[str, str | bool] = {name: _fact(answer.get(name)) for name in _FACTS}
    facts |= {
        "file": file_address,
        "sha256": hashlib.sha256(content).hexdigest(),
        "fetched": today().isoformat(),
        "simplified": simplified,
    }
    description = (
        f"{facts['boundaryName'] or country}, ADM{level}, from geoBoundaries (www.geoboundaries.org). Source: "
        f"{facts['boundarySource'] or 'not stated'}. Licence: {facts['boundaryLicense'] or 'not stated'}."
    )
    return {
        "type": "FeatureCollection",
        "name": f"{country}-ADM{level}",
        "description": description,
        "geoBoundaries": facts,
        "features": features,
    }


def _parsed(content: bytes, address: str):
    def refuse(constant: str):
        raise ValueError(f"{constant} is not a number of JSON")

    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=refuse)
    except (ValueError, RecursionError):
        raise InputError(f"{address}: is not JSON: {_NOT_EXPECTED}") from None


def _districts(collection, address: str) -> list[dict]:
    """Check that each feature is a polygon on the globe with a name, and return them."""
    features = collection.get("features") if isinstance(collection, dict) else None
    if not isinstance(features, list) or not features:
        raise InputError(
            f"{address}: holds no districts; try another level, or name a file with predict(boundaries='FILE')"
        )
    for i, feature in enumerate(features):
        properties = feature.get("properties") if isinstance(feature, dict) else None
        if not isinstance(properties, dict) or not isinstance(properties.get("shapeName"), str):
            raise InputError(f"{address}: feature {i + 1} has no shapeName: {_NOT_EXPECTED}")
    try:
        shapes = shapely.from_geojson([json.dumps(feature.get("geometry")) for feature in features])
    except (shapely.errors.GEOSException, ValueError, TypeError):
        raise InputError(f"{address}: holds a geometry that cannot be read: {_NOT_EXPECTED}") from None
    polygons = np.isin(shapely.get_type_id(shapes), (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON))
    bounds = shapely.bounds(shapes)
    # a file may reach a little over the antimeridian
    on_globe = np.isfinite(bounds).all(axis=1) & (np.abs(bounds) <= (180.001, 90.001, 180.001, 90.001)).all(axis=1)
    if not (polygons & on_globe).all():
        row = int(np.argmin(polygons & on_globe))
        raise InputError(f"{address}: feature {row + 1} is not a polygon in degrees: {_NOT_EXPECTED}")
    return features


def _fact(value: object) -> str:
    """Return a value of the answer as one line of text of bounded length."""
    return " ".join(str(value).split())[:_LONGEST_FACT] if isinstance(value, str | int | float) else ""


def _kept(country: str, level: int, simplified: bool, api: str) -> Path:
    what = hashlib.sha256(f"{api.rstrip('/')} {simplified}".encode()).hexdigest()[:12]
    return cache_folder() / "boundaries" / f"{country}-ADM{level}-{what}.geojson"


def _read_kept(path: Path) -> dict | None:
    """Return the file that was kept, or None if there is none or it was altered."""
    try:
        if path.with_suffix(".sha256").read_text(encoding="ascii") != checksum(path):
            return None
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _keep(path: Path, document: dict) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(document, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    with replacing(path.with_suffix(".sha256")) as temporary:
        temporary.write_text(checksum(path), encoding="ascii")
