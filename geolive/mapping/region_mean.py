"""Districts against their region: whether a district's interval is above the region's mean, below it, or contains it."""

import numpy as np

from geolive.languages import phrase
from geolive.mapping.district_map import DistrictMap

BELOW, NOT_DISTINGUISHED, ABOVE = 0, 1, 2
COMPARED_WORDS = (phrase("compared.below"), phrase("compared.alike"), phrase("compared.above"))
# brown, grey and blue differ for colour-blind readers, and the marks differ without any colour
COMPARED_COLOURS = ("#b35806", "#dfe3e8", "#2166ac")
COMPARED_MARKS = ("▼", "", "▲")


def region_mean(district_map: DistrictMap) -> float:
    """Compute the mean of the supported districts' values, over people where the districts have them, else over districts.

    Parameters
    ----------
    district_map : DistrictMap

    Returns
    -------
    float
        In the indicator's unit; NaN where no district is supported.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> values = result.districts["pov"]
    >>> bool(np.isclose(region_mean(result), values.mean()))
    True
    """
    table = district_map.districts
    values = table[district_map.indicator.name].where(table["supported"].astype(bool)).to_numpy(float)
    weights = table["people"].to_numpy(float) if "people" in table else np.ones(len(table))
    used = np.isfinite(values) & np.isfinite(weights) & (weights > 0)
    return float(np.average(values[used], weights=weights[used])) if used.any() else float("nan")


def compare_with_mean(district_map: DistrictMap) -> np.ndarray:
    """Compare each district's interval with the region's mean.

    Parameters
    ----------
    district_map : DistrictMap

    Returns
    -------
    array of int, shape (districts,)
        `BELOW`, `NOT_DISTINGUISHED` or `ABOVE`; -1 where a district is not supported.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> set(compare_with_mean(result).tolist()) <= {-1, 0, 1, 2}
    True
    """
    table, name, mean = district_map.districts, district_map.indicator.name, region_mean(district_map)
    lower, upper = (table[f"{name}_{end}"].to_numpy(float) for end in ("lower", "upper"))
    known = table["supported"].to_numpy(bool) & np.isfinite(lower) & np.isfinite(upper)
    compared = np.where(lower > mean, ABOVE, np.where(upper < mean, BELOW, NOT_DISTINGUISHED))
    return np.where(known, compared, -1)
