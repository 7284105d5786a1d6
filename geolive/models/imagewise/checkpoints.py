"""Files of an unfinished training: the last epoch and the best one.

This module is imported only when training starts, because it needs the extra `imagewise`.
"""

import os
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Checkpoint

from geolive.errors import RestartWarning
from geolive.files import replacing

LAST, BEST = "last.ckpt", "best.ckpt"


class EpochFiles(Checkpoint):
    """Keeps the last epoch and the best one, the first of the lowest `val_loss`; an epoch that is both is written once.

    Lightning calls it after every epoch, in all processes.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lowest: float | None = None

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"lowest": self._lowest}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Read what a checkpoint kept."""
        self._lowest = state_dict["lowest"]

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write the epoch, and keep it as the best one if its loss is the lowest so far."""
        loss = float(trainer.callback_metrics["val_loss"])
        is_best = self._lowest is None or loss < self._lowest
        if is_best:
            # an epoch whose loss is not a number is worse than any other
            self._lowest = loss if loss == loss else float("inf")
        last = self.folder / LAST
        written = last.with_name(last.name + ".part")
        trainer.save_checkpoint(written)
        if trainer.is_global_zero:
            # the best is named first: after a crash between the two, the epoch is repeated, and is the best again
            if is_best:
                _place_also(written, self.folder / BEST)
            written.replace(last)
        trainer.strategy.barrier("epoch is kept")


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
