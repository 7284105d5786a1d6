"""Several processes, on one machine or many, that train one network: who started them, how they join, and how one is missed.

torchrun and srun start a command once for each device. The processes find one another through a store on the first host; each
writes there every second that it is alive. A process that is killed, or whose host fails, is silent, and the others end with one
line that names it, rather than wait for it.
"""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from geolive.errors import InputError
from geolive.terminal_text import clean

if TYPE_CHECKING:
    import torch

# seconds of silence after which a process counts as lost
PATIENCE_VARIABLE, PATIENCE = "GEOLIVE_PEER_TIMEOUT", 60.0
_JOIN_SECONDS, _BEAT, _GRACE = 600.0, 1.0, 5.0
_REMEDY = (
    "what was trained up to the last checkpoint is kept: start the same command again with --resume, on as many hosts or on "
    "fewer"
)
_LIBRARY_WORDS = ("gloo", "nccl", "connection", "store", "timed out", "process group")


@dataclass(frozen=True)
class Launched:
    """The place of this process among those that torchrun or srun started.

    Parameters
    ----------
    starter : str
        torchrun or srun.
    rank, size : int
        Number of this process, from 0, and how many there are.
    local_rank, on_host : int
        Number of this process on its host, and how many are there.
    address, port : str and int
        Where the first process waits for the others.
    """

    starter: str
    rank: int
    size: int
    local_rank: int
    on_host: int
    address: str
    port: int

    @property
    def nodes(self) -> int:
        """Number of hosts."""
        return self.size // self.on_host


