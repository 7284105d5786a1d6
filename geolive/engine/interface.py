"""What an engine is: it calls one function on each of many partitions, in this process or on many machines."""

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

P = TypeVar("P")
R = TypeVar("R")


class Budget(Protocol):
    """A number of requests per second that all who share it keep together."""

    async def turn(self) -> None:
        """Wait until the next request may start."""
        ...

    def pause(self, seconds: float) -> None:
        """Let no request start for so many seconds."""
        ...


class Engine(Protocol):
    """Runs a function on partitions, and is used as a context manager.

    `geolive.engine.local.LocalEngine` runs them one after the other in this process,
    `geolive.engine.ray_cluster.RayEngine` at once on the machines of a cluster.
    """

    name: str

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def map_partitions(
        self,
        make: Callable[[], Callable[[P], R]],
        partitions: Sequence[P],
        *,
        device: str = "cpu",
        most_workers: int | None = None,
    ) -> Iterator[tuple[int, R]]:
        """Call a function on each partition; yield number and result of each, in the order in which they end.

        Parameters
        ----------
        make : callable
            Makes the function. Each worker calls it once, so that what is slow, such as loading a network, is done once a worker.
        partitions : sequence
            What the function is called with.
        device : str
            cuda gives each worker a GPU of its own.
        most_workers : int, optional
            Largest number of workers; by default as many as the engine has.

        Raises
        ------
        InputError
            One that the function raised, or a partition ended its worker several times.
        """
        ...

    def shared_budget(self, rate: float) -> Budget | None:
        """Return a budget of so many requests per second for all workers, or None where there is one process only."""
        ...

    @property
    def n_workers(self) -> int:
        """Number of workers that the engine has at most."""
        ...


# makes the function of a worker
Maker = Callable[[], Callable[[Any], Any]]
