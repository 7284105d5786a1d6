"""Fitted scikit-learn estimators as files, without pickle: which types may be kept, and what is checked when one is read."""

import io
import math
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from geolive.errors import InputError

FILE = "model.skops"
# the types beyond skops' own that a kept estimator consists of; their node numbers are checked after loading
ALLOWED_TYPES = ["sklearn.tree._tree.Tree", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]
_BOTH_TASKS = ("RandomForest", "ExtraTrees", "DecisionTree", "ExtraTree", "HistGradientBoosting", "KNeighbors")
_LINEAR = ("LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "ElasticNet", "ElasticNetCV", "BayesianRidge")
# classes whose predictions only follow trees, or multiply and add arrays whose shapes numpy checks
KEPT_ESTIMATORS = frozenset(
    [f"{name}{kind}" for name in _BOTH_TASKS for kind in ("Regressor", "Classifier")]
    + [*_LINEAR, "LogisticRegression", "LogisticRegressionCV"]
    + ["Pipeline", "StandardScaler", "MinMaxScaler", "RobustScaler", "PowerTransformer", "PCA"]
)


def save_estimator(estimator: Any, folder: Path) -> None:
    """Write a fitted estimator to `folder`.

    Raises
    ------
    InputError
        The estimator consists of types that cannot be read back safely.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.svm import SVR
    >>> save_estimator(SVR(), Path(tempfile.mkdtemp()))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: a model with SVR can be used in Python, but not saved in a bundle, ...
    """
    import skops.io

    other = sorted({type(part).__name__ for part in _parts(estimator)} - KEPT_ESTIMATORS)
    if not other:
        text = skops.io.dumps(estimator)
        other = sorted(set(skops.io.get_untrusted_types(data=text)) - set(ALLOWED_TYPES))
    if other:
        raise InputError(
            f"a model with {', '.join(other)} can be used in Python, but not saved in a bundle, since files with it "
            "cannot be "
            "read safely; use one of geolive's own models, such as Forest, ExtraTrees, Boosting or RidgeCounts, to keep it"
        )
    (Path(folder) / FILE).write_bytes(_with_equal_names(text))


def _with_equal_names(archive: bytes) -> bytes:
    """Return the archive with numbers in place of addresses in memory, and without times: equal models give equal bytes."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as new:
        schema = old.read("schema.json").decode()
        addresses = re.findall(r'"(?:__id__": |file": ")(\d+)', schema)
        number = {address: str(i) for i, address in enumerate(dict.fromkeys(addresses))}
        schema = re.sub(r'("(?:__id__": |file": "))(\d+)', lambda match: match[1] + number[match[2]], schema)
        members = {f"{number[name.split('.')[0]]}.npy": name for name in old.namelist() if name != "schema.json"}
        for name in sorted(members, key=lambda name: int(name.split(".")[0])):
            new.writestr(zipfile.ZipInfo(name), old.read(members[name]))
        new.writestr(zipfile.ZipInfo("schema.json"), schema)
    return written.getvalue()


def load_estimator(folder: Path, n_inputs: int) -> Any:
    """Read an estimator that `save_estimator` wrote; nothing but such an estimator is ever built from the file.

    Parameters
    ----------
    folder : Path
    n_inputs : int
        Number of inputs that the estimator must have.

    Raises
    ------
    InputError
        The file is damaged, or holds something else.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.linear_model import Ridge
    >>> folder = Path(tempfile.mkdtemp())
    >>> save_estimator(Ridge().fit(np.eye(3), [1.0, 2.0, 3.0]), folder)
    >>> load_estimator(folder, 3)
    Ridge()
    """
    import skops.io

    try:
        _check_sizes(Path(folder) / FILE)
        estimator = skops.io.load(Path(folder) / FILE, trusted=ALLOWED_TYPES)
        _check_estimator(estimator, n_inputs)
    except Exception as error:  # any error of skops, zipfile and scikit-learn about a damaged or foreign file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{Path(folder) / FILE}: not an estimator that geolive wrote ({reason}); train it again"
        ) from error
    return estimator


def _check_sizes(path: Path) -> None:
    """Raise ValueError where a member of the file, or an array in it, would take more memory than its bytes in the file."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
                raise ValueError(f"{member.filename} in it is compressed")
            if not member.filename.endswith(".npy"):
                continue
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                read_header = (
                    np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = read_header(file)
                if math.prod(shape) * dtype.itemsize > member.file_size:
                    raise ValueError(f"{member.filename} in it is cut short")


def _parts(estimator: Any) -> Iterator[Any]:
    """Return the estimator and those that it consists of."""
    yield estimator
    for _, step in getattr(estimator, "steps", ()):
        yield from _parts(step)
    yield from np.ravel(np.asarray(getattr(estimator, "estimators_", ()), object))


def _check_estimator(estimator: Any, n_inputs: int) -> None:
    """Raise ValueError where a part is of another type, or a node points outside its tree or its inputs."""
    if estimator.n_features_in_ != n_inputs:
        raise ValueError(f"it has {estimator.n_features_in_} inputs, not {n_inputs}")
    for part in _parts(estimator):
        if type(part).__name__ not in KEPT_ESTIMATORS or not type(part).__module__.startswith("sklearn."):
            raise ValueError(f"it holds a {type(part).__name__}")
        if hasattr(part, "tree_"):
            _check_tree(part.tree_, part.n_features_in_)
        for predictors in getattr(part, "_predictors", ()):
            for predictor in predictors:
                _check_nodes(predictor.nodes, part.n_features_in_)


def _check_tree(tree: Any, n_inputs: int) -> None:
    inner = tree.children_left != -1
    children = np.stack([tree.children_left, tree.children_right])
    if tree.n_features != n_inputs:
        raise ValueError("a tree has other inputs than its forest")
    _check_pointers(children[:, inner], np.flatnonzero(inner), tree.feature[inner], tree.node_count, n_inputs)


def _check_nodes(nodes: np.ndarray, n_inputs: int) -> None:
    """Check as `_check_tree` does, for a tree of histogram gradient boosting; ours have no categorical inputs."""
    inner = nodes["is_leaf"] == 0
    children = np.stack([nodes["left"], nodes["right"]]).astype(np.int64)
    if nodes["is_categorical"].any():
        raise ValueError("a node asks for a category")
    _check_pointers(
        children[:, inner], np.flatnonzero(inner), nodes["feature_idx"][inner].astype(np.int64), len(nodes), n_inputs
    )


def _check_pointers(children: np.ndarray, nodes: np.ndarray, features: np.ndarray, count: int, n_inputs: int) -> None:
    """Raise where a node's children do not come after it, or its feature is none: scikit-learn would follow it blindly."""
    after = (children > nodes) & (children < count)
    if not (after.all() and (features >= 0).all() and (features < n_inputs).all()):
        raise ValueError("a node points outside its tree")
