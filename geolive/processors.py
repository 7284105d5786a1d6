"""How many processors this process may use."""

import os


def available_processors() -> int:
    """Return the number of processors that this process may use, which can be fewer than the machine has.

    Examples
    --------
    >>> available_processors() >= 1
    True
    """
    # macOS and Windows do not say which processors a process may use
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
