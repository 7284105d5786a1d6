"""How an image-wise network is trained: PyTorch Lightning around the pixels of `geolive.models.imagewise.photo_cache`.

Imported only where training begins, since it needs the extra `imagewise`.
"""

import logging
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy
from torch import distributed, nn
from torch.utils.data import DataLoader

from geolive.errors import InputError
from geolive.models.imagewise.photo_cache import Pixels, augment, epoch_order, uniforms
from geolive.vision.devices import Device
from geolive.vision.preprocessing import Preprocessing

PRECISION = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}
LAST, BEST = "last.ckpt", "best.ckpt"
# the learning rate rises over this share of the steps, then falls as a cosine
WARM_UP = 0.1
_DRAWS = 9


@dataclass(frozen=True)
class Settings:
    """How to train; what decides the weights, and what only decides where and how fast.

    Parameters
    ----------
    task : {"regression", "classification"}
    seed : int
    epochs, batch_size : int
        `batch_size` photos a step, over all devices and accumulated parts.
    learning_rate, weight_decay : float
    patience : int
        Epochs without a better validation score after which training stops.
    device : Device
    devices : int
        Processes that share each batch.
    accumulate : int
        Parts of a batch that go through the network one after the other, so that it fits into memory.
    workers : int
        Processes that read pixels, for each device.
    bar : bool
        Whether to show a progress bar.
    """

    task: str = "regression"
    seed: int = 0
    epochs: int = 10
    batch_size: int = 256
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    patience: int = 5
    device: Device = field(default_factory=lambda: Device("cpu", "float32"))
    devices: int = 1
    accumulate: int = 1
    workers: int = 0
    bar: bool = False


@dataclass(frozen=True)
class Photos:
    """What there is to learn from.

    Parameters
    ----------
    pixels : Pixels
    preprocessing : Preprocessing
    train, validation : array of int
        Rows of `pixels`.
    cluster : array of int, shape (rows,)
        Cluster of each photo.
    wanted : array of float, shape (clusters,)
        Standardised value, or label, of each cluster.
    """

    pixels: Pixels
    preprocessing: Preprocessing
    train: np.ndarray
    validation: np.ndarray
    cluster: np.ndarray
    wanted: np.ndarray


class _SumOfAll(torch.autograd.Function):
    """The sum over all processes, through which gradients flow back to all of them."""

    @staticmethod
    def forward(ctx, own: torch.Tensor) -> torch.Tensor:
        total = own.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
        total = gradient.clone()
        distributed.all_reduce(total)
        return total


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the photos of all processes, where torch has it for CUDA devices only.

    With one process it is torch's own.
    """

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Normalise by mean and variance of all processes' photos; as many in each."""
        if not (self.training and distributed.is_initialized() and distributed.get_world_size() > 1):
            return super().forward(inputs)
        world = distributed.get_world_size()
        mean = _SumOfAll.apply(inputs.mean(dim=(0, 2, 3))) / world
        centred = inputs - mean[:, None, None]
        variance = _SumOfAll.apply((centred**2).mean(dim=(0, 2, 3))) / world
        with torch.no_grad():
            n = world * inputs.numel() / inputs.shape[1]
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * n / max(n - 1, 1), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return centred * scale[:, None, None] + self.bias[:, None, None]


def share_batch_norm(network: nn.Module, device: str) -> nn.Module:
    """The network with its batch norms over the photos of all processes; in place, and with the same names of weights."""
    if device == "cuda":
        try:
            from timm.layers import convert_sync_batchnorm  # knows timm's batch norms too
        except ImportError:
            return nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return convert_sync_batchnorm(network)
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SharedBatchNorm
    return network


