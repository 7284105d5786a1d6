"""The training loop of image-wise networks, with PyTorch Lightning.

This module is imported only when training starts, because it needs the extra `imagewise`.
"""

import contextlib
import logging
import math
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Literal, NamedTuple

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.plugins.environments import TorchElasticEnvironment
from lightning.pytorch.strategies import DDPStrategy
from torch import nn
from torch.utils.data import DataLoader

from geolive.collectives import all_agree, rank_and_size
from geolive.errors import InputError
from geolive.models.imagewise.batch_norm import share_batch_norm
from geolive.models.imagewise.checkpoints import BEST, LAST, CheckpointWriter, EpochFiles, has_ended, remove_damaged
from geolive.models.imagewise.photo_cache import DecodedPhotos, augment, epoch_order, uniforms
from geolive.process_group import launched
from geolive.vision.devices import Device
from geolive.vision.images import begin_worker
from geolive.vision.preprocessing import Preprocessing

PRECISION: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "float32": "32-true",
    "bfloat16": "bf16-mixed",
    "float16": "16-mixed",
}
# the learning rate rises over this share of the steps, then falls as a cosine
WARM_UP = 0.1
_DRAWS = 9


@dataclass(frozen=True)
class TrainingSettings:
    """How to train a network.

    Parameters
    ----------
    task : {"regression", "classification"}
    random_state : int
    epochs : int
    batch_size : int
        Photos in one step, over all devices and accumulated parts.
    learning_rate, weight_decay : float
    patience : int
        Epochs without a better validation score after which training stops.
    device : Device
    devices, nodes : int
        Number of processes on each host, and of hosts, that share each batch.
    accumulate : int
        Number of parts of a batch that go through the network one after the other, so that the batch fits into memory.
    workers : int
        Number of processes that read pixels, for each device.
    bar : bool
        Whether to show a progress bar.
    """

    task: str = "regression"
    random_state: int = 0
    epochs: int = 10
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    patience: int = 5
    device: Device = field(default_factory=lambda: Device("cpu", "float32"))
    devices: int = 1
    nodes: int = 1
    accumulate: int = 1
    workers: int = 0
    bar: bool = False

    @property
    def processes(self) -> int:
        """Number of processes that share each batch."""
        return self.devices * self.nodes


@dataclass(frozen=True)
class TrainingPhotos:
    """The training photos, with their targets.

    Parameters
    ----------
    pixels : DecodedPhotos
    preprocessing : Preprocessing
    train, validation : array of int
        Rows of `pixels` in each part.
    cluster : array of int, shape (rows,)
        Cluster of each photo.
    targets : array of float, shape (clusters,)
        Standardised value, or label, of each cluster.
    """

    pixels: DecodedPhotos
    preprocessing: Preprocessing
    train: np.ndarray
    validation: np.ndarray
    cluster: np.ndarray
    targets: np.ndarray


