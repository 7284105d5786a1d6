"""Who would be reached within a budget, from a map."""

import numpy as np
import pandas as pd

from geolive.brief.sentences import unsupported
from geolive.errors import InputError
from geolive.estimation.target_report import TargetReport, assess_target
from geolive.estimation.target_table import TargetTable
from geolive.estimation.targeting import Budget
from geolive.mapping.district_map import DistrictMap

_LEAST_DISTRICTS = 5
_COLUMNS = ("direct", "predicted")


def target_choice(district_map: DistrictMap, budget: Budget | None = None, *, seed: int = 0) -> TargetReport | None:
    """Choose the districts that are worst off within a budget, and estimate how sure that choice is.

    Parameters
    ----------
    district_map : DistrictMap
    budget : Budget, optional
        By default a fifth of the districts.
    seed : int
        Seed of the random draws.

    Returns
    -------
    TargetReport or None
        None where fewer than five districts have a value and an interval.

    Raises
    ------
    InputError
        The budget reaches all districts, or needs people that the map lacks.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> target_choice(result) is None
    True
    """
    from scipy.stats import norm

    table, name = pd.DataFrame(district_map.districts.drop(columns="geometry")), district_map.indicator.name
    error = (table[f"{name}_upper"] - table[f"{name}_lower"]) / (2 * norm.ppf((1 + district_map.level) / 2))
    known = table["supported"].to_numpy(bool) & np.isfinite(table[name].to_numpy(float)) & (error > 0).to_numpy(bool)
    if known.sum() < _LEAST_DISTRICTS:
        if budget is not None:
            raise InputError(
                f"budget={str(budget)!r}: only {int(known.sum())} districts have a value with an interval, too few to choose "
                "from; leave the budget out",
                parameter="budget",
            )
        return None
    columns = {"name": table["district"].astype(str), "estimate": table[name].astype(float), "standard_error": error}
    columns |= {end: table[f"{name}_{end}"].astype(float) for end in _COLUMNS if f"{name}_{end}" in table}
    if "people" in table and (table["people"][known] > 0).all():
        columns["people"] = table["people"].astype(float)
    districts = pd.DataFrame(columns)[known].set_axis(pd.Index(table["district_id"][known].astype(str)))
    made = TargetTable(
        districts,
        str(district_map.indicator.title_in_text),
        list(unsupported(district_map)["district"]),
        district_map.provenance.simulated,
    )
    amount = budget or Budget(max(1, round(len(districts) / 5)), False)
    highest = district_map.indicator.ranked_from == "highest"
    return assess_target(made, amount, highest=highest, level=district_map.level, seed=seed)
