"""Further cluster-wise models of Lee et al. 2021 on object counts: k nearest, boosted trees, and the authors' dense network."""

import contextlib
from collections.abc import Iterator

import numpy as np

from geolive.models.interface import check_images
from geolive.places import Places


class NearestCounts:
    """The mean of the k training clusters whose object counts are most alike; nothing is scaled, as in the paper.

    Parameters
    ----------
    task : {"regression", "classification"}
    seed : int
        Not used.
    k : int

    Examples
    --------
    >>> counts = np.eye(3, 66, dtype=np.uint16)
    >>> places = Places(np.array(list("abc")), np.zeros((3, 2)), np.arange(4), np.zeros((3, 2)), counts)
    >>> NearestCounts(k=1).fit(places, np.array([1.0, 2.0, 3.0])).predict(places)
    array([1., 2., 3.])
    """

    inputs = "object counts summed over a place's images (66), number of images"

    def __init__(self, task: str = "regression", seed: int = 0, k: int = 3) -> None:
        self.task, self.k = task, k
        self.name, self.params = f"clusterwise-knn-{k}", {"k": k}

    def fit(self, places: Places, values: np.ndarray) -> "NearestCounts":
        """Keep the training clusters.

        Raises
        ------
        InputError
            A place has no images.
        """
        from sklearn.neighbors import KNeighborsRegressor

        check_images(places, self.name)
        # of labels, the mean is the share of 1 among the neighbours
        self._regressor = KNeighborsRegressor(min(self.k, len(places))).fit(places.counts(), np.asarray(values, float))
        return self

    def predict(self, places: Places) -> np.ndarray:
        """Means of the k most alike, shape (n,)."""
        check_images(places, self.name)
        return self._regressor.predict(places.counts())


class Boosting:
    """Gradient-boosted trees on the 67 numbers of a place.

    Parameters
    ----------
    task : {"regression", "classification"}
    seed : int
    depth : int
        The most questions a tree asks one after the other.
    trees : int

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> counts = rng.poisson(3, (60, 66)).astype(np.uint16)
    >>> places = Places(np.arange(60).astype(str), np.zeros((60, 2)), np.arange(61), np.zeros((60, 2)), counts)
    >>> model = Boosting(depth=3).fit(places, counts[:, 5].astype(float))
    >>> bool(np.corrcoef(model.predict(places), counts[:, 5])[0, 1] > 0.9)
    True
    """

    inputs = "object counts summed over a place's images (66), number of images"

    def __init__(self, task: str = "regression", seed: int = 0, depth: int = 3, trees: int = 100) -> None:
        self.task, self.seed, self.depth, self.trees = task, seed, depth, trees
        self.name, self.params = f"clusterwise-boosting-{depth}", {"depth": depth, "trees": trees, "learning_rate": 0.1}

    def fit(self, places: Places, values: np.ndarray) -> "Boosting":
        """Grow the trees; a single class is predicted as it is.

        Raises
        ------
        InputError
            A place has no images.
        """
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
        from threadpoolctl import threadpool_limits

        check_images(places, self.name)
        kind = HistGradientBoostingRegressor if self.task == "regression" else HistGradientBoostingClassifier
        self._only = float(values[0]) if self.task == "classification" and len(np.unique(values)) == 1 else None
        if self._only is None:
            trees = kind(max_iter=self.trees, max_depth=self.depth, early_stopping=False, random_state=self.seed)
            # on a busy machine its threads wait for each other longer than they work
            with threadpool_limits(1, user_api="openmp"):
                self._trees = trees.fit(places.counts(), values)
        return self

    def predict(self, places: Places) -> np.ndarray:
        """Values of places, or the probability of label 1; shape (n,)."""
        check_images(places, self.name)
        if self._only is not None:
            return np.full(len(places), self._only)
        counts = places.counts()
        return self._trees.predict(counts) if self.task == "regression" else self._trees.predict_proba(counts)[:, 1]


