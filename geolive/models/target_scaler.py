"""What a network of photos learns: values on a scale of their own, and back."""

from dataclasses import dataclass

import numpy as np

from geolive.errors import InputError


@dataclass(frozen=True)
class Targets:
    """Mean, standard deviation, lowest and highest training value of each indicator; array of float64, shape (m, 4).

    Examples
    --------
    >>> targets = Targets.of(np.array([[1.0], [3.0]]))
    >>> targets.standardised(np.array([[2.0]])).tolist(), targets.in_units(np.array([[-9.0]])).tolist()
    ([[0.0]], [[1.0]])
    """

    table: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> "Targets":
        """From values, shape (n, m), NaN where there is none; InputError where an indicator has none at all."""
        if not np.isfinite(values).any(axis=0).all():
            raise InputError("an indicator has no value at any of the training places; leave it out")
        moments = [np.nanmean(values, 0), np.nanstd(values, 0), np.nanmin(values, 0), np.nanmax(values, 0)]
        moments[1] = np.where(moments[1] > 0, moments[1], 1.0)
        return cls(np.column_stack(moments))

    def standardised(self, values: np.ndarray) -> np.ndarray:
        """Values with mean 0 and variance 1."""
        return (values - self.table[:, 0]) / self.table[:, 1]

    def in_units(self, standardised: np.ndarray) -> np.ndarray:
        """The inverse, kept within the range of the training values."""
        return np.clip(standardised * self.table[:, 1] + self.table[:, 0], self.table[:, 2], self.table[:, 3])

    def unbounded(self) -> "Targets":
        """The same with no lowest and no highest value."""
        return Targets(
            np.column_stack([self.table[:, :2], np.full(len(self.table), -np.inf), np.full(len(self.table), np.inf)])
        )
