"""The training loop of a network: epochs, early stopping, and checkpoints from which training continues to the same weights.

The loop is written here rather than taken from Lightning, which takes six seconds to import, longer than a network of this size
takes to train, and whose checkpoints are pickles.
"""

import contextlib
import copy
import hashlib
import json
import math
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from geolive.collectives import all_agree, from_first, rank_and_size
from geolive.errors import InputError, RestartWarning
from geolive.files import replacing
from geolive.models.adam import FusedAdam
from geolive.processors import one_library_thread

CHECKPOINT_SECONDS = 5.0


@dataclass
class Curve:
    """The losses of each epoch of a training, and the epoch whose weights were kept.

    Parameters
    ----------
    train, validation : list of float
        Mean loss of each epoch; `validation` is empty where no places were held out.
    errors : list of float
        The errors at the held-out places by which the best epoch is chosen, see `Validated`.
    best : int
        Number of the epoch (from 1) whose weights the network has.
    """

    train: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    best: int = 0


class Validated(NamedTuple):
    """What is measured at held-out places after an epoch.

    Parameters
    ----------
    loss : float
        The loss that training minimises, for the learning curve.
    error : float
        What the best epoch has least of: the loss, or another measure, for example 1 - accuracy.
    """

    loss: float
    error: float


@dataclass(frozen=True)
class Fitted:
    """The result of a training; the network itself has the weights of the best epoch.

    Parameters
    ----------
    curve : Curve
    last : dict of str to Tensor, optional
        The weights of the last epoch; None where these are the network's own, because no places were held out.
    """

    curve: Curve
    last: dict[str, torch.Tensor] | None = None


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Parameters
    ----------
    epochs : int
        Passes over the training places, at most.
    learning_rate : float
    patience : int
        Epochs without a lower validation error after which training stops; with 0 it never stops early.
    decay : bool
        Whether the learning rate falls to 0 along half a cosine.
    word : str
        What progress calls an epoch.
    """

    epochs: int
    learning_rate: float
    patience: int = 0
    decay: bool = False
    word: str = "epoch"

    def rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from 0."""
        return self.learning_rate * (0.5 * (1 + math.cos(math.pi * epoch / self.epochs)) if self.decay else 1.0)


def fit_network(
    network: nn.Module,
    optimizer: torch.optim.Optimizer | FusedAdam,
    generator: torch.Generator,
    schedule: Schedule,
    run_epoch: Callable[[int], float],
    validate: Callable[[], Validated] | None = None,
    *,
    checkpoint: Path | None = None,
    fingerprint: str = "",
    progress: Callable[[str], None] | None = None,
) -> Fitted:
    """Train a network in place; with `validate` it keeps the weights of the epoch with the least error at held-out places.

    Parameters
    ----------
    network : Module
    optimizer : Optimizer or FusedAdam
        Adam or one of its kind, over the network's parameters.
    generator : torch.Generator
        The only source of randomness in `run_epoch`.
    schedule : Schedule
    run_epoch : callable
        Takes the number of the epoch, counted from 0; trains for this epoch and returns the mean loss.
    validate : callable, optional
        Measures loss and error at held-out places.
    checkpoint : Path, optional
        A file that receives the state every few seconds and at the end. Where the file exists, training continues from it, to
        the same weights as if it had never stopped; the file of a finished training is only read.
    fingerprint : str
        A hash of data and settings; a checkpoint with another one is refused.
    progress : callable, optional
        Receives the epoch and the losses in words.

    Returns
    -------
    Fitted
        The learning curve, and the weights of the last epoch.

    Raises
    ------
    InputError
        The checkpoint is from another training or cannot be written; the last one written stays whole.

    Warns
    -----
    RestartWarning
        The checkpoint is damaged; training starts again.

    Examples
    --------
    >>> line = nn.Linear(1, 1)
    >>> adam = torch.optim.Adam(line.parameters())
    >>> fit_network(line, adam, torch.Generator(), Schedule(3, 1e-3), lambda epoch: 0.5).curve.train
    [0.5, 0.5, 0.5]
    """
    curve, kept = Curve(), None
    if checkpoint is not None and checkpoint.is_file():
        curve, kept = _read(checkpoint, fingerprint, network, optimizer, generator)
    rank, device = rank_and_size()[0], next(network.parameters()).device
    if not all_agree(len(curve.train), device):
        raise InputError(
            f"{checkpoint}: is not the same in all processes; choose a folder on a disk that all hosts share, under the same path"
        )
    written = time.monotonic()
    while not _is_over(curve, schedule):
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(len(curve.train))
        network.train()
        curve.train.append(run_epoch(len(curve.train)))
        if validate is not None:
            network.eval()
            # all processes stop after the same epoch, whatever their rounding
            found = Validated(*from_first(validate(), device))
            curve.validation.append(found.loss)
            curve.errors.append(found.error)
        if validate is None or curve.errors[-1] <= min(curve.errors):
            curve.best = len(curve.train)
            # without early stopping the network itself holds the last weights
            kept = _copy(network) if validate is not None else None
        if progress:
            progress(_words(curve, schedule))
        # one process writes for all
        if (
            rank == 0
            and checkpoint is not None
            and (_is_over(curve, schedule) or time.monotonic() - written >= CHECKPOINT_SECONDS)
        ):
            _write(checkpoint, fingerprint, network, optimizer, generator, curve, kept)
            written = time.monotonic()
    last = None
    if kept is not None:
        last = _copy(network)
        network.load_state_dict(kept)
    network.eval()
    return Fitted(curve, last)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Run torch and numpy's BLAS on one thread.

    Small networks and matrices gain little from more threads, or lose: on a busy machine the threads of OpenBLAS wait for each
    other at every step of an eigendecomposition. Sums would depend on the number of threads, too.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with one_library_thread("blas"):
            yield
    finally:
        torch.set_num_threads(before)


