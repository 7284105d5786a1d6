"""The covariance of values in space, fitted by restricted maximum likelihood.

Source: REML, Patterson & Thompson 1971, doi 10.1093/biomet/58.3.545; likelihoods of independent blocks for many places, Caragea &
Smith 2007, doi 10.1016/j.jmva.2006.08.010.
"""

from dataclasses import dataclass

import numpy as np

from geolive.processors import one_library_thread

# places whose likelihood is computed at once; more are cut into blocks of near places, which share parameters
MOST_IN_BLOCK = 600
BLOCK = 300
_RANGES = (0.02, 0.06, 0.2)
_SHARES = (0.2, 0.6)


@dataclass(frozen=True)
class Covariance:
    """An exponential covariance: sill · exp(−d / range) between places d km apart, and a nugget at each place.

    Parameters
    ----------
    sill, range_km, nugget : float

    Examples
    --------
    >>> Covariance(2.0, 10.0, 1.0).between(np.array([0.0, 10.0])).round(2).tolist()
    [2.0, 0.74]
    """

    sill: float
    range_km: float
    nugget: float

    def between(self, km: np.ndarray) -> np.ndarray:
        """Return the covariance of values at places some km apart."""
        return self.sill * np.exp(km * (-1 / self.range_km))


def fit_covariance(
    xyz: np.ndarray, values: np.ndarray, trend: np.ndarray, noise: np.ndarray, start: Covariance | None = None
) -> Covariance:
    """Fit sill, range and nugget by restricted maximum likelihood; all 0 (range 1) where the trend explains all values.

    Parameters
    ----------
    xyz : array of float, shape (n, 3)
        Positions in km, so that straight-line distances are those of the covariance.
    values : array of float, shape (n,)
    trend : array of float, shape (n, p)
        Columns that the mean is linear in, for example ones and covariates.
    noise : array of float, shape (n,)
        Known variances of the values' errors; 0 where none is known.
    start : Covariance, optional
        Where the search begins; by default the best of six.

    Returns
    -------
    Covariance

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> xyz = np.column_stack([rng.uniform(0, 300, (400, 2)), np.zeros(400)])
    >>> true = 4 * np.exp(-np.linalg.norm(xyz[:, None] - xyz, axis=2) / 20)
    >>> values = np.linalg.cholesky(true + np.eye(400)) @ rng.normal(size=400)
    >>> found = fit_covariance(xyz, values, np.ones((400, 1)), np.zeros(400))
    >>> bool(2.5 < found.sill < 6), bool(10 < found.range_km < 40), bool(0.5 < found.nugget < 1.6)
    (True, True, True)
    """
    residuals = values - trend @ np.linalg.lstsq(trend, values, rcond=None)[0]
    spread = residuals.std()
    if not spread > 1e-12 * max(np.abs(values).max(), 1e-300) or len(values) <= trend.shape[1] + 1:
        return Covariance(0.0, 1.0, 0.0)
    extent = float(np.linalg.norm(np.ptp(xyz, axis=0))) or 1.0
    likelihood = _Likelihood(xyz, values / spread, trend, noise / spread**2)
    starts = [np.array([np.log(extent * r), np.log(1 / s - 1), 0.0]) for r in _RANGES for s in _SHARES]
    if start is not None and start.sill > 0 and start.nugget > 0:
        total = (start.sill + start.nugget) / spread**2
        starts = [np.array([np.log(start.range_km), np.log(start.sill / start.nugget), np.log(total)])]
    # small matrices gain nothing from threads, which wait for each other on a busy machine
    with one_library_thread("blas"):
        best = _minimum(likelihood, [one[: 3 if noise.any() else 2] for one in starts], extent)
        variance, share = likelihood.variance(best) * spread**2, 1 / (1 + np.exp(best[1]))
    return Covariance(float(variance * (1 - share)), float(np.exp(best[0])), float(variance * share))


