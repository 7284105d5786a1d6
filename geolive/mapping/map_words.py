"""The words of what a map shows: its areas, which are districts or hexagons, and the places that it predicts."""

from pathlib import Path

from geolive.hexagons import are_hexagons
from geolive.languages import Language, open_language, phrase
from geolive.mapping.district_map import DistrictMap


def map_language(district_map: DistrictMap, language: str | Path | Language = "en") -> Language:
    """Return the language in which a map is written: it says "hexagon" where its areas are hexagons.

    Parameters
    ----------
    district_map : DistrictMap
    language : {"en", "hi", "fr"}, Path or Language

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> hexagons = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), boundaries="hex:25km")
    >>> map_language(hexagons).text("page.district"), map_language(hexagons, "fr").text("page.search")
    ('Hexagon', 'Trouver un hexagone')
    """
    language = open_language(language)
    return language.of_hexagons() if are_hexagons(district_map.districts["district_id"]) else language


def places_heading(district_map: DistrictMap) -> str:
    """Return the heading of the places that are predicted: sites of photos, cells of a grid, or surveyed places alone.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> places_heading(gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa"))
    'Sites'
    """
    kind = "grid_places" if district_map.grid else "sites" if district_map.has_images else "surveyed_places"
    return phrase(f"facts.{kind}")
