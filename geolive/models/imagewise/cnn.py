"""Networks of single photos before training: a trunk with pretrained weights, and a linear head."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from geolive.errors import InputError
from geolive.models.interface import check_choice
from geolive.vision.backbones import build_trunk, load_backbone
from geolive.vision.preprocessing import Preprocessing
from geolive.vision.weights import load_trunk, read_state

AUTHORS_ARCH = "resnet34"
HEADS = ("linear", "tanh")


class PhotoCNN(nn.Module):
    """A network of a trunk, which turns a photo into a feature vector, and a linear head.

    Parameters
    ----------
    trunk : Module
    width : int
        Length of the trunk's feature vector.
    task : {"regression", "classification"}
        In regression the network has one output, the standardised value; in classification two, the labels 0 and 1.
    tanh : bool
        Whether outputs are bounded to −1 … 1, as in the authors' regression.

    Examples
    --------
    >>> network = PhotoCNN(nn.Flatten(), 12, "classification")
    >>> tuple(network(torch.zeros(5, 3, 2, 2)).shape)
    (5, 2)
    """

    def __init__(self, trunk: nn.Module, width: int, task: str, tanh: bool = False):
        super().__init__()
        self.trunk, self.head, self.tanh = trunk, nn.Linear(width, 2 if task == "classification" else 1), tanh

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Compute the outputs for standardised images, from shape (n, 3, height, width) to (n, 1) or (n, 2)."""
        outputs = self.head(self.trunk(images))
        return torch.tanh(outputs) if self.tanh else outputs


@dataclass(frozen=True)
class PretrainedCNN:
    """A network before training, with its preprocessing.

    Parameters
    ----------
    network : PhotoCNN
    arch : str
        Architecture of the trunk, as `geolive.vision.backbones.build_trunk` knows it.
    preprocessing : Preprocessing
    weights : dict
        Where the weights are from, for the card.
    """

    network: PhotoCNN
    arch: str
    preprocessing: Preprocessing
    weights: dict


def load_pretrained(
    task: str,
    arch: str,
    *,
    weights: str | Path | None = None,
    size: int | None = None,
    head: str = "linear",
    random_state: int = 0,
) -> PretrainedCNN:
    """Load a pretrained trunk and put a new head on it.

    Parameters
    ----------
    task : {"regression", "classification"}
    arch : str
        resnet18, resnet34, resnet50, timm:NAME, or the folder of an image-wise bundle, whose trunk is trained further.
    weights : str or Path, optional
        A file, "none" for random weights, or by default those of ImageNet; see `geolive.vision.backbones.load_backbone`.
    size : int, optional
        Width and height in pixels that photos are reduced to; by default those that the weights were trained with.
    head : {"linear", "tanh"}
        linear: the network's output is any number. tanh: it is bounded, so that predictions stay within the range of the
        training values; only in regression.
    random_state : int
        Seed of the random weights.

    Raises
    ------
    InputError
        There is no such network or head, or the weights cannot be loaded.

    Examples
    --------
    >>> load_pretrained("regression", "resnet18", weights="none", size=64).preprocessing.crop
    64
    """
    check_head(head, task)
    backbone = load_backbone(arch, weights, random_state)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_state)
        network = PhotoCNN(backbone.trunk, backbone.width, task, tanh=head == "tanh")
    # the whole of the shorter side is kept; augmentation crops differently in each epoch
    side = size or backbone.preprocessing.crop
    return PretrainedCNN(
        network, backbone.arch, replace(backbone.preprocessing, size=side, crop=side), dict(backbone.weights)
    )


def check_head(head: str, task: str) -> None:
    """Raise where there is no such head, or not for this task.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_head("tanh", "classification")
    Traceback (most recent call last):
    geolive.errors.InputError: head='tanh': bounds values, and labels have none; choose head='linear', or task='regression'
    """
    check_choice("head", head, HEADS)
    if head == "tanh" and task != "regression":
        raise InputError(
            f"head={head!r}: bounds values, and labels have none; choose head='linear', or task='regression'",
            parameter="head",
        )


def load_authors_weights(path: str | Path, task: str, size: int | None = None) -> PretrainedCNN:
    """Load a network that the authors' code saved: torchvision's ResNet34 with a head of two outputs, or of Linear and Tanh.

    Parameters
    ----------
    path : str or Path
        A state dict that their code saved. Only tensors are read from it.
    task : {"regression", "classification"}
        Must be the task of its head.
    size : int, optional
        As for `load_pretrained`.

    Raises
    ------
    InputError
        The file is not such a network, or its head is for the other task.

    Examples
    --------
    >>> load_authors_weights("no/such/model.pth", "regression")
    Traceback (most recent call last):
    geolive.errors.InputError: no/such/model.pth: no such file; give a file of weights
    """
    state = {name.removeprefix("module."): value for name, value in read_state(path).items()}
    heads = {"classification": ("fc.weight", "fc.bias", 2), "regression": ("fc.0.weight", "fc.0.bias", 1)}
    tasks = [kind for kind, (weight, bias, _) in heads.items() if weight in state and bias in state]
    if tasks != [task]:
        says = f"its head is for {tasks[0]}" if tasks else "it has neither fc.weight nor fc.0.weight"
        raise InputError(f"{path}: not a network of the authors for {task}: {says}")
    weight, bias, outputs = heads[task]
    trunk, preprocessing = build_trunk(AUTHORS_ARCH)
    load_trunk(trunk, state, ("fc.",), str(path))
    network = PhotoCNN(trunk, 512, task, tanh=task == "regression")
    if state[weight].shape != (outputs, 512) or state[bias].shape != (outputs,):
        raise InputError(f"{path}: its head has the shape {tuple(state[weight].shape)}, not ({outputs}, 512)")
    network.head.load_state_dict({"weight": state[weight], "bias": state[bias]})
    side = size or preprocessing.crop
    preprocessing = replace(preprocessing, size=side, crop=side)
    return PretrainedCNN(network, AUTHORS_ARCH, preprocessing, {"source": "authors", "name": Path(path).name})
