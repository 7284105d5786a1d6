"""One network from the photos of a place to its values: training, early stopping, and search of settings.

Each photo is a vertex. One network can be trained on several indicators at once.
"""

import contextlib
import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from itertools import islice, product
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import clone
from torch import nn

from geolive.collectives import add_gradients, rank_and_size, sum_of_all
from geolive.errors import InputError
from geolive.graphs.batches import subsample_images
from geolive.graphs.node_features import Vertices, fit_vertices
from geolive.model_inputs import photo_inputs
from geolive.models.adam import FusedAdam
from geolive.models.covariate_inputs import covariate_scale, covariates_as_trained, training_covariates
from geolive.models.inner_folds import inner_folds
from geolive.models.modality_scaling import balanced
from geolive.models.network_model import torch_device
from geolive.models.photoset_files import PhotoSetFiles
from geolive.models.target_scaler import TargetScaler
from geolive.models.trainer import Curve, Fitted, Schedule, Validated, fit_network, one_thread
from geolive.places import Places

Progress = Callable[[str], None] | None
Validation = tuple[Places, np.ndarray] | None

WEIGHT_DECAY = 5e-4
# Images of a place that one epoch uses, drawn anew in each: the network learns from small and large places alike, and
# training is several times faster.
FEWEST_SEEN, MOST_SEEN = 2, 64
PREDICT_BATCH = 64
HELD_OUT_FOLDS = 5
LEAST_PLACES_TO_HOLD_OUT = 10
ROWS_AT_ONCE = 16_384
SEARCHED_RATES, SEARCHED_WIDTHS = (3e-4, 1e-3, 3e-3), (32, 64)


