"""Independent computations in several processes of one machine, such as the fits of the folds of a cross-validation.

The processes are forked, so that they share the memory of what is already loaded. Each computes on one thread, and so its
results are the same, bit for bit, whatever the number of processes. Systems without a safe fork (Windows, macOS) and processes
that use a GPU compute one result after the other.
"""

import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Generic, TypeVar

Result = TypeVar("Result")

# each process needs memory of its own
MOST_PROCESSES = 8
# the calls of the pool that is being forked; functions defined within functions cannot be sent to a process
_calls: Sequence[Callable[[], object]] = ()


def usable_processes(n_jobs: int | None = None) -> int:
    """Return how many processes may compute at once.

    Parameters
    ----------
    n_jobs : int, optional
        Largest number of processes; by default one for each core that this process may use, and at most 8.

    Returns
    -------
    int
        1 where processes cannot be forked safely.

    Examples
    --------
    >>> usable_processes(1)
    1
    """
    if sys.platform != "linux" or _shares_more_than_memory() or multiprocessing.current_process().daemon:
        return 1
    return max(1, min(MOST_PROCESSES, len(os.sched_getaffinity(0))) if n_jobs is None else n_jobs)


class Ahead(Generic[Result]):
    """The results of calls that other processes compute ahead of the one who asks for them."""

    def __init__(self, calls: Sequence[Callable[[], Result]], futures: "list[Future[_Outcome[Result]]]"):
        self._calls = calls
        self._futures = futures

    def result(self, number: int) -> Result:
        """Return the result of a call; what it warned of is warned of here, and what it raised is raised here.

        A call that failed in another process is made again in this one, because not every error can be sent to it whole.
        """
        if not self._futures:
            return self._calls[number]()
        try:
            outcome = self._futures[number].result()
        except BrokenProcessPool:  # the system ended a process, for example for lack of memory
            return self._calls[number]()
        if outcome.result is None:
            return self._calls[number]()
        for warning in outcome.warned:
            warnings.warn(warning, stacklevel=2)
        return outcome.result[0]


class _Outcome(Generic[Result]):
    """The result of a call in another process, as a tuple of one, or None where the call failed."""

    def __init__(self, result: tuple[Result] | None, warned: list[Warning]):
        self.result = result
        self.warned = warned


@contextmanager
def computed_ahead(calls: Sequence[Callable[[], Result]], n_jobs: int | None = None) -> Iterator[Ahead[Result]]:
    """Start to compute the results of calls in other processes.

    Parameters
    ----------
    calls : sequence of callable
        They take no arguments, do not depend on each other, and print nothing.
    n_jobs : int, optional
        See `usable_processes`. With 1, each call is made in this process, when its result is asked for.

    Yields
    ------
    Ahead

    Examples
    --------
    >>> with computed_ahead([lambda: 1 + 1, lambda: 2 + 2], n_jobs=2) as ahead:
    ...     ahead.result(0), ahead.result(1)
    (2, 4)
    """
    global _calls
    n_processes = min(usable_processes(n_jobs), len(calls))
    if n_processes < 2:
        yield Ahead(calls, [])
        return
    context, futures = multiprocessing.get_context("fork"), list[Future[_Outcome[Result]]]()
    pool = ProcessPoolExecutor(n_processes, context, _start, (os.getpid(),))
    _calls = calls
    try:
        with warnings.catch_warnings():
            # Python 3.12 warns where other threads run; theirs are BLAS's, which are not used in the new processes
            warnings.simplefilter("ignore", DeprecationWarning)
            futures += [pool.submit(_call, number) for number in range(len(calls))]
        yield Ahead(calls, futures)
    finally:
        _calls = ()
        # an error or Ctrl-C must not wait for what nobody will ask for
        if wait(futures, timeout=0).not_done:
            for process in list((pool._processes or {}).values()):
                process.terminate()
        pool.shutdown(cancel_futures=True)


def is_worker_process() -> bool:
    """Return whether this process is one that `computed_ahead` has started; progress is not shown there.

    Examples
    --------
    >>> is_worker_process()
    False
    """
    return multiprocessing.parent_process() is not None and bool(_calls)


def _start(parent: int) -> None:
    """Prepare a new process: it ends with its parent, and computes on one thread."""
    import ctypes

    from threadpoolctl import threadpool_limits

    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    # Ctrl-C reaches all processes of a terminal; the parent ends its own
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threadpool_limits(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def _call(number: int) -> _Outcome:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("default")
        try:
            result = (_calls[number](),)
        except Exception:  # the call is made again where its error can be shown
            return _Outcome(None, [])
    return _Outcome(result, [each.message for each in warned if isinstance(each.message, Warning)])


def _shares_more_than_memory() -> bool:
    """Return whether this process has a GPU or a connection to others that train with it, which a copy of it cannot use."""
    torch = sys.modules.get("torch")
    return torch is not None and (torch.cuda.is_available() or torch.distributed.is_initialized())