def cluster_means(outputs: np.ndarray, cluster: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The clusters that photos belong to, ascending, and the mean of each one's outputs.

    Examples
    --------
    >>> cluster_means(np.array([1.0, 3.0, 5.0]), np.array([7, 7, 2]))
    (array([2, 7]), array([5., 2.]))
    """
    found, number = np.unique(cluster, return_inverse=True)
    return found, np.bincount(number, outputs) / np.bincount(number)


class _Batches(torch.utils.data.Dataset):
    """Whole batches by number: pixels, and the rows they are of."""

    def __init__(self, pixels: Pixels, batches: list[np.ndarray]):
        self.pixels, self.batches = pixels, batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        rows = self.batches[number]
        return self.pixels.read(rows), torch.from_numpy(rows)


class Learner(pl.LightningModule):
    """A network, what it learns from, and the steps of learning.

    Parameters
    ----------
    network : Module
        From standardised images to outputs, shape (n, 1) or (n, 2).
    photos : Photos
    settings : Settings
    """

    def __init__(self, network: nn.Module, photos: Photos, settings: Settings):
        super().__init__()
        self.network, self.photos, self.settings = network, photos, settings
        self.history: list[dict[str, float]] = []
        self.tell: Callable[[str], None] | None = None
        self._found: list[tuple[torch.Tensor, torch.Tensor]] = []

    @property
    def part(self) -> int:
        """Photos that one process takes at once."""
        return min(self.settings.batch_size, len(self.photos.train)) // self._parts

    @property
    def _parts(self) -> int:
        return self.settings.devices * self.settings.accumulate

    @property
    def steps(self) -> int:
        """Steps an epoch; photos that do not fill a batch wait for another epoch's order."""
        return len(self.photos.train) // (self.part * self._parts)

    def setup(self, stage: str) -> None:
        """Share the processor's cores, where several processes have one processor."""
        if self.settings.devices > 1 and self.settings.device.name == "cpu":
            torch.set_num_threads(max(1, torch.get_num_threads() // self.settings.devices))

    def configure_optimizers(self) -> dict:
        """AdamW with a learning rate that rises and then falls."""
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=self.settings.learning_rate, weight_decay=self.settings.weight_decay
        )
        total = self.steps * self.settings.epochs
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, total))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def train_dataloader(self) -> DataLoader:
        """The batches of this epoch for this process; made anew for each epoch."""
        rows = self.photos.train[epoch_order(len(self.photos.train), self.settings.seed, self.current_epoch)]
        rows = rows[: self.steps * self.part * self._parts]
        # photo by photo dealt to the parts of each step, so that together they are the batch of a single process
        parts = rows.reshape(self.steps, self.part, self._parts).transpose(0, 2, 1)
        mine = parts.reshape(self.steps, self.settings.accumulate, self.settings.devices, self.part)
        return self._loader(list(mine[:, :, self.global_rank].reshape(-1, self.part)))

    def val_dataloader(self) -> DataLoader:
        """This process's share of the validation photos; filled up so that all have as many."""
        rows, devices = self.photos.validation, self.settings.devices
        filled = np.resize(rows, math.ceil(len(rows) / devices) * devices)
        mine = filled[self.global_rank :: devices]
        return self._loader(np.array_split(mine, math.ceil(len(mine) / max(self.part, 32))))

    def _loader(self, batches: list[np.ndarray]) -> DataLoader:
        return DataLoader(
            _Batches(self.photos.pixels, batches),
            batch_size=None,
            num_workers=self.settings.workers,
            pin_memory=self.settings.device.name == "cuda",
        )

    def transfer_batch_to_device(self, batch, device, dataloader_idx):
        """Pixels go over while the processor goes on; the rows stay here."""
        return batch[0].to(device, non_blocking=True), batch[1]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Outputs of photos, 0 to 255."""
        return self.network(self.photos.preprocessing.normalise(pixels))

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], number: int) -> torch.Tensor:
        """The mean loss of a part of a batch."""
        pixels, rows = batch[0], batch[1].cpu().numpy()
        drawn = uniforms(self.settings.seed, self.current_epoch, rows, _DRAWS)
        loss = self._loss(self(augment(pixels, drawn)), rows).mean()
        self.log("train_loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(rows), sync_dist=True)
        return loss

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], number: int) -> None:
        """Keep the outputs; they are scored when all are there."""
        self._found.append((batch[1], self(batch[0]).float()))

    def on_validation_epoch_end(self) -> None:
        """Score the validation part: the mean squared error, or log loss, of cluster means chooses the model."""
        rows = torch.cat([rows for rows, _ in self._found]).to(self.device)
        outputs = torch.cat([outputs for _, outputs in self._found])
        self._found.clear()
        if self.settings.devices > 1:
            rows, outputs = (self.all_gather(part).flatten(0, 1) for part in (rows, outputs))
        rows, first = np.unique(rows.cpu().numpy(), return_index=True)
        answers = as_answers(outputs.cpu().double().numpy()[first], self.settings.task)
        clusters, means = cluster_means(answers, self.photos.cluster[rows])
        per_cluster = _score(means, self.photos.wanted[clusters], self.settings.task)
        per_image = _score(answers, self.photos.wanted[self.photos.cluster[rows]], self.settings.task)
        self.log("val_loss", torch.tensor(per_cluster, dtype=torch.float32), prog_bar=True)
        self.log("val_loss_images", torch.tensor(per_image, dtype=torch.float32))

    def on_train_epoch_end(self) -> None:
        """Remember the epoch's figures; they are kept in the checkpoints."""
        figures = {name: float(value) for name, value in self.trainer.callback_metrics.items()}
        self.history.append({"epoch": self.current_epoch + 1, **figures})
        if self.tell:
            said = ", ".join(f"{name} {figures[name]:.3f}" for name in ("train_loss", "val_loss"))
            self.tell(f"epoch {self.current_epoch + 1} of {self.settings.epochs}, {said}")

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """Put the history into a checkpoint."""
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        """Take the history from a checkpoint."""
        self.history = list(checkpoint["history"])

    def _loss(self, outputs: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        wanted = torch.from_numpy(self.photos.wanted[self.photos.cluster[rows]]).to(outputs.device)
        if self.settings.task == "classification":
            return nn.functional.cross_entropy(outputs.float(), wanted.long(), reduction="none")
        return (outputs[:, 0].float() - wanted.float()) ** 2


def as_answers(outputs: np.ndarray, task: str) -> np.ndarray:
    """Probabilities of label 1, or standardised values, of a network's outputs; shape (n,).

    Examples
    --------
    >>> as_answers(np.array([[0.0, 0.0], [-9.0, 9.0]]), "classification").round(3).tolist()
    [0.5, 1.0]
    """
    return 1 / (1 + np.exp(outputs[:, 0] - outputs[:, 1])) if task == "classification" else outputs[:, 0]


def _score(answers: np.ndarray, wanted: np.ndarray, task: str) -> float:
    if task == "regression":
        return float(((answers - wanted) ** 2).mean())
    right = np.where(wanted == 1, answers, 1 - answers)
    return float(-np.log(np.maximum(right, 1e-12)).mean())


def _rate(step: int, total: int) -> float:
    warm = max(1, round(WARM_UP * total))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm) / max(1, total - warm))))


