"""Means of predictions over the sites of districts, the covariate of a composite estimate."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geolive.errors import InputError
from geolive.estimation.area_checks import Values
from geolive.estimation.nested_error import NestedError, unit_numbers

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Sites:
    """Predictions at sites.

    Parameters
    ----------
    predictions : array of float, shape (s,)
    areas : array, shape (s,)
        The district of each site.
    weights : array of float, shape (s,), or None
        How much each counts in its district's mean; None where all count alike.
    """

    predictions: Array
    areas: np.ndarray
    weights: Array | None


def read_sites(
    predictions: Values,
    areas: Values,
    weights: Values | None = None,
    own: Array | None = None,
    own_areas: Values | None = None,
) -> Sites:
    """Check predictions at sites, and add those of clusters that count as sites, too.

    Parameters
    ----------
    predictions, areas : Series or array of length s
    weights : Series or array of length s, optional
        All above 0.
    own, own_areas : array of length n, optional
        Predictions at clusters, and their districts.

    Raises
    ------
    InputError
        A value is missing or no number, a weight is not above 0, or both weights and predictions at clusters are given.

    Examples
    --------
    >>> read_sites([1.0, 2.0], ["a", "b"], own=np.array([3.0]), own_areas=["b"]).areas.tolist()
    ['a', 'b', 'b']
    """
    index = pd.RangeIndex(len(np.asarray(predictions)))
    x, place = unit_numbers("site_predictions", predictions, index), np.asarray(areas, object)
    if len(place) != len(x):
        raise InputError(f"site_areas: has {len(place)} names for {len(x)} sites; give one for each")
    if weights is None:
        if own is None:
            return Sites(x, place, None)
        return Sites(np.concatenate([x, own]), np.concatenate([place, np.asarray(own_areas, object)]), None)
    if own is not None:
        raise InputError("site_weights: clusters without a weight cannot count as sites; leave predictions out")
    weight = unit_numbers("site_weights", weights, index)
    if (weight <= 0).any():
        row = int(np.flatnonzero(weight <= 0)[0])
        raise InputError(f"site_weights: row {row}: must be above 0; drop sites that do not count")
    return Sites(x, place, weight)


def known_means(sites: Sites, surveyed: pd.Index) -> pd.DataFrame:
    """Return the mean predictions of districts whose sites are all their places; one without sites has the mean of all.

    Parameters
    ----------
    sites : Sites
    surveyed : Index
        Districts that get a row, with or without sites.

    Returns
    -------
    DataFrame
        Index district: `n_sites`, `predicted` (mean over its sites), `calibrated` (estimate of the mean over the district) and
        `variance` (of its error); `attrs` hold the `mean` and the `variance` between districts.

    Examples
    --------
    >>> sites = read_sites([1.0, 2.0, 5.0], ["a", "a", "b"], [3.0, 1.0, 1.0])
    >>> known_means(sites, pd.Index(["c"]))["calibrated"].to_dict()
    {'a': 1.25, 'b': 5.0, 'c': 3.125}
    """
    own = _weighted_means(sites)
    if len(own) < 2:
        raise InputError(f"site_predictions: lie in {len(own)} areas, and the model needs 2; give those of more areas")
    mean, variance = float(own["predicted"].mean()), float(own["predicted"].var())
    own = own.reindex(own.index.union(surveyed))
    known = own["predicted"].notna()
    table = pd.DataFrame(
        {
            "n_sites": own["n_sites"].fillna(0),
            "predicted": own["predicted"],
            "calibrated": own["predicted"].fillna(mean),
            "variance": np.where(known, 0.0, variance),
        }
    )
    table.attrs = {"mean": mean, "variance": variance}
    return table


def estimated_means(sites: Sites, surveyed: pd.Index) -> pd.DataFrame:
    """Estimate the mean prediction over each district from some of its sites, by a nested-error model.

    A mean over few sites moves towards the mean of all. With weights, a district's mean has the precision of its effective number
    of sites, (sum w)² / sum w² (Kish 1965).

    Parameters
    ----------
    sites, surveyed
        As for `known_means`.

    Returns
    -------
    DataFrame
        As `known_means` returns it.

    Examples
    --------
    >>> sites = read_sites([0, 1, 1, 2, 4, 5, 5, 6, 2, 2, 3, 4, 8, 9], list("aabbccddeeffgg"))
    >>> estimated_means(sites, pd.Index(["a"])).loc["a", ["predicted", "calibrated"]].round(2).to_dict()
    {'predicted': 0.5, 'calibrated': 0.56}
    """
    areas = pd.Series(sites.areas)
    try:
        model = NestedError("amrl").fit(pd.DataFrame(index=areas.index), sites.predictions, areas)
    except InputError as error:
        raise type(error)(f"site_predictions: {error}") from error
    estimates = model.predict(pd.DataFrame(index=model.areas_.union(surveyed)))
    columns = {"n_units": "n_sites", "direct": "predicted", "estimate": "calibrated", "mse": "variance"}
    table = estimates[list(columns)].rename(columns=columns)
    mean = float(model.coefficients_["coefficient"].iloc[0])
    table.attrs = {"mean": mean, "variance": model.sigma2_u_}
    if sites.weights is not None:
        own = _weighted_means(sites)
        error_variance = model.sigma2_e_ / own["effective"]
        gamma = model.sigma2_u_ / (model.sigma2_u_ + error_variance)
        table.loc[own.index, "predicted"] = own["predicted"]
        table.loc[own.index, "calibrated"] = mean + gamma * (own["predicted"] - mean)
        table.loc[own.index, "variance"] = gamma * error_variance
    return table


def _weighted_means(sites: Sites) -> pd.DataFrame:
    """Return `n_sites`, `predicted` (weighted mean) and `effective` (number of sites) of each district with sites."""
    weight = np.ones(len(sites.predictions)) if sites.weights is None else sites.weights
    columns = {"wx": weight * sites.predictions, "w": weight, "ww": weight**2}
    groups = pd.DataFrame(columns).groupby(sites.areas)
    sums, means = groups.sum(), {"n_sites": groups.size()}
    return pd.DataFrame(means | {"predicted": sums["wx"] / sums["w"], "effective": sums["w"] ** 2 / sums["ww"]})
