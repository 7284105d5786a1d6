"""A splitter: strips of longitude."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from geolive.splits import Splitter


@dataclass(frozen=True, repr=False)
class StripSplit(Splitter):
    """Keeps strips from north to south together, so that a model is tested on places to the east and west of its training places.

    Parameters
    ----------
    degrees : float, default 0.5
        Width of a strip, degrees of longitude.
    """

    degrees: float = 0.5

    # the name of the entry point, and of the split in results
    name: ClassVar[str] = "example-strips"

    def units(self, X=None, groups=None) -> np.ndarray:
        """Return the number of each row's strip: the base class gives whole strips to folds of about equal size."""
        strips = np.floor(self.positions_for(X)[:, 0] / self.degrees)
        return np.unique(strips, return_inverse=True)[1]