def fit_photos(
    network: nn.Module,
    photos: Photos,
    settings: Settings,
    folder: Path,
    logs: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[dict[str, torch.Tensor], list[dict[str, float]]]:
    """Train a network; killed and called again with the same arguments it goes on, and ends with the same weights.

    Parameters
    ----------
    network : Module
        With the weights to begin from.
    photos : Photos
    settings : Settings
    folder : Path
        Where checkpoints are kept: the last epoch's, and the best one's on the validation part.
    logs : Path, optional
        Where to write `metrics.csv` and TensorBoard's events.
    progress : callable, optional
        Told the epoch and its losses in words.

    Returns
    -------
    state : dict of str to tensor
        The network's weights of the best epoch.
    history : list of dict
        One an epoch: `epoch`, `train_loss`, `val_loss` (of cluster means), `val_loss_images`.

    Raises
    ------
    InputError
        There are fewer photos in a batch than devices and parts to share it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    last = folder / LAST
    # Lightning leaves a trunk that was loaded for evaluation as it is: batch norms would keep to ImageNet's statistics
    learner = Learner(network.to(memory_format=torch.channels_last).train(), photos, settings)
    if learner.part < 1:
        raise InputError(
            f"--batch-size {settings.batch_size}: too few photos for {settings.devices} devices × {settings.accumulate} parts"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _quiet()
        if settings.devices > 1:
            share_batch_norm(learner.network, settings.device.name)
        if not (last.is_file() and _stopped(last, settings.epochs)):
            # what tells cannot travel to other processes
            learner.tell = progress if settings.devices == 1 else None
            trainer = _trainer(learner, settings, folder, logs)
            trainer.fit(learner, ckpt_path=last if last.is_file() else None, weights_only=True)
    best = torch.load(folder / BEST, map_location="cpu", weights_only=True)
    state = {k.removeprefix("network."): v for k, v in best["state_dict"].items() if k.startswith("network.")}
    return state, torch.load(last, map_location="cpu", weights_only=True)["history"]


def _stopped(last: Path, epochs: int) -> bool:
    """Whether training had come to its end when it was killed."""
    found = torch.load(last, map_location="cpu", weights_only=True)
    early = [state for name, state in found["callbacks"].items() if name.startswith("EarlyStopping")]
    return len(found["history"]) >= epochs or any(state["stopped_epoch"] > 0 for state in early)


def _trainer(learner: Learner, settings: Settings, folder: Path, logs: Path | None) -> pl.Trainer:
    keep = {"dirpath": folder, "save_on_train_epoch_end": True, "enable_version_counter": False}
    callbacks: list[Callback] = [
        EarlyStopping("val_loss", patience=settings.patience, check_on_train_epoch_end=True),
        ModelCheckpoint(filename="best", monitor="val_loss", **keep),
        ModelCheckpoint(filename="last", every_n_epochs=1, **keep),
    ]
    callbacks += [RichProgressBar(leave=False)] if settings.bar else []
    cuda = settings.device.name == "cuda"
    backend = "nccl" if cuda else "gloo"
    return pl.Trainer(
        accelerator={"cuda": "gpu"}.get(settings.device.name, settings.device.name),
        devices=settings.devices,
        strategy=DDPStrategy(start_method="spawn", process_group_backend=backend) if settings.devices > 1 else "auto",
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
        # the same weights each time need the same sums
        deterministic="warn" if cuda else None,
        benchmark=False,
    )


def _quiet() -> None:
    for name in ("lightning.pytorch", "lightning.fabric", "pytorch_lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
