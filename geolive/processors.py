"""How many processors this process may use, and numerical libraries on one thread."""

import functools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


def available_processors() -> int:
    """Return the number of processors that this process may use, which can be fewer than the machine has.

    Examples
    --------
    >>> available_processors() >= 1
    True
    """
    # macOS and Windows do not say which processors a process may use
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def one_library_thread(user_api: str | None = None) -> Iterator[None]:
    """Run BLAS and OpenMP on one thread, as `threadpoolctl.threadpool_limits(1)` does.

    Small matrices gain nothing from more threads, which wait for each other on a busy machine. threadpoolctl takes 5 ms to
    find the libraries of the process, so they are looked for again only when modules have been imported since.

    Parameters
    ----------
    user_api : {"blas", "openmp"}, optional
        Only these libraries; by default both.

    Examples
    --------
    >>> from threadpoolctl import threadpool_info
    >>> import numpy as np
    >>> with one_library_thread("blas"):
    ...     {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}
    {1}
    """
    with _controller(len(sys.modules)).limit(limits=1, user_api=user_api):
        yield


@functools.lru_cache(maxsize=1)
def _controller(n_modules: int) -> "ThreadpoolController":
    """Find the libraries that are loaded when so many modules are imported."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
