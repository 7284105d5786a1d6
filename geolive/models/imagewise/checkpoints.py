"""Files of an unfinished training: the last epoch and the best one.

This module is imported only when training starts, because it needs the extra `imagewise`.
"""

import itertools
import os
import shutil
import threading
import warnings
import zipfile
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning_utilities.core.apply_func import apply_to_collection

from geolive.errors import RestartWarning
from geolive.files import replacing

LAST, BEST = "last.ckpt", "best.ckpt"


class CheckpointWriter(TorchCheckpointIO):
    """Writes checkpoints in a thread of its own, while training goes on.

    The tensors are copied in memory before `save_checkpoint` returns. The copies are kept for the next checkpoint, because
    memory that is asked for again costs more time than the copying. Lightning calls this class in the first process only.
    """

    def __init__(self) -> None:
        self._copies: list[torch.Tensor] = []
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Begin to write a checkpoint.

        Parameters
        ----------
        checkpoint : dict
        path : str or Path
            The file gets this name when it is whole.
        storage_options : Path, optional
            Another name that the file gets before.
        """
        self.wait()
        arguments = (self._copied(checkpoint), Path(path), storage_options)
        self._thread = threading.Thread(target=self._write, args=arguments, name="checkpoint")
        self._thread.start()

    def wait(self) -> None:
        """Wait until the file is whole; raise what went wrong in the thread."""
        if self._thread:
            self._thread.join()
            self._thread = None
        self.check()

    def check(self) -> None:
        """Raise what went wrong in the thread so far."""
        if self._error:
            error, self._error = self._error, None
            raise error

    def teardown(self) -> None:
        """Wait; Lightning calls it when training has ended, or failed."""
        self.wait()

    def _copied(self, checkpoint: dict[str, Any]) -> dict[str, Any]:
        number = itertools.count()

        def copy(tensor: torch.Tensor) -> torch.Tensor:
            i = next(number)
            if i == len(self._copies):
                self._copies.append(torch.empty_like(tensor, device="cpu"))
            elif self._copies[i].shape != tensor.shape or self._copies[i].dtype != tensor.dtype:
                self._copies[i] = torch.empty_like(tensor, device="cpu")
            return self._copies[i].copy_(tensor.detach())

        return apply_to_collection(checkpoint, torch.Tensor, copy)

    def _write(self, checkpoint: dict[str, Any], path: Path, also: Path | None) -> None:
        written = path.with_name(path.name + ".part")
        try:
            save_tensors(checkpoint, written)
            # the other name comes first: after a crash between the two, the epoch is repeated, and is the best again
            if also:
                _place_also(written, also)
            written.replace(path)
        except BaseException as error:  # it is raised again in the main thread
            written.unlink(missing_ok=True)
            self._error = error


def save_tensors(content: dict[str, Any], path: Path) -> None:
    """Write a file for `torch.load`, without a copy of its bytes in memory.

    Raises
    ------
    OSError
        The disk is full, or the file cannot be written.
    """
    with path.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            # torch ends its file after a failed write, too, and that fails in other words
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


class EpochFiles(Checkpoint):
    """Keeps the last epoch and the best one, the first of the lowest `val_loss`; an epoch that is both is written once.

    An epoch is written while the next one trains, and it is on the disk when the steps of the next one have ended.
    Lightning calls this class in all processes.

    Parameters
    ----------
    folder : Path
    writer : CheckpointWriter
        Must be the trainer's `CheckpointIO`.
    """

    def __init__(self, folder: Path, writer: CheckpointWriter) -> None:
        self.folder, self.writer = folder, writer
        self._lowest: float | None = None

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"lowest": self._lowest}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Read what a checkpoint kept."""
        self._lowest = state_dict["lowest"]

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Stop where the last epoch could not be written, as on a full disk."""
        self.writer.check()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Wait for the epoch before this one."""
        self.writer.wait()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin to write the epoch, also as the best one if its loss is the lowest so far."""
        loss = float(trainer.callback_metrics["val_loss"])
        is_best = self._lowest is None or loss < self._lowest
        if is_best:
            # an epoch whose loss is not a number is worse than any other
            self._lowest = loss if loss == loss else float("inf")
        trainer.save_checkpoint(self.folder / LAST, storage_options=self.folder / BEST if is_best else None)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Wait, in all processes, until both files are there."""
        self.writer.wait()
        trainer.strategy.barrier("the last epoch is kept")


def _place_also(file: Path, path: Path) -> None:
    """Give a file a second name; copy it on a disk that cannot."""
    with replacing(path) as part:
        part.unlink()
        try:
            os.link(file, part)
        except OSError:
            shutil.copyfile(file, part)


def remove_damaged(folder: Path) -> None:
    """Remove checkpoints of which one is damaged or missing, so that training starts again.

    Parameters
    ----------
    folder : Path
    """
    files = [folder / LAST, folder / BEST]
    if not any(file.exists() for file in files):
        return
    for file in files:
        try:
            # torch does not compare the checksums of what it reads
            with zipfile.ZipFile(file) as parts:
                if damaged := parts.testzip():
                    raise ValueError(damaged)
            torch.load(file, map_location="cpu", weights_only=True)["history"]
        except Exception as error:  # zipfile, pickle and torch each have errors of their own for damaged bytes
            words = f"{file} is damaged or missing ({type(error).__name__}), so the network is trained again"
            warnings.warn(words, RestartWarning, stacklevel=2)
            for other in files:
                other.unlink(missing_ok=True)
            return


def has_ended(last: Path, epochs: int) -> bool:
    """Return whether the training that wrote a checkpoint of its last epoch had ended.

    Parameters
    ----------
    last : Path
    epochs : int
        Largest number of epochs.
    """
    checkpoint = torch.load(last, map_location="cpu", weights_only=True)
    early = [state for name, state in checkpoint["callbacks"].items() if name.startswith("EarlyStopping")]
    return len(checkpoint["history"]) >= epochs or any(state["stopped_epoch"] > 0 for state in early)