class PhotoSetModel(PhotoSetFiles):
    """One network from the photos of a place to its values; `GraphCNN` and `AttentionPooling` say which network.

    In each epoch a place contributes between 2 and 64 of its images. The parameters are those of
    `geolive.models.network_model.NetworkModel`.

    Attributes
    ----------
    network_ : torch.nn.Module
    scaling_ : VertexScaling
        How the numbers of a photo become the features of a vertex.
    targets_ : TargetScaler
        Scale and range of the training values.
    curve_ : Curve
        Losses of the training.
    last_weights_ : dict of str to Tensor, or None
        The weights of the last epoch, where a validation part chose those of `network_`.
    learning_rate_, width_ : float and int
        The parameters, or what the search found.
    """

    takes_validation = True
    # whether the learning rate falls to 0 along a cosine
    decay = False
    # what progress calls an epoch
    epoch_word = "epoch"

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that decide the weights; after a search, with the learning rate and width that it found."""
        params = super().params
        if hasattr(self, "width_"):
            params |= {"learning_rate": self.learning_rate_, "width": self.width_}
        return params

    @property
    def curves(self) -> list[Curve]:
        """The learning curve of the network, in a list of one."""
        return [self.curve_] if hasattr(self, "curve_") else []

    def fit(
        self, places: Places, values: np.ndarray, *, validation: Validation = None, progress: Progress = None
    ) -> Self:
        """Train on values, or on labels 0 and 1, of places that have images.

        Parameters
        ----------
        places : Places
        values : array of float, shape (n,) or (n, m)
            Values of one indicator, or of m indicators at once; NaN where a place has none.
        validation : tuple of Places and array, optional
            Places and their values that decide which epoch's weights are kept, in place of a part of `places`.
        progress : callable, optional
            Receives the epoch and its losses in words.

        Raises
        ------
        InputError
            A parameter or the places cannot be used, or a checkpoint cannot be read or written.
        """
        self.check_parameters()
        self._check_training_places(places)
        values = np.asarray(values, float)
        values = values[:, None] if values.ndim == 1 else values
        self.column_ = None
        self.learning_rate_, self.width_ = self.learning_rate, self.width
        with one_thread():
            self._prepare(places, values)
            if self.search:
                self._search(places, values, progress)
            fitted = self._train(places, values, progress, validation=validation, keep=True)
            self.curve_, self.last_weights_ = fitted.curve, fitted.last
        return self

    def last_checkpoint(self) -> Self:
        """Return the same model with the weights of its last epoch, where a validation part chose an earlier one.

        A model that was read from a bundle has the best weights only, and returns itself.
        """
        self.check_fitted()
        weights = getattr(self, "last_weights_", None)
        if weights is None:
            return self
        last = copy.copy(self)
        last.network_ = copy.deepcopy(self.network_)
        last.network_.load_state_dict(weights)
        return last

    def _predict_all(self, places: Places) -> np.ndarray:
        from scipy.special import expit

        outputs = self._outputs(places)
        return expit(outputs) if self.task == "classification" else self.targets_.in_units(outputs)

    def as_unfitted(self) -> Self:
        """Return an unfitted model with these parameters; a search that this model has done is not repeated."""
        searched = {"learning_rate": self.learning_rate_, "width": self.width_} if hasattr(self, "width_") else {}
        return clone(self).set_params(**searched, search=False)

    # what each kind of network defines

    def _batches(
        self, places: Places, vertices: Vertices, batch_size: int, generator: torch.Generator | None
    ) -> Iterator[list]:
        """Yield batches of places, each as a list of blocks that know their `rows`."""
        raise NotImplementedError

    def _forward(self, blocks: list, covariates: torch.Tensor | None) -> torch.Tensor:
        """Compute the network's outputs for the places of a batch, in the order of its blocks' rows, shape (b, m).

        `covariates` are those of these places, in the same order; None for a network without covariates.
        """
        raise NotImplementedError

    # training

    def _prepare(self, places: Places, values: np.ndarray) -> None:
        scaling = fit_vertices(places, photo_inputs(self.inputs))
        self.scaling_ = balanced(scaling, places, values, self.random_state)
        if self.uses("covariates"):
            self.covariate_scale_ = covariate_scale(training_covariates(places, self.name))
        self.targets_ = TargetScaler.fit(values)

    def _train(
        self,
        places: Places,
        values: np.ndarray,
        progress: Progress,
        *,
        validation: Validation = None,
        hold_out: bool = False,
        keep: bool = False,
    ) -> Fitted:
        """Train a new network.

        `hold_out`: measure the loss on a held-out part even where it does not stop training. `keep`: use a checkpoint.
        """
        generator = torch.Generator().manual_seed(self.random_state)
        network = self._new_network(len(self.scaling_.mean), values.shape[1], generator)
        self.network_ = network.to(torch_device(self.device))
        optimizer = self._optimizer()
        targets = self._standardised(values)
        learn, held_out = np.arange(len(places)), validation
        if validation is None and (self.patience or hold_out):
            learn, test = _held_out_rows(places, self.random_state)
            held_out = (places.take(test), values[test])
        seen, seen_targets = places.take(learn), targets[torch.from_numpy(learn).to(targets.device)]
        checkpoint, fingerprint = None, ""
        if keep and self.checkpoints is not None:
            fingerprint = self._fingerprint(places, values)
            checkpoint = Path(self.checkpoints) / f"{fingerprint[:16]}.safetensors"
        epochs, steps = self._length(len(learn))
        self._check_shares(len(learn))
        vertices = self.scaling_.of(seen).computed()
        return fit_network(
            self.network_,
            optimizer,
            generator,
            Schedule(epochs, self.learning_rate_, self.patience, self.decay, self.epoch_word),
            lambda epoch: self._run_epoch(seen, vertices, seen_targets, optimizer, generator, steps(epoch)),
            self._validator(held_out),
            checkpoint=checkpoint,
            fingerprint=fingerprint,
            progress=progress and (lambda words: progress(f"{self.name}: {words}")),
        )

    def _check_shares(self, n_places: int) -> None:
        """Raise where a step has fewer places than there are processes to share it."""
        fewest, size = n_places // -(-n_places // self.batch_size), rank_and_size()[1]
        if fewest < size:
            raise InputError(
                f"batch_size={self.batch_size}: a step of {fewest} places cannot be shared by {size} processes; choose a larger "
                "batch_size, or fewer devices",
                parameter="batch_size",
            )

    def _length(self, n_places: int) -> tuple[int, Callable[[int], int]]:
        """Return the number of epochs, and the number of steps in each: the last epoch ends with the last iteration."""
        of_epoch = -(-n_places // self.batch_size)
        if self.iterations is None:
            return self.epochs, lambda epoch: of_epoch
        total = int(self.iterations)
        return -(-total // of_epoch), lambda epoch: min(of_epoch, total - epoch * of_epoch)

    def _validator(self, held_out: Validation) -> Callable[[], Validated] | None:
        """Make a function that gives loss and error at held-out places; None where there are none."""
        if held_out is None:
            return None
        places, values = held_out
        targets = self._standardised(np.asarray(values, float).reshape(len(places), -1)).cpu()
        return lambda: self._validated(torch.from_numpy(self._outputs(places)).float(), targets)

    def _validated(self, outputs: torch.Tensor, targets: torch.Tensor) -> Validated:
        """Return the loss, by which the best epoch is chosen, too."""
        loss = self._loss(outputs, targets).item()
        return Validated(loss, loss)

    def _search(self, places: Places, values: np.ndarray, progress: Progress) -> None:
        """Set learning rate and width to those with the lowest loss on the held-out part."""
        losses = []
        for rate, width in product(SEARCHED_RATES, SEARCHED_WIDTHS):
            self.learning_rate_, self.width_ = rate, width
            curve = self._train(places, values, progress, hold_out=True).curve
            losses.append((min(curve.validation), rate, width))
            if progress:
                progress(f"{self.name}: learning rate {rate:g}, width {width}: {losses[-1][0]:.3f} held out")
        _, self.learning_rate_, self.width_ = min(losses)

    def _optimizer(self) -> FusedAdam:
        weights = [p for p in self.network_.parameters() if p.ndim >= 2]
        others = [p for p in self.network_.parameters() if p.ndim < 2]
        groups: list[dict[str, Any]] = [{"params": weights, "weight_decay": WEIGHT_DECAY}, {"params": others}]
        return FusedAdam(groups, lr=self.learning_rate_)

    def _standardised(self, values: np.ndarray) -> torch.Tensor:
        targets = values if self.task == "classification" else self.targets_.standardised(values)
        return torch.from_numpy(targets.astype(np.float32)).to(self._device)

    def _run_epoch(
        self,
        places: Places,
        vertices: Vertices,
        targets: torch.Tensor,
        optimizer: FusedAdam,
        generator: torch.Generator,
        steps: int,
    ) -> float:
        """Train for one pass over the places, or the first steps of one; gives the mean loss."""
        losses: list[float] = []
        counts: list[int] = []
        covariates = self._covariates(places)
        for blocks in islice(self._drawn_batches(places, vertices, generator), steps):
            rows = np.concatenate([block.rows for block in blocks])
            of_places = None if covariates is None else covariates[rows]
            loss = self._set_gradients(blocks, of_places, targets[torch.from_numpy(rows).to(targets.device)])
            add_gradients(self.network_.parameters())
            optimizer.descend()
            losses.append(loss.item())
            counts.append(len(rows))
        if rank_and_size()[1] > 1:
            of_all = sum_of_all(torch.tensor([losses, counts], dtype=torch.float64, device=self._device))
            losses, counts = of_all.tolist()
        return sum(loss * n for loss, n in zip(losses, counts, strict=True)) / sum(counts)

    def _drawn_batches(self, places: Places, vertices: Vertices, generator: torch.Generator) -> Iterator[list]:
        """Yield the batches of an epoch, in which each place has some of its images."""
        seen, images = subsample_images(places, FEWEST_SEEN, MOST_SEEN, generator)
        return self._batches(seen, vertices.keep_images(images, seen), self.batch_size, generator)

    def _set_gradients(self, blocks: list, covariates: torch.Tensor | None, targets: torch.Tensor) -> torch.Tensor:
        """Set the gradients of this process's part of the mean loss over a batch, and return that part."""
        with self._precision():
            outputs = self._forward(blocks, covariates)
        loss = self._shared_loss(outputs.float(), targets)
        loss.backward()
        return loss

    def _shared_loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return this process's part of the mean loss over the known values of a batch; the parts add up to it."""
        loss = self._loss(outputs, targets)
        if rank_and_size()[1] == 1:
            return loss
        known = targets.isfinite().sum().float()[None]
        return loss * (known / sum_of_all(known).clamp_min(1))[0]

    def _loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        known = targets.isfinite()
        if not known.all():
            outputs, targets = outputs[known], targets[known]
        if not len(targets):
            return outputs.sum()
        if self.task == "classification":
            return nn.functional.binary_cross_entropy_with_logits(outputs, targets)
        return nn.functional.mse_loss(outputs, targets)

    def _outputs(self, places: Places) -> np.ndarray:
        """Compute outputs of the network at places, shape (n, m)."""
        self.network_.eval()
        outputs, covariates = np.zeros((len(places), len(self.targets_.table))), self._covariates(places)
        with one_thread(), torch.inference_mode(), self._precision():
            for blocks in self._batches(places, self.scaling_.of(places), PREDICT_BATCH, None):
                rows = np.concatenate([block.rows for block in blocks])
                of_places = None if covariates is None else covariates[rows]
                outputs[rows] = self._forward(blocks, of_places).double().cpu().numpy()
        return outputs

    def _covariates(self, places: Places) -> torch.Tensor | None:
        """Return the standardised covariates of places, shape (n, k); None for a network without covariates."""
        if not self.uses("covariates"):
            return None
        columns = covariates_as_trained(places, self.covariate_names_, self.name)
        mean, factor = self.covariate_scale_
        return torch.from_numpy(((columns - mean) * factor).astype(np.float32)).to(self._device)

    @property
    def _device(self) -> torch.device:
        """The device that the network is on."""
        return next(self.network_.parameters()).device

    def _precision(self) -> contextlib.AbstractContextManager:
        """Return bfloat16 where the GPU supports it; on CPU float32, whose sums are the same on every machine."""
        if self._device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
            return torch.autocast("cuda", torch.bfloat16)
        return contextlib.nullcontext()

    def _fingerprint(self, places: Places, values: np.ndarray) -> str:
        """Compute a hash of data and settings, by which a fit finds its own checkpoint."""
        facts = [
            self.arch,
            self.task,
            self.random_state,
            self.params,
            self._device.type,
            torch.__version__,
            list(places.ids),
        ]
        digest = hashlib.sha256(json.dumps(facts, default=str).encode())
        arrays = [values, places.objects, places.image_positions, places.offsets]
        if self.uses("covariates"):
            arrays.append(places.covariate_columns(self.covariate_names_))
        for array in arrays:
            digest.update(np.ascontiguousarray(array).data)
        if self.uses("features") and places.features is not None:
            n = len(places.image_positions)
            for start in range(0, n, ROWS_AT_ONCE):
                digest.update(places.features.read(np.arange(start, min(n, start + ROWS_AT_ONCE))).data)
        return digest.hexdigest()


def _held_out_rows(places: Places, random_state: int) -> tuple[np.ndarray, np.ndarray]:
    """Return training rows, and a fifth of the rows for validation; near places stay together."""
    folds = inner_folds(places.positions, HELD_OUT_FOLDS, random_state)
    if len(places) < LEAST_PLACES_TO_HOLD_OUT or folds.max() == 0:
        raise InputError(
            f"{len(places)} training places at {len(np.unique(folds))} positions are too few to hold some out for early stopping "
            "or a search; choose patience=0 and search=False"
        )
    return np.flatnonzero(folds != 0), np.flatnonzero(folds == 0)