class DenseNetwork:
    """The authors' cluster-wise network for regression: two layers of 256 units with ReLU and dropout of 0.4.

    Logarithms of the 67 numbers are standardised; Adam, mean squared error, a fixed number of epochs. Given a validation part,
    the weights of the epoch with the least error there are kept.

    Parameters
    ----------
    task : {"regression"}
    seed : int
    epochs, batch_size : int
    learning_rate : float

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson(3, (60, 66)).astype(np.uint16)
    >>> places = Places(np.arange(60).astype(str), np.zeros((60, 2)), np.arange(61), np.zeros((60, 2)), counts)
    >>> DenseNetwork(epochs=2).fit(places, counts[:, 5].astype(float)).predict(places).shape
    (60,)
    """

    name = "clusterwise-mlp"
    inputs = "object counts summed over a place's images (66), number of images"
    tasks = ("regression",)

    def __init__(
        self,
        task: str = "regression",
        seed: int = 0,
        epochs: int = 60,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
    ) -> None:
        self.task, self.seed = task, seed
        self.params = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate}

    def fit(
        self, places: Places, values: np.ndarray, validation: tuple[Places, np.ndarray] | None = None
    ) -> "DenseNetwork":
        """Train; with `validation` (places and values) the best epoch there is kept.

        Raises
        ------
        InputError
            A place has no images.
        """
        import torch

        check_images(places, self.name)
        logs = np.log1p(places.counts())
        spread = logs.std(axis=0)
        self._mean, self._factor = logs.mean(axis=0), np.where(spread > 0, 1 / np.maximum(spread, 1e-9), 0.0)
        values = np.asarray(values, float)
        self._target = values.mean(), values.std() or 1.0
        with _torch_seed(self.seed):
            self._network = torch.nn.Sequential(
                *(torch.nn.Linear(logs.shape[1], 256), torch.nn.ReLU(), torch.nn.Dropout(0.4)),
                *(torch.nn.Linear(256, 256), torch.nn.ReLU(), torch.nn.Dropout(0.4)),
                torch.nn.Linear(256, 1),
            )
            self._train(self._inputs(places), (values - self._target[0]) / self._target[1], validation)
        return self

    def _train(self, inputs, targets: np.ndarray, validation) -> None:
        import torch

        from geolive.models.trainer import Curve

        wanted = torch.from_numpy(targets.astype(np.float32))
        optimizer = torch.optim.Adam(self._network.parameters(), lr=self.params["learning_rate"])
        best, self.curve = None, Curve()
        for epoch in range(self.params["epochs"]):
            self._network.train()
            total = 0.0
            for rows in torch.randperm(len(inputs)).split(self.params["batch_size"]):
                loss = torch.nn.functional.mse_loss(self._network(inputs[rows])[:, 0], wanted[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.item() * len(rows)
            self.curve.train.append(total / len(inputs))
            if validation is not None:
                away = (self.predict(validation[0]) - validation[1]) / self._target[1]
                self.curve.validation.append(float((away**2).mean()))
            if validation is None or self.curve.validation[-1] < min(self.curve.validation[:-1], default=np.inf):
                self.curve.best = epoch + 1
                best = validation and {k: v.clone() for k, v in self._network.state_dict().items()}
        if best is not None:
            self._network.load_state_dict(best)

    def _inputs(self, places: Places):
        import torch

        return torch.from_numpy(((np.log1p(places.counts()) - self._mean) * self._factor).astype(np.float32))

    def predict(self, places: Places) -> np.ndarray:
        """Values of places, shape (n,)."""
        import torch

        check_images(places, self.name)
        self._network.eval()
        with torch.inference_mode():
            outputs = self._network(self._inputs(places))[:, 0].double().numpy()
        return outputs * self._target[1] + self._target[0]


@contextlib.contextmanager
def _torch_seed(seed: int) -> Iterator[None]:
    """Weights, order and dropout from a seed, and sums that do not depend on the number of cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(before)
