"""The scale on which a network learns values, and the way back to their units."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from geolive.errors import InputError


@dataclass(frozen=True)
class TargetScaler:
    """Standardises the values of each indicator, and keeps predictions within the range of the training values.

    Parameters
    ----------
    table : array of float64, shape (m, 4)
        Mean, standard deviation, lowest and highest training value of each indicator.

    Examples
    --------
    >>> scaler = TargetScaler.fit(np.array([[1.0], [3.0]]))
    >>> scaler.standardised(np.array([[2.0]])).tolist(), scaler.in_units(np.array([[-9.0]])).tolist()
    ([[0.0]], [[1.0]])
    """

    table: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray) -> Self:
        """Learn the scale from training values.

        Parameters
        ----------
        values : array of float, shape (n, m)
            NaN where a place has no value.

        Raises
        ------
        InputError
            An indicator has no value at any place.
        """
        if not np.isfinite(values).any(axis=0).all():
            raise InputError("an indicator has no value at any of the training places; leave it out")
        moments = [np.nanmean(values, 0), np.nanstd(values, 0), np.nanmin(values, 0), np.nanmax(values, 0)]
        moments[1] = np.where(moments[1] > 0, moments[1], 1.0)
        return cls(np.column_stack(moments))

    def standardised(self, values: np.ndarray) -> np.ndarray:
        """Scale values so that the training values have mean 0 and variance 1."""
        return (values - self.table[:, 0]) / self.table[:, 1]

    def in_units(self, standardised: np.ndarray) -> np.ndarray:
        """Convert standardised values to their units, and keep them within the range of the training values."""
        return np.clip(standardised * self.table[:, 1] + self.table[:, 0], self.table[:, 2], self.table[:, 3])

    def unbounded(self) -> "TargetScaler":
        """Return the same scale without limits."""
        limits = np.full((len(self.table), 1), np.inf)
        return TargetScaler(np.column_stack([self.table[:, :2], -limits, limits]))
