"""Which parts of a photo raise or lower what an image-wise model says: Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391)."""

import importlib.util
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from geolive.errors import InputError

if TYPE_CHECKING:
    import torch

    from geolive.models.imagewise.model import ImageWise

INSTALL = 'pip install "geolive[gradcam]"'
# told apart by colour-blind readers
RAISES, LOWERS = (213, 94, 0), (0, 114, 178)
_STRONGEST = 0.75
# of fewer rows or columns a map tells little; small photos have such maps at the end of a network
_LEAST_FIELDS = 4


def check_captum() -> None:
    """Raise where captum is not installed.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_captum()
    """
    if importlib.util.find_spec("captum") is None:
        raise InputError(f"Grad-CAM pictures need captum; install it with: {INSTALL}")


def heat_maps(model: "ImageWise", pixels: "torch.Tensor") -> tuple[np.ndarray, tuple[int, int]]:
    """What each part of photos adds to the model's answer, as the last of the trunk's maps of 4 × 4 fields and more tells it.

    Parameters
    ----------
    model : ImageWise
        Its network on the processor.
    pixels : tensor of uint8, shape (n, 3, crop, crop)

    Returns
    -------
    maps : array of float32, shape (n, crop, crop)
        Above 0 where the photo raises the answer (the value, or label 1 against 0), below where it lowers it; no unit.
    fields : tuple of int
        In how many rows and columns the network tells the photo's parts apart: the maps show no more than that.

    Raises
    ------
    InputError
        captum is not installed, or the trunk keeps no map of the photo (a vision transformer, for example).

    Examples
    --------
    >>> import torch
    >>> from geolive.models.imagewise.model import ImageWise, load_pretrained
    >>> begun = load_pretrained("regression", "resnet18", weights="none", size=64)
    >>> model = ImageWise("regression", 0, begun.arch, begun.network, begun.preprocessing, (0.0, 1.0), {})
    >>> maps, fields = heat_maps(model, torch.zeros((1, 3, 64, 64), dtype=torch.uint8))
    >>> maps.shape, fields
    ((1, 64, 64), (4, 4))
    """
    check_captum()
    import torch
    from captum.attr import LayerAttribution, LayerGradCam

    network = model.network.eval()
    inputs = model.preprocessing.normalise(pixels.contiguous())
    layer = _last_map(network.trunk, inputs[:1], model.name)

    def answer(images: torch.Tensor) -> torch.Tensor:
        outputs = network(images)
        return outputs[:, 1] - outputs[:, 0] if model.task == "classification" else outputs[:, 0]

    with torch.enable_grad():
        found = LayerGradCam(answer, layer).attribute(inputs.requires_grad_())
    fields = tuple(found.shape[2:])
    whole = LayerAttribution.interpolate(found, tuple(inputs.shape[2:]), "bilinear")
    return whole[:, 0].detach().numpy(), fields


def overlaid(pixels: np.ndarray, heat: np.ndarray) -> Image.Image:
    """A photo under colours: orange where it raises the answer, blue where it lowers it, as strong as the strongest part.

    Parameters
    ----------
    pixels : array of uint8, shape (height, width, 3)
    heat : array of float, shape (height, width)

    Examples
    --------
    >>> overlaid(np.zeros((2, 2, 3), np.uint8), np.array([[1.0, 0.0], [0.0, -1.0]])).getpixel((0, 0))
    (159, 70, 0)
    """
    most = np.abs(heat).max()
    share = (_STRONGEST * np.abs(heat) / most if most > 0 else np.zeros(heat.shape))[..., None]
    colour = np.where((heat > 0)[..., None], np.array(RAISES), np.array(LOWERS))
    grey = pixels.mean(axis=2, keepdims=True)
    return Image.fromarray(((1 - share) * grey + share * colour).astype(np.uint8))


def _last_map(trunk: "torch.nn.Module", example: "torch.Tensor", name: str) -> "torch.nn.Module":
    """The part of a network that is the last to give a map of so many fields; of several fields, where none has as many."""
    import torch

    found, hooks = {1: [], _LEAST_FIELDS - 1: []}, []

    def note(part, _, output) -> None:
        if isinstance(output, torch.Tensor) and output.ndim == 4:
            for least, parts in found.items():
                if min(output.shape[2:]) > least:
                    parts.append(part)

    for part in trunk.modules():
        if part is not trunk or not list(trunk.children()):
            hooks.append(part.register_forward_hook(note))
    try:
        with torch.inference_mode():
            trunk(example)
    finally:
        for hook in hooks:
            hook.remove()
    if not found[1]:
        raise InputError(
            f"{name}: keeps no map of a photo of {example.shape[-1]} pixels for Grad-CAM to show; train a ResNet or an "
            "EfficientNet, or with a larger --size"
        )
    return (found[_LEAST_FIELDS - 1] or found[1])[-1]