def _minimum(likelihood: "_Likelihood", starts: list[np.ndarray], extent: float) -> np.ndarray:
    """Find the parameters with the largest likelihood, from the best of several starts."""
    from scipy.optimize import minimize

    size = len(starts[0])
    start = min(starts, key=likelihood.minus_log) if len(starts) > 1 else starts[0]
    ends = [(np.log(extent / 1e4), np.log(extent * 10)), (-6.0, 6.0), (-6.0, 4.0)][:size]
    steps = start + np.vstack([np.zeros(size), np.diag([0.5, 0.5, 0.3][:size])])
    options = {"xatol": 0.03, "fatol": 0.01, "initial_simplex": steps, "maxfev": 120}
    return minimize(likelihood.minus_log, start, method="Nelder-Mead", bounds=ends, options=options).x


class _Likelihood:
    """Minus the restricted log likelihood of (log range, log odds of the sill's share, log variance), constants left out.

    Without known noise the variance is not a parameter: the best one follows from the other two.
    """

    def __init__(self, xyz: np.ndarray, values: np.ndarray, trend: np.ndarray, noise: np.ndarray) -> None:
        self.blocks = [
            (_distances(xyz[rows]), np.column_stack([trend[rows], values[rows]]), noise[rows])
            for rows in _blocks(xyz, BLOCK if len(xyz) > MOST_IN_BLOCK else MOST_IN_BLOCK)
        ]
        self.degrees = len(values) - trend.shape[1]
        # one matrix serves all evaluations: new memory for each would cost more than the arithmetic
        self.buffers = [np.empty_like(km, order="F") for km, _, _ in self.blocks]

    def minus_log(self, parameters: np.ndarray) -> float:
        """Compute minus the log likelihood; infinite where a matrix cannot be decomposed."""
        found = self._products(parameters)
        if found is None:
            return np.inf
        log_determinant, squares, of_trend = found
        if len(parameters) == 2:
            return 0.5 * (log_determinant + of_trend + self.degrees * np.log(squares / self.degrees))
        return 0.5 * (log_determinant + of_trend + squares)

    def variance(self, parameters: np.ndarray) -> float:
        """Return the variance of a value, sill and nugget together."""
        if len(parameters) == 3:
            return float(np.exp(parameters[2]))
        found = self._products(parameters)
        assert found is not None
        return float(found[1] / self.degrees)

    def _products(self, parameters: np.ndarray) -> tuple[float, float, float] | None:
        """Return log|V|, the weighted sum of squared residuals, and log|Xᵀ V⁻¹ X|."""
        from scipy.linalg.lapack import dpotrf, dtrtrs

        scale = np.exp(-parameters[0])
        share, variance = 1 / (1 + np.exp(parameters[1])), np.exp(parameters[2]) if len(parameters) == 3 else 1.0
        columns_in_all = self.blocks[0][1].shape[1]
        log_determinant, gram = 0.0, np.zeros((columns_in_all, columns_in_all))
        for (km, columns, noise), matrix in zip(self.blocks, self.buffers, strict=True):
            np.multiply(km, -scale, out=matrix)
            np.exp(matrix, out=matrix)
            matrix *= variance * (1 - share)
            matrix.ravel("K")[:: len(matrix) + 1] += variance * (share + 1e-9) + noise
            root, failed = dpotrf(matrix, lower=1, clean=0, overwrite_a=1)
            if failed:
                return None
            log_determinant += 2 * np.log(np.diag(root)).sum()
            whitened, _ = dtrtrs(root, columns, lower=1)
            gram = gram + whitened.T @ whitened
        p = gram.shape[0] - 1
        sign, of_trend = np.linalg.slogdet(gram[:p, :p])
        squares = gram[p, p] - gram[p, :p] @ np.linalg.lstsq(gram[:p, :p], gram[:p, p], rcond=None)[0]
        return (log_determinant, float(squares), float(of_trend)) if sign > 0 and squares > 0 else None


def _blocks(xyz: np.ndarray, most: int) -> list[np.ndarray]:
    """Cut places into blocks of at most so many, by halves along the longest axis."""
    parts, done = [np.arange(len(xyz))], []
    while parts:
        rows = parts.pop()
        if len(rows) <= most:
            done.append(rows)
            continue
        axis = int(np.argmax(np.ptp(xyz[rows], axis=0)))
        order = rows[np.argsort(xyz[rows, axis], kind="stable")]
        parts += np.array_split(order, 2)
    return done


def _distances(xyz: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import cdist

    return np.asfortranarray(cdist(xyz, xyz))
