"""The network for few surveyed places: attention over photos and ridge regressions on summaries of photos, stacked."""

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import clone

from geolive.errors import InputError
from geolive.models.attention import AttentionPooling
from geolive.models.covariate_inputs import covariate_scale, covariates_as_trained, training_covariates
from geolive.models.cross_validation import fit_folds
from geolive.models.inner_folds import inner_folds
from geolive.models.interface import Model, check_images
from geolive.models.network_model import NetworkModel
from geolive.models.network_weights import check_finite
from geolive.models.photo_summaries import PhotoSummaries, fit_summaries, view_names
from geolive.models.photo_sums import with_sums
from geolive.models.photoset_model import Progress, Validation
from geolive.models.ridge import Ridge, combine, fit_ridge
from geolive.models.target_scaler import TargetScaler
from geolive.models.trainer import Curve, one_thread
from geolive.places import Places

INNER_FOLDS = 3


class StackedNetwork(NetworkModel):
    """Three networks with attention over a place's images and ridge regressions on summaries of them, stacked.

    The predictors are a ridge regression on each summary of a place's photos (`geolive.models.photo_summaries`; there are
    five of object counts and four of image features), and the mean of three networks with attention over photos. With
    covariates there is one more, a ridge regression on these, and the networks use them, too. Each predictor predicts
    training places to which it was not fitted; whole cells of near places are left out together. These predictions decide
    its weight. If the inputs do not predict the values, all weights are near 0, and the prediction is the mean of the
    training values.

    Parameters
    ----------
    task : {"regression", "classification"}
        Labels are fitted as numbers, and predictions are clipped to [0, 1].
    random_state, inputs, epochs, iterations, batch_size, learning_rate, width, patience, search, device, checkpoints
        Parameters of the networks with attention; see `geolive.models.network_model.NetworkModel`.

    Attributes
    ----------
    networks_ : list of AttentionPooling
        One for each inner fold, fitted to the other folds.
    regressions_ : list of dict of str to Ridge
        For each indicator, the regression on each summary.
    weights_ : array, shape (m, p)
        For each indicator, the weight of each predictor: the summaries, the covariates and the networks.
    left_out_ : array, shape (n, m)
        Predictions of the training places by predictors that were not fitted to them.

    See Also
    --------
    geolive.GraphCNN : A graph network of the photos of a place.
    geolive.Forest : A random forest on object counts.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> dataset = make_sample("goa", seed=0)
    >>> places = dataset.cluster_places(dataset.clusters)
    >>> model = StackedNetwork(epochs=2).fit(places, dataset.clusters["pov"].to_numpy())
    >>> model.name, model.predict(places).shape == (len(places),)
    ('stacked-obj', True)
    """

    kind = arch = "stacked"

    def __init__(
        self,
        task: str = "regression",
        *,
        random_state: int = 0,
        inputs: str = "objects",
        epochs: int = 60,
        iterations: int | None = None,
        batch_size: int = 32,
        learning_rate: float = 3e-3,
        width: int = 32,
        patience: int = 0,
        search: bool = False,
        device: str = "auto",
        checkpoints: Path | None = None,
    ) -> None:
        super().__init__(
            task,
            random_state=random_state,
            inputs=inputs,
            epochs=epochs,
            iterations=iterations,
            batch_size=batch_size,
            learning_rate=learning_rate,
            width=width,
            patience=patience,
            search=search,
            device=device,
            checkpoints=checkpoints,
        )

    @property
    def curves(self) -> list[Curve]:
        """The learning curves of the networks."""
        return [curve for network in getattr(self, "networks_", []) for curve in network.curves]

    def prepared(self, places: Places) -> Places:
        """Return places with the sums over their photos, which fits of several folds share."""
        # imported here, so that processes that fit folds need not each import it
        import sklearn.cluster  # noqa: F401

        check_images(places, self.name)
        return with_sums(places, self.inputs)

    def fit(
        self, places: Places, values: np.ndarray, *, validation: Validation = None, progress: Progress = None
    ) -> Self:
        """Train on values, or on labels 0 and 1, of places that have images.

        Parameters
        ----------
        places : Places
        values : array of float, shape (n,) or (n, m)
            Values of one indicator, or of m indicators at once; NaN where a place has none.
        validation : None
            The model takes no validation part, because each of its networks already leaves a part of the places out.
        progress : callable, optional
            Receives the network, the epoch and the losses in words.

        Raises
        ------
        InputError
            A parameter or the places cannot be used, the places are too few to leave some out, or a validation part is given.
        """
        if validation is not None:
            raise InputError(
                f"{self.name} takes no validation part: inner folds of the training places choose its weights; leave "
                "validation out, or train a GraphCNN (arch='gcn') or AttentionPooling (arch='attention')",
                parameter="validation",
            )
        self.check_parameters()
        self._check_training_places(places)
        values = np.asarray(values, float)
        with one_thread():
            self._fit(places, values[:, None] if values.ndim == 1 else values, progress)
        return self

    def _fit(self, places: Places, values: np.ndarray, progress: Progress) -> None:
        """Fit the summaries, the networks and the regressions, and weigh them; values have shape (n, m)."""
        folds = inner_folds(places.positions, INNER_FOLDS, self.random_state)
        self.column_ = None
        self.targets_ = TargetScaler.fit(values)
        _check_folds(folds, values, self.name)
        places = self.prepared(places)
        self.summaries_ = fit_summaries(places, self.inputs, self.random_state)
        views = self.summaries_.of(places)
        if self.uses("covariates"):
            self.covariate_scale_ = covariate_scale(training_covariates(places, self.name))
            views["covariates"] = self._standardised_covariates(places)
        of_networks = self._fit_networks(places, values, folds, progress)
        self.regressions_, weights, self.left_out_ = [], [], np.full(values.shape, np.nan)
        for column in range(values.shape[1]):
            known = np.isfinite(values[:, column])
            fitted = {name: fit_ridge(view[known], values[known, column], folds[known]) for name, view in views.items()}
            self.regressions_.append({name: regression for name, (regression, _) in fitted.items()})
            left_out = [fitted[name][1] for name in self._views] + [of_networks[known, column]]
            own, self.left_out_[known, column] = _stack(np.column_stack(left_out), values[known, column], folds[known])
            weights.append(own)
        self.weights_ = np.array(weights)

    @property
    def _views(self) -> tuple[str, ...]:
        """The inputs of the ridge regressions: the summaries of photos, and the covariates where the model uses them."""
        return (*view_names(self.inputs), *(("covariates",) if self.uses("covariates") else ()))

    def _standardised_covariates(self, places: Places) -> np.ndarray:
        mean, factor = self.covariate_scale_
        return (covariates_as_trained(places, self.covariate_names_, self.name) - mean) * factor

    def _fit_networks(self, places: Places, values: np.ndarray, folds: np.ndarray, progress: Progress) -> np.ndarray:
        """Fit one network for each fold, to the other folds; gives its predictions of the fold, shape (n, m)."""
        left_out, self.networks_ = np.empty(values.shape), []
        options: dict[str, Any] = {"progress": progress, "what": "inner fold"}
        for fitted in fit_folds(self._new_network(0), places, values, folds, prepare=self._seed_network, **options):
            left_out[fitted.test] = _columns(fitted.model.predict(places.take(fitted.test)), len(fitted.test))
            self.networks_.append(fitted.model)
        return left_out

    def _seed_network(self, network: Model, number: int) -> None:
        network.set_params(random_state=self.random_state + number)

    def _new_network(self, number: int) -> AttentionPooling:
        return AttentionPooling(**self.get_params(deep=False) | {"random_state": self.random_state + number})

    def _predict_all(self, places: Places) -> np.ndarray:
        with one_thread():
            views = self.summaries_.of(places)
        if self.uses("covariates"):
            views["covariates"] = self._standardised_covariates(places)
        of_networks = [_columns(n.predict(places), len(places)) - n.targets_.table[:, 0] for n in self.networks_]
        predictions = np.empty((len(places), len(self.regressions_)))
        for column, regressions in enumerate(self.regressions_):
            from_mean = [regressions[name].predict(views[name]) - regressions[name].mean for name in self._views]
            from_mean.append(np.mean([of_network[:, column] for of_network in of_networks], axis=0))
            mean, _, lowest, highest = self.targets_.table[column]
            predictions[:, column] = np.clip(mean + np.column_stack(from_mean) @ self.weights_[column], lowest, highest)
        return predictions

    def unbounded(self) -> Self:
        """Return the same model, whose predictions may leave the range of the training values."""
        free = super().unbounded()
        free.networks_ = [network.unbounded() for network in self.networks_]
        return free

    def as_unfitted(self) -> Self:
        """Return an unfitted model with these parameters, without a search."""
        return clone(self).set_params(search=False)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return summaries, scaling, regressions and networks by name."""
        arrays = {f"summaries.{name}": array for name, array in self.summaries_.arrays().items()}
        arrays |= {"targets": self.targets_.table, "weights": self.weights_}
        if self.uses("covariates"):
            arrays["covariates"] = self.covariate_scale_
        for column, regressions in enumerate(self.regressions_):
            for name, regression in regressions.items():
                own = f"lines.{column}.{name}"
                arrays |= {f"{own}.centre": regression.centre, f"{own}.weights": regression.weights}
                arrays[f"{own}.mean"] = np.array([regression.mean])
        # what the search of each network found
        arrays["searched"] = np.array([[network.learning_rate_, network.width_] for network in self.networks_], float)
        tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
        for number, network in enumerate(self.networks_):
            tensors |= {f"members.{number}.{name}": tensor for name, tensor in network.tensors().items()}
        return tensors

    def set_tensors(self, tensors: dict[str, torch.Tensor], path: Path, outputs: int) -> None:
        """Take what `tensors` returns; `path` is the file that errors name.

        Raises
        ------
        InputError
            They are not the tensors of a stacked network with these parameters.
        """
        self.check_parameters()
        check_finite(tensors, path)
        arrays = {name: tensor.numpy() for name, tensor in tensors.items() if not name.startswith("members.")}
        if self.uses("covariates"):
            self.covariate_scale_ = arrays["covariates"]
            if self.covariate_scale_.shape != (2, len(self.covariate_names_)):
                raise InputError(f"{path}: not the tensors of a {self.name} network; train it again")
        parts = {name.removeprefix("summaries."): a for name, a in arrays.items() if name.startswith("summaries.")}
        self.summaries_ = PhotoSummaries.of_arrays(self.inputs, parts)
        self.targets_, self.weights_ = TargetScaler(arrays["targets"]), arrays["weights"]
        self.regressions_ = [
            {name: _ridge(arrays, f"lines.{i}.{name}") for name in self._views} for i in range(outputs)
        ]
        wide = self.summaries_.widths() | {"covariates": len(self.covariate_names_)}
        if any(line.weights.shape != (wide[name],) for own in self.regressions_ for name, line in own.items()):
            raise InputError(f"{path}: not the tensors of a {self.name} network; train it again")
        if self.weights_.shape != (outputs, len(self._views) + 1) or self.targets_.table.shape != (outputs, 4):
            raise InputError(f"{path}: not the tensors of a {self.name} network; train it again")
        self.networks_ = []
        for number, (learning_rate, width) in enumerate(arrays["searched"].tolist()):
            network, own = self._new_network(number), f"members.{number}."
            network.set_params(learning_rate=learning_rate, width=int(width))
            network.covariate_names_ = self.covariate_names_
            network.set_tensors(
                {name.removeprefix(own): tensor for name, tensor in tensors.items() if name.startswith(own)}, path, outputs
            )  # fmt: skip
            self.networks_.append(network)


def _stack(left_out: np.ndarray, values: np.ndarray, folds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the weights of predictors, shape (p,), from their left-out predictions, shape (n, p), and the combination, (n,)."""
    without = np.array([values[folds != fold].mean() for fold in range(folds.max() + 1)])[folds]
    from_mean = left_out - without[:, None]
    weights = combine(from_mean, values - without)
    return weights, without + from_mean @ weights


def _ridge(arrays: dict[str, np.ndarray], name: str) -> Ridge:
    return Ridge(arrays[f"{name}.centre"], arrays[f"{name}.weights"], float(arrays[f"{name}.mean"][0]))


def _columns(predicted: np.ndarray, n: int) -> np.ndarray:
    return np.asarray(predicted).reshape(n, -1)


def _check_folds(folds: np.ndarray, values: np.ndarray, name: str) -> None:
    number = folds.max() + 1
    for column in values.T:
        known = np.isfinite(column)
        if len(np.unique(folds[known])) < number or number < 2 or known.sum() < 2 * number:
            raise InputError(
                f"{name}: {int(known.sum())} places with a value are too few, or too near each other, to leave some out; "
                "train a GraphCNN (arch='gcn'), AttentionPooling (arch='attention') or a Forest"
            )