def cluster_means(outputs: np.ndarray, cluster: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The clusters of photos, ascending, and the mean of the outputs of each cluster's photos.

    Examples
    --------
    >>> cluster_means(np.array([1.0, 3.0, 5.0]), np.array([7, 7, 2]))
    (array([2, 7]), array([5., 2.]))
    """
    clusters, number = np.unique(cluster, return_inverse=True)
    return clusters, np.bincount(number, outputs) / np.bincount(number)


class _Batches(torch.utils.data.Dataset):
    """Batches by number: pixels and their row numbers."""

    def __init__(self, pixels: DecodedPhotos, batches: list[np.ndarray]):
        self.pixels, self.batches = pixels, batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        rows = self.batches[number]
        return self.pixels.read(rows), torch.from_numpy(rows)


class Learner(pl.LightningModule):
    """A network in training: Lightning calls its methods in each step and epoch.

    Parameters
    ----------
    network : Module
        From standardised images to outputs, shape (n, 1) or (n, 2).
    photos : TrainingPhotos
    settings : TrainingSettings
    """

    def __init__(self, network: nn.Module, photos: TrainingPhotos, settings: TrainingSettings):
        super().__init__()
        self.network, self.photos, self.settings = network, photos, settings
        self.history: list[dict[str, float]] = []
        self.progress: Callable[[str], None] | None = None
        self.stopped = False
        self._outputs: list[tuple[torch.Tensor, torch.Tensor]] = []

    @property
    def part(self) -> int:
        """Number of photos that one process takes at once."""
        return min(self.settings.batch_size, len(self.photos.train)) // self._parts

    @property
    def _parts(self) -> int:
        return self.settings.processes * self.settings.accumulate

    @property
    def steps(self) -> int:
        """Number of steps in an epoch; photos that do not fill a batch are left out of this epoch."""
        return len(self.photos.train) // (self.part * self._parts)

    def setup(self, stage: str) -> None:
        """Divide the processor's cores among processes that share one processor."""
        # torchrun and srun divide them before
        if self.settings.devices > 1 and self.settings.device.name == "cpu" and launched() is None:
            torch.set_num_threads(max(1, torch.get_num_threads() // self.settings.devices))

    def configure_optimizers(self) -> Any:
        """AdamW with a learning rate that rises and then falls."""
        optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=self.settings.learning_rate,
            weight_decay=self.settings.weight_decay,
            # one pass over the weights in place of ten
            fused=self.settings.device.name in ("cpu", "cuda"),
        )
        total = self.steps * self.settings.epochs
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, total))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def train_dataloader(self) -> DataLoader:
        """The batches of this epoch for this process; made again for each epoch."""
        rows = self.photos.train[epoch_order(len(self.photos.train), self.settings.random_state, self.current_epoch)]
        rows = rows[: self.steps * self.part * self._parts]
        # photos are dealt to the parts of each step one by one, so that the parts together are the batch of a single process
        parts = rows.reshape(self.steps, self.part, self._parts).transpose(0, 2, 1)
        mine = parts.reshape(self.steps, self.settings.accumulate, self.settings.processes, self.part)
        return self._loader(list(mine[:, :, self.global_rank].reshape(-1, self.part)))

    def val_dataloader(self) -> DataLoader:
        """This process's share of the validation photos, filled up so that all processes have equally many."""
        rows, processes = self.photos.validation, self.settings.processes
        filled = np.resize(rows, math.ceil(len(rows) / processes) * processes)
        mine = filled[self.global_rank :: processes]
        return self._loader(np.array_split(mine, math.ceil(len(mine) / max(self.part, 32))))

    def _loader(self, batches: list[np.ndarray]) -> DataLoader:
        return DataLoader(
            _Batches(self.photos.pixels, batches),
            batch_size=None,
            num_workers=self.settings.workers,
            pin_memory=self.settings.device.name == "cuda",
            worker_init_fn=begin_worker,
        )

    def transfer_batch_to_device(self, batch, device, dataloader_idx):
        """Move the pixels to the device while the processor continues; row numbers stay."""
        return batch[0].to(device, non_blocking=True), batch[1]

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Stop where a signal asked for it."""
        if self.stopped:
            raise KeyboardInterrupt

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Outputs for pixels from 0 to 255."""
        return self.network(self.photos.preprocessing.normalise(pixels))

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], number: int) -> torch.Tensor:
        """The mean loss of a part of a batch."""
        pixels, rows = batch[0], batch[1].cpu().numpy()
        drawn = uniforms(self.settings.random_state, self.current_epoch, rows, _DRAWS)
        loss = self._loss(self(augment(pixels, drawn)), rows).mean()
        self.log("train_loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(rows), sync_dist=True)
        return loss

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], number: int) -> None:
        """Keep the outputs until all photos have some."""
        self._outputs.append((batch[1], self(batch[0]).float()))

    def on_validation_epoch_end(self) -> None:
        """Score the validation part: the mean squared error, or log loss, of cluster means chooses the epoch."""
        images = torch.cat([rows for rows, _ in self._outputs]).to(self.device)
        outputs = torch.cat([outputs for _, outputs in self._outputs])
        self._outputs.clear()
        if self.settings.processes > 1:
            images, outputs = self._gathered(images), self._gathered(outputs)
        rows, first = np.unique(images.cpu().numpy(), return_index=True)
        predictions = predictions_of(outputs.cpu().double().numpy()[first], self.settings.task)
        clusters, means = cluster_means(predictions, self.photos.cluster[rows])
        per_cluster = _score(means, self.photos.targets[clusters], self.settings.task)
        per_image = _score(predictions, self.photos.targets[self.photos.cluster[rows]], self.settings.task)
        self.log("val_loss", torch.tensor(per_cluster, dtype=torch.float32), prog_bar=True)
        self.log("val_loss_images", torch.tensor(per_image, dtype=torch.float32))

    def _gathered(self, own: torch.Tensor) -> torch.Tensor:
        """The rows of all processes."""
        everywhere = self.all_gather(own)
        assert isinstance(everywhere, torch.Tensor)
        return everywhere.flatten(0, 1)

    def on_train_epoch_end(self) -> None:
        """Add the epoch's figures to the history, which checkpoints keep."""
        figures = {name: float(value) for name, value in self.trainer.callback_metrics.items()}
        self.history.append({"epoch": self.current_epoch + 1, **figures})
        if self.progress:
            losses = ", ".join(f"{name} {figures[name]:.3f}" for name in ("train_loss", "val_loss"))
            self.progress(f"epoch {self.current_epoch + 1} of {self.settings.epochs}, {losses}")

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Add the history to a checkpoint."""
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        """Read the history from a checkpoint."""
        self.history = list(checkpoint["history"])

    def _loss(self, outputs: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        targets = torch.from_numpy(self.photos.targets[self.photos.cluster[rows]]).to(outputs.device)
        if self.settings.task == "classification":
            return nn.functional.cross_entropy(outputs.float(), targets.long(), reduction="none")
        return (outputs[:, 0].float() - targets.float()) ** 2


def predictions_of(outputs: np.ndarray, task: str) -> np.ndarray:
    """Turn a network's outputs into probabilities of label 1, or standardised values, shape (n,).

    Examples
    --------
    >>> predictions_of(np.array([[0.0, 0.0], [-9.0, 9.0]]), "classification").round(3).tolist()
    [0.5, 1.0]
    """
    return 1 / (1 + np.exp(outputs[:, 0] - outputs[:, 1])) if task == "classification" else outputs[:, 0]


def _score(predictions: np.ndarray, targets: np.ndarray, task: str) -> float:
    if task == "regression":
        return float(((predictions - targets) ** 2).mean())
    right = np.where(targets == 1, predictions, 1 - predictions)
    return float(-np.log(np.maximum(right, 1e-12)).mean())


def _rate(step: int, total: int) -> float:
    warm = max(1, round(WARM_UP * total))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm) / max(1, total - warm))))


class TrainedWeights(NamedTuple):
    """What a training gives.

    Parameters
    ----------
    best : dict of str to tensor
        The weights of the best epoch.
    history : list of dict
        For each epoch: `epoch`, `train_loss`, `val_loss` (of cluster means), `val_loss_images`.
    last : dict of str to tensor
        The weights of the last epoch.
    """

    best: dict[str, torch.Tensor]
    history: list[dict[str, float]]
    last: dict[str, torch.Tensor]


def train_cnn(
    network: nn.Module,
    photos: TrainingPhotos,
    settings: TrainingSettings,
    folder: Path,
    logs: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> TrainedWeights:
    """Train a network; a call with the same arguments after an interruption continues, and ends with the same weights.

    Parameters
    ----------
    network : Module
        Its weights are the start of the training.
    photos : TrainingPhotos
    settings : TrainingSettings
    folder : Path
        Folder of checkpoints: of the last epoch, and of the best epoch on the validation part.
    logs : Path, optional
        Folder for `metrics.csv` and TensorBoard's events.
    progress : callable, optional
        Called with the epoch and its losses in words.

    Returns
    -------
    TrainedWeights

    Raises
    ------
    InputError
        A batch has fewer photos than there are devices and parts to share it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    last = folder / LAST
    rank, size = rank_and_size()
    if rank == 0:
        remove_damaged(folder)
    if not all_agree(last.is_file(), _exchange_device(settings)):
        raise InputError(
            f"{folder}: is not the same in all processes; choose a folder on a disk that all hosts share, under the same path"
        )
    # a trunk that was loaded for evaluation would stay in that mode, and its batch norms would keep ImageNet's statistics
    learner = Learner(network.to(memory_format=torch.channels_last).train(), photos, settings)
    if learner.part < 1:
        raise InputError(
            f"batch_size={settings.batch_size}: fewer photos than {settings.processes} devices × {settings.accumulate} "
            "parts; choose a larger batch_size"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _quiet()
        if settings.processes > 1:
            share_batch_norm(learner.network, settings.device.name)
        if not (last.is_file() and has_ended(last, settings.epochs)):
            # a callable cannot be sent to processes that Lightning starts
            learner.progress = progress if settings.processes == 1 or size > 1 else None
            trainer = _trainer(learner, settings, folder, logs)
            _fit(trainer, learner, last if last.is_file() else None)
    of_best, of_last = (torch.load(file, map_location="cpu", weights_only=True) for file in (folder / BEST, last))
    return TrainedWeights(_network_weights(of_best), of_last["history"], _network_weights(of_last))


def _exchange_device(settings: TrainingSettings) -> str:
    """Return the kind of device whose tensors the processes exchange."""
    return "cuda" if settings.device.name == "cuda" else "cpu"


def _network_weights(checkpoint: dict[str, Any]) -> dict[str, torch.Tensor]:
    states = checkpoint["state_dict"]
    return {name.removeprefix("network."): states[name] for name in states if name.startswith("network.")}


def _fit(trainer: pl.Trainer, learner: Learner, begun: Path | None) -> None:
    """Train; a training that was stopped raises KeyboardInterrupt, which Lightning makes an exit with code 0 or 1."""
    try:
        with _remembered_stop(learner):
            trainer.fit(learner, ckpt_path=begun, weights_only=True)
    except SystemExit as left:
        raise KeyboardInterrupt from left
    except torch.multiprocessing.ProcessExitedException as error:
        raise InputError(
            f"one of the {learner.settings.devices} processes of the training ended ({error}); make sure that there is memory "
            "for all, then run the same command again: it continues after the last epoch that it wrote"
        ) from error
    if trainer.interrupted or trainer.received_sigterm:
        raise KeyboardInterrupt


@contextlib.contextmanager
def _remembered_stop(learner: Learner) -> Iterator[None]:
    """Remember Ctrl-C in the learner: an exception that is raised while Python removes an object (a DataLoader) is lost."""
    before = signal.getsignal(signal.SIGINT)
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        learner.stopped = True
        before(number, frame)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _trainer(learner: Learner, settings: TrainingSettings, folder: Path, logs: Path | None) -> pl.Trainer:
    writer = CheckpointWriter()
    callbacks: list[Callback] = [
        EarlyStopping("val_loss", patience=settings.patience, check_on_train_epoch_end=True),
        EpochFiles(folder, writer),
    ]
    callbacks += [RichProgressBar(leave=False)] if settings.bar else []
    cuda = settings.device.name == "cuda"
    # torchrun or srun has started the processes, and they have joined
    started = rank_and_size()[1] > 1
    method: Literal["popen", "spawn"] = "popen" if started else "spawn"
    backend = "nccl" if cuda else "gloo"
    return pl.Trainer(
        accelerator={"cuda": "gpu"}.get(settings.device.name, settings.device.name),
        devices=settings.devices,
        num_nodes=settings.nodes,
        strategy=DDPStrategy(start_method=method, process_group_backend=backend) if settings.processes > 1 else "auto",
        plugins=[writer, *([TorchElasticEnvironment()] if started else [])],
        precision=PRECISION[settings.device.precision],
        max_epochs=settings.epochs,
        accumulate_grad_batches=settings.accumulate,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        callbacks=callbacks,
        logger=[CSVLogger(logs, "", ""), TensorBoardLogger(logs, "", "")] if logs else False,
        log_every_n_steps=max(1, min(50, learner.steps)),
        num_sanity_val_steps=0,
        enable_progress_bar=settings.bar,
        enable_model_summary=False,
        # equal weights in each training need equal sums
        deterministic="warn" if cuda else None,
        benchmark=False,
    )


def _quiet() -> None:
    for name in ("lightning.pytorch", "lightning.fabric", "pytorch_lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
