"""Reads the times of photos in tables."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

_MOST_MILLISECONDS = 1e14


def capture_times(texts: Sequence[str] | pd.Series) -> pd.Series:
    """Read times in UTC from texts as tables of photos have them.

    Parameters
    ----------
    texts : sequence of str
        ISO 8601, for example 2020-01-02T03:04:05Z, in UTC where no zone is given; or milliseconds since 1970.

    Returns
    -------
    Series of datetime
        Without a zone; NaT where a text is no time, or a time before 1900 or after 2199.

    Examples
    --------
    >>> capture_times(["2020-01-02T03:04:05+01:00", "1577934245000", "soon"]).dt.strftime("%d %H:%M").fillna("").tolist()
    ['02 02:04', '02 03:04', '']
    """
    given = pd.Series(texts)
    numbers = pd.to_numeric(given, errors="coerce")
    milliseconds = pd.to_datetime(numbers.where(numbers.abs() < _MOST_MILLISECONDS), unit="ms", errors="coerce")
    written = pd.to_datetime(given.where(numbers.isna()), utc=True, errors="coerce", format="ISO8601")
    times = written.dt.tz_localize(None).fillna(milliseconds)
    # what is in another century is no time of a photo
    return times.where(np.array(times.dt.year.between(1900, 2199)))
