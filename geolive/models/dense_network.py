"""The authors' cluster-wise network: dense layers on a place's object counts."""

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from geolive.models.interface import Model, check_images, check_integer, check_positive
from geolive.places import Places


class DenseNetwork(Model):
    """A dense network for regression: two layers of 256 units with ReLU and dropout of 0.4, as in Lee et al.'s code.

    The inputs are standardised logarithms of 67 numbers: object counts summed over a place's images, and the number of images.
    Adam minimises the mean squared error for a fixed number of epochs. Given a validation part, the network keeps the weights of
    the epoch with the smallest error there.

    Parameters
    ----------
    task : {"regression"}
    random_state : int
        Seed of the random number generator.
    epochs, batch_size : int
    learning_rate : float

    Attributes
    ----------
    network_ : torch.nn.Module
    curve_ : Curve
        The learning curve.
    last_weights_ : dict of str to Tensor, or None
        The weights of the last epoch, where a validation part chose those of `network_`.

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson(3, (60, 66)).astype(np.uint16)
    >>> places = Places(np.arange(60).astype(str), np.zeros((60, 2)), np.arange(61), np.zeros((60, 2)), counts)
    >>> DenseNetwork(epochs=2).fit(places, counts[:, 5].astype(float)).predict(places).shape
    (60,)
    """

    kind = "mlp"
    name = "clusterwise-mlp"
    input_words = "object counts summed over a place's images (66), number of images"
    tasks = ("regression",)
    inputs = "objects"
    takes_validation = True

    def __init__(
        self,
        task: str = "regression",
        *,
        random_state: int = 0,
        epochs: int = 60,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
    ) -> None:
        self.task = task
        self.random_state = random_state
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate

    @property
    def curves(self) -> list:
        """The learning curve."""
        return [self.curve_]

    def check_parameters(self) -> None:
        """Raise InputError where a parameter has a value that the network cannot use."""
        super().check_parameters()
        check_integer("epochs", self.epochs, 1)
        check_integer("batch_size", self.batch_size, 1)
        check_positive("learning_rate", self.learning_rate)

    def fit(
        self, places: Places, values: np.ndarray, validation: tuple[Places, np.ndarray] | None = None
    ) -> "DenseNetwork":
        """Train; with `validation` (places and values) the best epoch there is kept.

        Raises
        ------
        InputError
            A parameter has no such value, or a place has no images.
        """
        import torch

        self.check_parameters()
        check_images(places, self.name)
        logs = np.log1p(places.counts())
        spread = logs.std(axis=0)
        self.mean_, self.factor_ = logs.mean(axis=0), np.where(spread > 0, 1 / np.maximum(spread, 1e-9), 0.0)
        values = np.asarray(values, float)
        self.target_ = values.mean(), values.std() or 1.0
        with _torch_seed(self.random_state):
            self.network_ = torch.nn.Sequential(
                *(torch.nn.Linear(logs.shape[1], 256), torch.nn.ReLU(), torch.nn.Dropout(0.4)),
                *(torch.nn.Linear(256, 256), torch.nn.ReLU(), torch.nn.Dropout(0.4)),
                torch.nn.Linear(256, 1),
            )
            self._train(self._inputs(places), (values - self.target_[0]) / self.target_[1], validation)
        return self

    def _train(self, inputs: Any, targets: np.ndarray, validation: tuple[Places, np.ndarray] | None) -> None:
        import torch

        from geolive.models.trainer import Curve

        wanted = torch.from_numpy(targets.astype(np.float32))
        optimizer = torch.optim.Adam(self.network_.parameters(), lr=self.learning_rate)
        best, self.curve_, self.last_weights_ = None, Curve(), None
        for epoch in range(self.epochs):
            self.curve_.train.append(self._epoch(inputs, wanted, optimizer))
            if validation is not None:
                away = (self.predict(validation[0]) - validation[1]) / self.target_[1]
                self.curve_.validation.append(float((away**2).mean()))
            if validation is None or self.curve_.validation[-1] < min(self.curve_.validation[:-1], default=np.inf):
                self.curve_.best = epoch + 1
                best = validation and _weights(self.network_)
        if best is not None:
            self.last_weights_ = _weights(self.network_)
            self.network_.load_state_dict(best)

    def last_checkpoint(self) -> "DenseNetwork":
        """Return the same model with the weights of its last epoch, where a validation part chose an earlier one."""
        self.check_fitted()
        if self.last_weights_ is None:
            return self
        last = copy.copy(self)
        last.network_ = copy.deepcopy(self.network_)
        last.network_.load_state_dict(self.last_weights_)
        return last

    def _epoch(self, inputs: Any, wanted: Any, optimizer: Any) -> float:
        """Train for one pass over the places, and return the mean loss."""
        import torch

        self.network_.train()
        total = 0.0
        for rows in torch.randperm(len(inputs)).split(self.batch_size):
            loss = torch.nn.functional.mse_loss(self.network_(inputs[rows])[:, 0], wanted[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        return total / len(inputs)

    def _inputs(self, places: Places) -> Any:
        import torch

        return torch.from_numpy(((np.log1p(places.counts()) - self.mean_) * self.factor_).astype(np.float32))

    def predict(self, places: Places) -> np.ndarray:
        """Predict values of places, shape (n,)."""
        import torch

        self.check_fitted()
        check_images(places, self.name)
        self.network_.eval()
        with torch.inference_mode():
            outputs = self.network_(self._inputs(places))[:, 0].double().numpy()
        return outputs * self.target_[1] + self.target_[0]


def _weights(network: Any) -> dict[str, Any]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@contextlib.contextmanager
def _torch_seed(seed: int) -> Iterator[None]:
    """Draw weights, order and dropout from a seed, and let sums not depend on the number of cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(before)
