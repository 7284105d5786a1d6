"""Cluster-wise models of gradient-boosted trees: shallow ones, and deep ones as in the code of Lee et al. (2021)."""

from typing import Any

import numpy as np

from geolive.models.clusterwise import ClusterwiseModel
from geolive.models.interface import check_integer, check_positive
from geolive.processors import one_library_thread


class Boosting(ClusterwiseModel):
    """Gradient-boosted trees on the object counts of a place's images.

    Parameters
    ----------
    task : {"regression", "classification"}
    random_state : int
        Seed of the random number generator.
    max_depth : int
        The largest number of questions that a tree asks one after the other.
    n_estimators : int
        Number of trees.
    learning_rate : float
        How much of each tree's prediction is added.
    inputs : str
        The inputs, as for `geolive.models.clusterwise.Forest`.

    Examples
    --------
    >>> from geolive.places import Places
    >>> rng = np.random.default_rng(0)
    >>> counts = rng.poisson(3, (60, 66)).astype(np.uint16)
    >>> places = Places(np.arange(60).astype(str), np.zeros((60, 2)), np.arange(61), np.zeros((60, 2)), counts)
    >>> model = Boosting(max_depth=3).fit(places, counts[:, 5].astype(float))
    >>> bool(np.corrcoef(model.predict(places), counts[:, 5])[0, 1] > 0.9)
    True
    """

    kind = "boosting"
    n_estimators: int | None

    def __init__(
        self,
        task: str = "regression",
        *,
        random_state: int = 0,
        max_depth: int = 3,
        n_estimators: int = 100,
        learning_rate: float = 0.1,
        inputs: str = "objects",
    ) -> None:
        self.task = task
        self.random_state = random_state
        self.max_depth = max_depth
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.inputs = inputs

    @property
    def _trees(self) -> int | None:
        return self.n_estimators

    @property
    def name(self) -> str:
        """The depth of the trees, and the inputs where they are not the object counts."""
        return f"clusterwise-{self.kind}-{self.max_depth}" + self._ending

    def check_parameters(self) -> None:
        """Raise InputError where a parameter has a value that the model cannot use."""
        super().check_parameters()
        check_integer("max_depth", self.max_depth, 1)
        check_integer("n_estimators", self._trees, 1)
        check_positive("learning_rate", self.learning_rate)

    def make_estimator(self) -> Any:
        """Make unfitted trees."""
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        kind = HistGradientBoostingRegressor if self.task == "regression" else HistGradientBoostingClassifier
        return kind(
            max_iter=self._trees,
            max_depth=self.max_depth,
            learning_rate=self.learning_rate,
            early_stopping=False,
            random_state=self.random_state,
        )

    def _fit_estimator(self, table: np.ndarray, values: np.ndarray, weights: dict[str, np.ndarray]) -> None:
        # on a busy machine its threads wait for each other longer than they work
        with one_library_thread("openmp"):
            self.estimator_.fit(table, values, **weights)


class AuthorsBoosting(Boosting):
    """Gradient-boosted trees as deep as those of Lee et al. (2021), with leaves of a single cluster.

    Their code has scikit-learn's GradientBoosting, of depth 7 and 10 with 100 trees for labels, and of depth 5 and 7 with 300
    trees for values. Here the trees are those of HistGradientBoosting, as in `Boosting`, because bundles keep them safely
    and they grow many times faster; unlike there, neither the number of leaves nor the clusters of a leaf are limited, since
    such limits, not the depth, would end most branches.

    Parameters
    ----------
    task : {"regression", "classification"}
    random_state : int
        Seed of the random number generator.
    max_depth : int
        The largest number of questions that a tree asks one after the other.
    n_estimators : int, optional
        Number of trees; by default 300 in regression and 100 in classification.
    learning_rate : float
        How much of each tree's prediction is added.
    inputs : str
        The inputs, as for `geolive.models.clusterwise.Forest`.

    Examples
    --------
    >>> AuthorsBoosting().make_estimator().max_iter, AuthorsBoosting("classification").make_estimator().max_iter
    (300, 100)
    """

    kind = "boosting-authors"

    def __init__(
        self,
        task: str = "regression",
        *,
        random_state: int = 0,
        max_depth: int = 7,
        n_estimators: int | None = None,
        learning_rate: float = 0.1,
        inputs: str = "objects",
    ) -> None:
        super().__init__(
            task, random_state=random_state, max_depth=max_depth, learning_rate=learning_rate, inputs=inputs
        )
        self.n_estimators = n_estimators

    @property
    def _trees(self) -> int:
        return (300 if self.task == "regression" else 100) if self.n_estimators is None else self.n_estimators

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that decide the trees."""
        return super().params | {"n_estimators": self._trees}

    def make_estimator(self) -> Any:
        """Make unfitted trees."""
        return super().make_estimator().set_params(max_leaf_nodes=None, min_samples_leaf=1)