def launched(environment: Mapping[str, str] = os.environ) -> Launched | None:
    """Return the place of this process among those that train together; None where torchrun or srun did not start it.

    Parameters
    ----------
    environment : mapping of str to str
        Environment variables.

    Raises
    ------
    InputError
        A variable is missing or is not a number.

    Examples
    --------
    >>> launched({}) is None
    True
    >>> step = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_STEP_NUM_NODES": "2"}
    >>> found = launched(step | {"SLURM_STEP_NODELIST": "node[07-08]", "SLURM_JOB_ID": "5"})
    >>> found.rank, found.nodes, found.address
    (3, 2, 'node07')
    """
    try:
        if "RANK" in environment and "WORLD_SIZE" in environment:
            size = int(environment["WORLD_SIZE"])
            on_host = int(environment.get("LOCAL_WORLD_SIZE", 1))
            rank, local = int(environment["RANK"]), int(environment.get("LOCAL_RANK", 0))
            address, port = environment.get("MASTER_ADDR", "127.0.0.1"), int(environment["MASTER_PORT"])
            return Launched("torchrun", rank, size, local, on_host, address, port) if size > 1 else None
        # srun sets this variable, and sbatch does not: a command of the batch script itself is one process
        size = int(environment.get("SLURM_STEP_NUM_TASKS", 1))
        if size == 1:
            return None
        nodes = int(environment["SLURM_STEP_NUM_NODES"])
        first = re.sub(r"\[(\w+)[^\]]*\]", r"\1", environment["SLURM_STEP_NODELIST"]).split(",")[0]
        port = int(environment.get("MASTER_PORT", 20_000 + int(environment["SLURM_JOB_ID"]) % 20_000))
        address = environment.get("MASTER_ADDR", first)
        rank, local = int(environment["SLURM_PROCID"]), int(environment["SLURM_LOCALID"])
        return Launched("srun", rank, size, local, size // nodes, address, port)
    except KeyError as error:
        raise InputError(
            f"the environment variable {error.args[0]} is missing; start the command by torchrun or srun"
        ) from None
    except ValueError as error:
        raise InputError(
            f"a variable of torchrun or srun is not a number ({error}); start the command by torchrun or srun"
        ) from None


def check_devices(found: Launched | None, devices: int | None, nodes: int | None) -> None:
    """Raise where the given numbers of devices and hosts are not those that the processes were started for.

    Parameters
    ----------
    found : Launched or None
    devices, nodes : int, optional
        Devices of each host, and hosts, as they were asked for.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_devices(None, 2, 2)
    Traceback (most recent call last):
    geolive.errors.InputError: nodes=2: start the same command on each host by torchrun --nnodes 2 --nproc-per-node 2, or by srun
    """
    if found is None:
        if (nodes or 1) > 1:
            each = devices or 1
            raise InputError(
                f"nodes={nodes}: start the same command on each host by torchrun --nnodes {nodes} --nproc-per-node {each}, or by "
                "srun",
                parameter="nodes",
            )
        return
    for name, given, started in (("nodes", nodes, found.nodes), ("devices", devices, found.on_host)):
        if given is not None and given != started:
            what = "hosts" if name == "nodes" else "processes on each host"
            option = {"torchrun": {"nodes": "--nnodes", "devices": "--nproc-per-node"}}.get(
                found.starter, {"nodes": "--nodes", "devices": "--ntasks-per-node"}
            )[name]
            raise InputError(
                f"{name}={given}: {found.starter} started {started} {what}; give {found.starter} {option} {given}, or "
                f"{name}={started}",
                parameter=name,
            )


def start_processes(devices: int) -> int:
    """Start this command once for each device of this machine, as torchrun does, and wait for all.

    Parameters
    ----------
    devices : int

    Returns
    -------
    int
        0, or the exit code of the first process that failed; the others are then told to stop.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": devices, "LOCAL_WORLD_SIZE": devices, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    command = [sys.executable, "-m", "geolive", *sys.argv[1:]]
    processes = []
    try:
        for rank in range(devices):
            own = {name: str(value) for name, value in (shared | {"RANK": rank, "LOCAL_RANK": rank}).items()}
            processes.append(subprocess.Popen(command, env=os.environ | own))
        while True:
            codes = [process.poll() for process in processes]
            failed = [code for code in codes if code]
            if failed:
                return failed[0] if failed[0] > 0 else 128 - failed[0]
            if None not in codes:
                return 0
            time.sleep(0.1)
    finally:
        _stop(processes)


def _stop(processes: list[subprocess.Popen]) -> None:
    """End the processes that still run: those that miss another say so themselves first."""
    deadline = time.monotonic() + _patience() + 3 * _GRACE
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        if process.poll() is None:
            process.kill()


def _patience() -> float:
    text = os.environ.get(PATIENCE_VARIABLE, "")
    try:
        return float(text) if text else PATIENCE
    except ValueError:
        raise InputError(f"{PATIENCE_VARIABLE}={text}: must be a number of seconds, for example 60") from None


@contextlib.contextmanager
def joined(found: Launched | None, device: str) -> Iterator[int]:
    """Join the other processes within the block.

    Parameters
    ----------
    found : Launched or None
        As `launched` gives it; with None this process trains alone.
    device : {"auto", "cpu", "cuda"}
        Processes exchange tensors by NCCL on CUDA devices, and by Gloo else.

    Yields
    ------
    int
        The rank of this process; only rank 0 should write files and print.

    Raises
    ------
    InputError
        Not all processes came, or one ended or was lost.

    Examples
    --------
    >>> with joined(None, "cpu") as rank:
    ...     rank
    0
    """
    if found is None:
        yield 0
        return
    from torch import distributed

    store, watch = _meet(found), None
    try:
        _export(found)
        watch = _Watch(store, found, _patience())
        watch.start()
        distributed.init_process_group(
            _backend(device, found.local_rank),
            store=distributed.PrefixStore("group", store),
            rank=found.rank,
            world_size=found.size,
            # the watch notices who is lost; a process may wait long for one that decodes photos
            timeout=timedelta(days=2),
        )
        _Shared.store, _Shared.watch = store, watch
        yield found.rank
        watch.end("done")
    except BaseException as error:
        cause = watch.explain(error) if watch else error
        if cause is error:
            raise
        raise cause from error
    finally:
        _Shared.store = _Shared.watch = None
        if distributed.is_initialized():
            with contextlib.suppress(RuntimeError):
                distributed.destroy_process_group()


class _Shared:
    """The store of the processes that this one has joined, and the watch on them."""

    store: "torch.distributed.Store | None" = None
    watch: "_Watch | None" = None
    steps = 0


def once(name: str, make: Callable[[], Any]) -> Any:
    """Call a function in the first process alone, and give what it returns to all, however long it takes.

    Parameters
    ----------
    name : str
        Of this step; all processes take the same steps in the same order.
    make : callable
        Returns something that JSON can write.

    Examples
    --------
    >>> once("decoding", lambda: {"failures": 2})
    {'failures': 2}
    """
    store, watch = _Shared.store, _Shared.watch
    if store is None or watch is None:
        return json.loads(json.dumps(make()))
    from torch import distributed

    _Shared.steps += 1
    key = f"once/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}/{_Shared.steps}/{name}"
    if distributed.get_rank() == 0:
        store.set(key, json.dumps(make()))
    while not store.check([key]):
        if watch.found_out.wait(0.2):
            raise InputError(watch.verdict)
    return json.loads(store.get(key))


def _backend(device: str, local_rank: int) -> str:
    import torch

    if device == "cpu" or not torch.cuda.is_available():
        return "gloo"
    if local_rank >= torch.cuda.device_count():
        raise InputError(
            f"devices={local_rank + 1}: this host has {torch.cuda.device_count()} CUDA devices; start fewer processes on it"
        )
    torch.cuda.set_device(local_rank)
    return "nccl"


def _export(found: Launched) -> None:
    """Set the variables of torchrun, which Lightning reads, where srun started the processes."""
    values = {
        "RANK": found.rank,
        "WORLD_SIZE": found.size,
        "LOCAL_RANK": found.local_rank,
        "LOCAL_WORLD_SIZE": found.on_host,
        "GROUP_RANK": found.rank // found.on_host,
        "MASTER_ADDR": found.address,
        "MASTER_PORT": found.port,
    }
    os.environ.update({name: str(value) for name, value in values.items()})


def _meet(found: Launched) -> "torch.distributed.TCPStore":
    """Connect to the store of the first process, or of the torchrun that started it, and wait for all processes."""
    from torch import distributed

    has_store = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    limit = timedelta(seconds=_JOIN_SECONDS)
    try:
        store = distributed.TCPStore(
            found.address, found.port, found.size, is_master=found.rank == 0 and not has_store, timeout=limit
        )
        return store
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise InputError(
            f"{found.address}:{found.port}: not all of the {found.size} processes met there within {_JOIN_SECONDS:.0f} s "
            f"({reason}); check that all were started, and that MASTER_ADDR and MASTER_PORT can be reached from each host"
        ) from None


class _Watch(threading.Thread):
    """Says every second that this process is alive, and notices which other is not."""

    def __init__(self, store: "torch.distributed.TCPStore", found: Launched, patience: float):
        super().__init__(daemon=True, name="peers")
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        # a connection of its own: the process may wait in the other one
        self.store, self.found, self.prefix = store.clone(), found, f"peer/{attempt}"
        self.patience, self.grace = patience, min(patience, _GRACE)
        self.hosts: dict[int, str] = {}
        self.verdict = ""
        self.found_out, self.over = threading.Event(), threading.Event()
        self.store.set(f"{self.prefix}/host/{found.rank}", socket.gethostname())
        self._say("0")

    def run(self) -> None:
        """Beat and listen until the end; end the process where it hangs although another is lost."""
        try:
            self._listen()
        except Exception:  # the store went away with the first process
            self._decide(0, f"does not answer; {_REMEDY}")
        if self.verdict and not self.over.wait(self.grace):
            # the process waits inside a library for one that will not come
            self._leave()
            print(f"error: {clean(self.verdict)}", file=sys.stderr, flush=True)
            os._exit(2)

    def _listen(self) -> None:
        others = [rank for rank in range(self.found.size) if rank != self.found.rank]
        self.hosts = {rank: self.store.get(f"{self.prefix}/host/{rank}").decode() for rank in others}
        heard = dict.fromkeys(others, ("", time.monotonic()))
        beat = 0
        while not self.over.wait(_BEAT) and not self.verdict:
            beat += 1
            self._say(str(beat))
            said = self.store.multi_get([self._key(rank) for rank in others])
            for rank, word in zip(others, (value.decode() for value in said), strict=True):
                if word.startswith("failed"):
                    self._decide(rank, f"stopped ({word.removeprefix('failed: ')}); {_REMEDY}")
                elif word != heard[rank][0]:
                    heard[rank] = (word, time.monotonic())
                elif word != "done" and time.monotonic() - heard[rank][1] > self.patience:
                    self._decide(rank, f"has not answered for {self.patience:.0f} s; {_REMEDY}")

    def end(self, word: str) -> None:
        """Stop watching, and tell the others how this process ended; the first waits until none needs its store."""
        self.over.set()
        self.join(self.grace)
        with contextlib.suppress(Exception):
            self._say(word)
            waiting = set(range(self.found.size)) if self.found.rank == 0 else set()
            deadline = time.monotonic() + self.patience
            while waiting and time.monotonic() < deadline:
                waiting = {rank for rank in waiting if self.store.get(self._key(rank)).decode().isdigit()}
                time.sleep(0.05)

    def explain(self, error: BaseException) -> BaseException:
        """Return the error that says which other process is the cause, where one is; else tell the others of this error."""
        words = f"{type(error).__name__}: {error}".lower()
        if isinstance(error, RuntimeError) and any(word in words for word in _LIBRARY_WORDS):
            # a connection has ended already, so a short silence tells which
            self.patience = self.grace
            self.found_out.wait(2 * self.grace + 2 * _BEAT)
        self.over.set()
        if self.verdict:
            self._leave()
            return InputError(self.verdict)
        what = str(error) if isinstance(error, InputError) else type(error).__name__
        what = "by a signal" if isinstance(error, KeyboardInterrupt) else what
        self.end(f"failed: {' '.join(what.split())[:300]}")
        return error

    def _key(self, rank: int) -> str:
        return f"{self.prefix}/alive/{rank}"

    def _leave(self) -> None:
        """Tell the others that this process ends because it misses one of them."""
        with contextlib.suppress(Exception):
            self._say("leaves")

    def _say(self, word: str) -> None:
        self.store.set(self._key(self.found.rank), word)

    def _decide(self, rank: int, words: str) -> None:
        host = self.hosts.get(rank, self.found.address)
        self.verdict = self.verdict or f"rank {rank} on {host} {words}"
        self.found_out.set()
