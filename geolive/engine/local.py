"""The engine that runs in this process."""

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

from geolive.engine.interface import Budget, P, R


class LocalEngine:
    """Calls the function on one partition after the other in this process.

    Examples
    --------
    >>> with LocalEngine() as engine:
    ...     list(engine.map_partitions(lambda: len, ["a", "bcd"]))
    [(0, 1), (1, 3)]
    """

    name = "local"
    n_workers = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def map_partitions(
        self,
        make: Callable[[], Callable[[P], R]],
        partitions: Sequence[P],
        *,
        device: str = "cpu",
        most_workers: int | None = None,
    ) -> Iterator[tuple[int, R]]:
        """Call a function on each partition, in order; see `geolive.engine.interface.Engine`."""
        if partitions:
            function = make()
            for number, partition in enumerate(partitions):
                yield number, function(partition)

    def shared_budget(self, rate: float) -> Budget | None:
        """Return None: there is one process only, whose clients keep their own rate."""
        return None
