"""Weights of networks in files of safetensors, which hold tensors and nothing that runs."""

from pathlib import Path

import torch

from geolive.errors import InputError

FILE = "model.safetensors"


def write_tensors(tensors: dict[str, torch.Tensor], folder: str | Path) -> None:
    """Write tensors to the weights file of a folder.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> write_tensors({"weights": torch.ones(2)}, folder)
    >>> read_tensors(folder)[0]
    {'weights': tensor([1., 1.])}
    """
    from safetensors.torch import save

    # save_file would let only the user read the file, whatever permissions new files have
    (Path(folder) / FILE).write_bytes(save(tensors))


def read_tensors(folder: str | Path) -> tuple[dict[str, torch.Tensor], Path]:
    """Read the weights file of a folder.

    Returns
    -------
    tensors : dict of str to tensor
    path : Path
        The file, for errors about its content.

    Raises
    ------
    InputError
        The file cannot be read.

    Examples
    --------
    >>> read_tensors("no/such/folder")
    Traceback (most recent call last):
    geolive.errors.InputError: no/such/folder/model.safetensors: cannot be read (no such file); train it again
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = Path(folder) / FILE
    try:
        return load_file(path), path
    except FileNotFoundError:
        reason = "no such file"
    except (OSError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
    raise InputError(f"{path}: cannot be read ({reason}); train it again")


def check_tensors(
    tensors: dict[str, torch.Tensor], expected: dict[str, tuple[int, ...]], path: Path, model: str
) -> None:
    """Raise where tensors are not those of a model.

    Parameters
    ----------
    tensors : dict of str to tensor
    expected : dict of str to tuple of int
        Shape of each tensor.
    path : Path
        The file that the error names.
    model : str
        Name of the model.

    Raises
    ------
    InputError
        Names or shapes differ, or a number is not finite.

    Examples
    --------
    >>> check_tensors({"bias": torch.ones(3)}, {"bias": (2,)}, Path("model.safetensors"), "gcn")
    Traceback (most recent call last):
    geolive.errors.InputError: model.safetensors: not the tensors of a gcn network; train it again
    """
    if {name: tuple(tensor.shape) for name, tensor in tensors.items()} != expected:
        raise InputError(f"{path}: not the tensors of a {model} network; train it again")
    check_finite(tensors, path)


def check_finite(tensors: dict[str, torch.Tensor], path: Path) -> None:
    """Raise where a tensor holds anything but finite floating-point numbers.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_finite({"bias": torch.tensor([float("nan")])}, Path("model.safetensors"))
    Traceback (most recent call last):
    geolive.errors.InputError: model.safetensors: holds numbers that are not finite; train it again
    """
    if not all(tensor.is_floating_point() and tensor.isfinite().all() for tensor in tensors.values()):
        raise InputError(f"{path}: holds numbers that are not finite; train it again")
