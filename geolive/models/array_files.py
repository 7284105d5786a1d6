"""Arrays of fitted models in one safetensors file: safe and quick to read, and independent of other libraries' versions."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from geolive.errors import InputError

FILE = "model.safetensors"
# for each array its type and number of dimensions
ArrayTypes = Mapping[str, tuple[str, int]]


def save_arrays(arrays: Mapping[str, np.ndarray], folder: Path) -> None:
    """Write named arrays to `folder`; equal arrays give equal bytes.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> save_arrays({"weights": np.array([1.0, 2.0])}, folder)
    >>> load_arrays(folder, {"weights": ("float64", 1)}, "a line")["weights"]
    array([1., 2.])
    """
    from safetensors.numpy import save

    tensors = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    (Path(folder) / FILE).write_bytes(save(tensors))


def load_arrays(folder: Path, types: ArrayTypes, what: str) -> dict[str, np.ndarray]:
    """Read what `save_arrays` wrote.

    Parameters
    ----------
    folder : Path
    types : dict of str to (str, int)
        The names of the arrays, with the type and the number of dimensions of each.
    what : str
        What the file should hold, for messages: "a forest".

    Raises
    ------
    InputError
        The file is missing or damaged, or an array is missing, of another type or of another number of dimensions.

    Examples
    --------
    >>> load_arrays(Path("no/such/folder"), {}, "a forest")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: no/such/folder/model.safetensors: not a forest that geolive wrote (...); train it again
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(Path(folder) / FILE)
        _check_types(tensors, types)
    except (OSError, SafetensorError, ValueError) as error:
        raise unreadable(folder, what, error) from error
    return tensors


def unreadable(folder: Path, what: str, error: Exception) -> InputError:
    """Return the error that says why the arrays of a model cannot be used.

    Examples
    --------
    >>> str(unreadable(Path("bundle"), "a forest", ValueError("it holds other arrays")))
    'bundle/model.safetensors: not a forest that geolive wrote (it holds other arrays); train it again'
    """
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
    return InputError(f"{Path(folder) / FILE}: not {what} that geolive wrote ({reason}); train it again")


def _check_types(tensors: Mapping[str, np.ndarray], types: ArrayTypes) -> None:
    """Raise ValueError where an array is missing, or of another type or number of dimensions."""
    if tensors.keys() != types.keys():
        raise ValueError("it holds other arrays")
    for name, (dtype, dimensions) in types.items():
        if tensors[name].dtype != dtype or tensors[name].ndim != dimensions:
            raise ValueError(f"{name} in it has another type")
