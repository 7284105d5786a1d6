"""The columns of exported tables in words for readers."""

from geolive.mapping.district_map import DistrictMap
from geolive.mapping.estimate_words import estimate_columns
from geolive.wording import percent_text


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
    'Asset wealth, DHS asset-wealth index'
    """
    shown = district_map.indicator
    interval = f"{percent_text(district_map.level)} interval"
    return {
        "id": "Feature id",
        "district_id": "District code",
        "district": "District",
        "state": "State",
        shown.name: f"{shown.title}, {shown.unit}",
        f"{shown.name}_lower": f"Lower end of the {interval}",
        f"{shown.name}_upper": f"Upper end of the {interval}",
        f"{shown.name}_label": "At or above the threshold (1) or below it (0)",
        **estimate_columns(district_map),
        "n_sites": "Sites",
        "n_images": "Images",
        **people_words(district_map),
        "supported": "Supported by enough imagery" if district_map.provenance.uses_images else "Supported",
        "simulated": "Simulated",
        "rank_best": "Best rank the interval allows (1 is the highest value)",
        "rank_worst": "Worst rank the interval allows",
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
    words = {
        "people": "People, as the population raster or the file of districts counts them",
        "people_supported": "Share of the people within reach of a supported prediction (0 to 1)",
    }
    return {column: text for column, text in words.items() if column in district_map.districts}


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
    words = {"site_id": "Site", "surveyed": "Surveyed", "applicable": "Like the places that the model learnt from"}
    return column_words(district_map) | words