def _is_over(curve: Curve, schedule: Schedule) -> bool:
    done = len(curve.train)
    stale = bool(schedule.patience and curve.validation) and done - curve.best >= schedule.patience
    return done >= schedule.epochs or stale


def _words(curve: Curve, schedule: Schedule) -> str:
    held_out = f", held out {curve.validation[-1]:.3f}" if curve.validation else ""
    return f"{schedule.word} {len(curve.train)} of {schedule.epochs}, loss {curve.train[-1]:.3f}{held_out}"


def _copy(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _write(path, fingerprint, network, optimizer, generator, curve, kept) -> None:
    from safetensors.torch import save_file

    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"kept.{name}": tensor for name, tensor in (kept or {}).items()}
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": tensor for name, tensor in state.items()}
    tensors["generator"] = generator.get_state()
    tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    about = {"fingerprint": fingerprint, "curve": json.dumps(asdict(curve)), "sha256": _checksum(tensors)}
    try:
        with replacing(path) as temporary:
            save_file(tensors, temporary, about)
    except Exception as error:  # safetensors has errors of its own for what the system says
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path}: the checkpoint cannot be written ({reason}); free some space there, then start the same "
            "command again: it "
            "continues from the last checkpoint"
        ) from error


def _read(path, fingerprint, network, optimizer, generator) -> tuple[Curve, dict | None]:
    from safetensors import SafetensorError, safe_open

    before = _copy(network), copy.deepcopy(optimizer.state_dict()), generator.get_state()
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        if about.get("fingerprint") != fingerprint:
            raise InputError(
                f"{path}: is is is a checkpoint of other data or settings; remove that folder to start again"
            )
        if about["sha256"] != _checksum(tensors):
            raise ValueError("its checksum differs")
        network.load_state_dict(_under("network.", tensors))
        state = optimizer.state_dict()
        numbers = sorted({int(name.split(".")[1]) for name in tensors if name.startswith("optimizer.")})
        state["state"] = {number: _under(f"optimizer.{number}.", tensors) for number in numbers}
        optimizer.load_state_dict(state)
        generator.set_state(tensors["generator"])
        return Curve(**json.loads(about["curve"])), _under("kept.", tensors) or None
    except InputError:
        raise
    except (OSError, SafetensorError, RuntimeError, KeyError, ValueError, TypeError) as error:
        network.load_state_dict(before[0])
        optimizer.load_state_dict(before[1])
        generator.set_state(before[2])
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        words = f"{path} is damaged ({reason}), so this network is trained again from its first epoch"
        warnings.warn(words, RestartWarning, stacklevel=2)
        return Curve(), None


def _checksum(tensors: dict[str, torch.Tensor]) -> str:
    found = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        found.update(name.encode())
        found.update(tensor.numpy().tobytes())
    return found.hexdigest()


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
