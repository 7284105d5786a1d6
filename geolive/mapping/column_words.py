"""The columns of exported tables in words for readers."""

from geolive.languages import phrase
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.estimate_words import estimate_columns
from geolive.mapping.map_words import places_heading
from geolive.phrases import Percent


def column_words(district_map: DistrictMap) -> dict[str, str]:
    """Return the columns of the districts table, each with its words for readers, and its unit where it has one.

    Parameters
    ----------
    district_map : DistrictMap

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> column_words(result)["pov"]
    'Asset wealth, asset-wealth index'
    """
    shown, level = district_map.indicator, Percent(district_map.level)
    first = shown.first_words
    return {
        "id": phrase("columns.id"),
        "district_id": phrase("columns.district_id"),
        "district": phrase("columns.district"),
        "state": phrase("columns.state"),
        shown.name: phrase("columns.value", title=shown.title, unit=shown.unit),
        f"{shown.name}_lower": phrase("columns.lower", level=level),
        f"{shown.name}_upper": phrase("columns.upper", level=level),
        f"{shown.name}_label": phrase("columns.label"),
        **estimate_columns(district_map),
        "n_sites": places_heading(district_map),
        "n_images": phrase("columns.n_images"),
        **people_words(district_map),
        "supported": phrase("columns.supported_images" if district_map.provenance.uses_images else "columns.supported"),
        "simulated": phrase("columns.simulated"),
        "rank_best": phrase("columns.rank_best", first=first),
        "rank_worst": phrase("columns.rank_worst", first=first),
    }


def people_words(district_map: DistrictMap) -> dict[str, str]:
    """Return the columns on people, each with its words for readers; empty where nobody counted them.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> people_words(gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa"))
    {}
    """
    columns = [column for column in ("people", "people_supported") if column in district_map.districts]
    return {column: phrase(f"columns.{column}") for column in columns}


def site_words(district_map: DistrictMap) -> dict[str, str]:
    """Return the columns of the sites table, each with its words for readers.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> site_words(result)["surveyed"]
    'Surveyed'
    """
    return column_words(district_map) | {
        column: phrase(f"columns.{column}") for column in ("site_id", "surveyed", "applicable")
    }
