"""The engine that runs on a Ray cluster, or on all cores of this machine by Ray."""

import asyncio
import contextlib
import logging
import os
import platform
import secrets
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from types import TracebackType
from typing import Any, Self

from geolive.engine.interface import Budget, P, R
from geolive.errors import InputError
from geolive.extras import require_extra

# a partition that ended so many workers would end the next one, too
_MOST_LOST = 3
_CONNECT_SECONDS = 10
# other versions of these give other numbers, or cannot read what is sent
_DECISIVE = ("numpy", "pandas", "pillow", "rasterio", "timm", "torch", "torchvision", "transformers")


class RayEngine:
    """Calls the function on many partitions at once, by workers on the machines of a Ray cluster.

    Each worker is an actor with one processor, or with one GPU, and makes the function once. A partition whose worker was killed,
    or whose machine was lost, is given to another worker. All machines need this version of geolive, the same versions of its
    libraries, and the photos and rasters that the work reads, under the same names. Results come to the process that uses the
    engine.

    Parameters
    ----------
    address : str, optional
        Of the cluster: auto (the one that runs on this machine), HOST:PORT, or ray://HOST:PORT. Without it Ray is started on this
        machine, and ends with the engine. Where the program has started Ray already, that is used.

    Raises
    ------
    MissingExtraError
        Ray is not installed.
    InputError
        There is no cluster at the address.

    Examples
    --------
    >>> from geolive.engine.ray_cluster import RayEngine
    >>> RayEngine.name
    'ray'
    """

    name = "ray"

    def __init__(self, address: str | None = None) -> None:
        require_extra("ray")
        self.address = address
        self._started = False
        # workers that wait for work, by device
        self._idle: dict[str, list[Any]] = {}

    def __enter__(self) -> Self:
        # Ray would report its use to its makers
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # the form of this setting that later versions take without being asked
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        if self.address is not None:
            _check_address(self.address)
            # at an address of another kind of server Ray would try for a quarter of an hour, with a line for each try
            os.environ.setdefault("RAY_gcs_server_port_wait_time_s", "1")
            os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "error")
        import ray

        if ray.is_initialized():
            return self
        # without an address Ray would join any cluster that runs on this machine
        options: dict[str, Any] = {"address": self.address or "local"}
        if self.address is None:
            options["include_dashboard"] = False
        with _own_signals():
            try:
                ray.init(**options, logging_level=logging.ERROR, log_to_driver=False)
            except Exception as error:  # Ray also raises plain exceptions
                raise self._not_joined(error) from None
        self._started = True
        return self

    def _not_joined(self, error: Exception) -> InputError:
        """The error where Ray cannot be started, or the cluster be joined."""
        said = " ".join(str(error).split())[:200]
        if self.address is None:
            return InputError(
                f"engine='ray': Ray cannot be started on this machine ({said}); leave engine='ray' out to compute in one process",
                parameter="engine",
            )
        if "version" in said.lower():
            return InputError(
                f"address={self.address!r}: the cluster has other versions ({said}); install the same versions of Python and Ray "
                "on all machines",
                parameter="address",
            )
        return InputError(
            f"address={self.address!r}: no Ray cluster answers there ({said}); start one with: ray start --head",
            parameter="address",
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import ray

        for device in list(self._idle):
            self._end_workers(device)
        if self._started:
            with _own_signals():
                ray.shutdown()
            self._started = False

    def _end_workers(self, device: str) -> None:
        import ray

        for worker in self._idle.pop(device):
            ray.kill(worker)

    @property
    def n_workers(self) -> int:
        """Number of processors of the cluster."""
        import ray

        return max(1, int(ray.cluster_resources().get("CPU", 1)))

    def map_partitions(
        self,
        make: Callable[[], Callable[[P], R]],
        partitions: Sequence[P],
        *,
        device: str = "cpu",
        most_workers: int | None = None,
    ) -> Iterator[tuple[int, R]]:
        """Call a function on each partition, in no fixed order; see `geolive.engine.interface.Engine`."""
        if partitions:
            kind = "cuda" if device == "cuda" else "cpu"
            for other in [name for name in self._idle if name != kind]:
                self._end_workers(other)
            yield from _Pool(make, partitions, device, most_workers, self._idle.setdefault(kind, [])).results()

    def shared_budget(self, rate: float) -> Budget | None:
        """Return a budget of so many requests per second, kept by one actor, for all workers."""
        import ray

        actor = ray.remote(_TokenBucket).options(num_cpus=0, max_restarts=-1, max_concurrency=1).remote(rate)
        return _BudgetOfAll(actor)


def _check_address(address: str) -> None:
    """Raise InputError unless the address has a form that Ray knows, and a server listens there."""
    place = address.removeprefix("ray://")
    host, _, port = place.rpartition(":")
    if address == "auto":
        return
    if not (host and port.isdecimal()):
        raise InputError(
            f"address={address!r}: is not an address of a Ray cluster; give auto, HOST:PORT or ray://HOST:PORT",
            parameter="address",
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        said = " ".join(str(error).split())
        raise InputError(
            f"address={address!r}: no Ray cluster answers there ({said}); check host, port and network, or start one with: "
            "ray start --head",
            parameter="address",
        ) from None


def versions() -> dict[str, str]:
    """Return the versions of what decides the results of workers: geolive, and the libraries that are installed.

    Examples
    --------
    >>> sorted(versions())[:2]
    ['geolive', 'numpy']
    """
    import geolive

    found = {"geolive": geolive.__version__, "python": platform.python_version()}
    for name in _DECISIVE:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


class _Pool:
    """Partitions, and the workers that they are given to: one each, and none to a worker that has not started.

    Parameters
    ----------
    make : callable
    partitions : sequence
    device : str
    most_workers : int or None
    idle : list
        Workers of that device that wait for work; those that are still there at the end are put back.
    """

    def __init__(
        self,
        make: Callable[[], Callable[[Any], Any]],
        partitions: Sequence[Any],
        device: str,
        most_workers: int | None,
        idle: list[Any],
    ) -> None:
        import ray

        self.ray, self.partitions, self.idle = ray, partitions, idle
        # in a list, it is a reference that a worker follows when it needs the function
        self.make = [ray.put(make)]
        self.key = secrets.token_hex(8)
        needs = {"num_cpus": 1, "num_gpus": 1} if device == "cuda" else {"num_cpus": 1}
        self.worker = ray.remote(_Worker).options(**needs, max_restarts=0)
        there = int(ray.cluster_resources().get("GPU" if device == "cuda" else "CPU", 1))
        self.most = max(1, min(len(partitions), there, most_workers or there))
        self.left = deque(range(len(partitions)))
        self.versions, self.failed_starts = versions(), 0
        self.lost = dict.fromkeys(self.left, 0)
        # by the reference of what is awaited: the worker, and its partition or None while it starts
        self.awaited: dict[Any, tuple[Any, int | None]] = {}

    def results(self) -> Iterator[tuple[int, Any]]:
        for _ in range(self.most):
            self._start()
        try:
            n_left = len(self.partitions)
            while n_left:
                (ready, *_), _ = self.ray.wait(list(self.awaited), num_returns=1)
                worker, number = self.awaited.pop(ready)
                found = self._value(ready, worker, number)
                if found is not None and number is not None:
                    n_left -= 1
                    yield number, found[0]
        finally:
            for worker, _ in self.awaited.values():
                self.ray.kill(worker)

    def _start(self) -> None:
        # a new worker might wait for the processor that an idle one has
        worker: Any = self.idle.pop() if self.idle else self.worker.remote()
        self.awaited[worker.ready.remote(self.versions)] = worker, None

    def _value(self, ready: Any, worker: Any, number: int | None) -> tuple[Any] | None:
        """The value that was awaited; None where the worker was lost, whose place another one takes."""
        try:
            value = self.ray.get(ready)
        except self.ray.exceptions.RayActorError as error:
            self._lose(number, error)
            self._start()
            return None
        except self.ray.exceptions.RayTaskError as error:
            self.idle.append(worker)
            raise error.cause if isinstance(error.cause, Exception) else error from None
        except self.ray.exceptions.RaySystemError as error:
            said = " ".join(str(error).split())[:200]
            raise InputError(
                f"engine='ray': the workers cannot read the work ({said}); install the same versions of geolive and its "
                "libraries on all machines",
                parameter="engine",
            ) from None
        self.failed_starts = 0
        if self.left:
            following = self.left.popleft()
            task = worker.run.remote(self.key, self.make, self.partitions[following])
            self.awaited[task] = worker, following
        else:
            self.idle.append(worker)
        return (value,)

    def _lose(self, number: int | None, error: Exception) -> None:
        if number is None:
            self.failed_starts += 1
            if self.failed_starts >= _MOST_LOST:
                said = " ".join(str(error).split())[-200:]
                raise InputError(
                    f"engine='ray': {_MOST_LOST} workers have ended as they started ({said}); install the same versions of "
                    "geolive and its libraries on all machines, or see the logs of Ray",
                    parameter="engine",
                ) from None
            return
        self.lost[number] += 1
        if self.lost[number] >= _MOST_LOST:
            said = " ".join(str(error).split())[:200]
            raise InputError(
                f"engine='ray': partition {number + 1} of {len(self.partitions)} has ended its worker {_MOST_LOST} times "
                f"({said}); give workers more memory, or see the logs of Ray",
                parameter="engine",
            ) from None
        self.left.appendleft(number)


class _Worker:
    """An actor that makes a function at its first partition, and keeps it for the next ones."""

    def __init__(self) -> None:
        self._key = ""
        self._function: Callable[[Any], Any] | None = None

    def ready(self, expected: dict[str, str]) -> bool:
        """Check that this machine has the versions of the process that gives the work."""
        for name, version in versions().items():
            if expected.get(name, version) != version:
                raise InputError(
                    f"engine='ray': the machine {platform.node()} of the cluster has {name} {version}, and this one "
                    f"{expected[name]}; install the same versions on all machines",
                    parameter="engine",
                )
        return True

    def run(self, key: str, make: list[Any], partition: Any) -> Any:
        import ray

        if self._function is None or key != self._key:
            # the former one may hold a network
            self._function = None
            self._function, self._key = ray.get(make[0])(), key
        return self._function(partition)


class _TokenBucket:
    """An actor that gives turns to requests, so that all workers together keep a rate."""

    def __init__(self, rate: float) -> None:
        self._rate, self._next = rate, 0.0

    def take(self, number: int) -> float:
        """Take turns; return the seconds until the first of them."""
        now = time.monotonic()
        at = max(self._next, now)
        self._next = at + number / self._rate
        return at - now

    def pause(self, seconds: float) -> None:
        self._next = max(self._next, time.monotonic() + seconds)


class _BudgetOfAll:
    """The budget as a worker sees it; it may be sent to any worker."""

    def __init__(self, bucket: Any) -> None:
        self._bucket = bucket

    async def turn(self) -> None:
        """Wait until the next request may start."""
        await asyncio.sleep(await self._bucket.take.remote(1))

    def pause(self, seconds: float) -> None:
        """Let no worker begin a request for so many seconds."""
        self._bucket.pause.remote(seconds)


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what this process does on signals, which Ray would change."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
