"""Grad-CAM: which parts of a photo raise or lower an image-wise model's prediction (Selvaraju et al. 2017, arXiv 1610.02391)."""

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from geolive.errors import InputError
from geolive.extras import require_extra

if TYPE_CHECKING:
    import torch

    from geolive.models.imagewise.model import ImageWise

# colours that colour-blind readers can distinguish
RAISES, LOWERS = (213, 94, 0), (0, 114, 178)
_STRONGEST = 0.75
# a map of fewer rows or columns shows little; for small photos the last maps of a network are that small
_LEAST_FIELDS = 4


def heat_maps(model: "ImageWise", pixels: "torch.Tensor") -> tuple[np.ndarray, tuple[int, int]]:
    """Compute how much each part of photos adds to the prediction, from the last map of the trunk that has at least 4
    × 4 fields.

    Parameters
    ----------
    model : ImageWise
        A fitted model, with its network on the CPU.
    pixels : tensor of uint8, shape (n, 3, crop, crop)

    Returns
    -------
    maps : array of float32, shape (n, crop, crop)
        Above 0 where the photo raises the prediction (the value, or label 1 against 0), below 0 where it lowers it; no unit.
    fields : tuple of int
        Rows and columns of that map: the maps resolve no smaller parts.

    Raises
    ------
    InputError
        captum is not installed, or the trunk has no map of the photo (for example a vision transformer).

    Examples
    --------
    >>> import torch
    >>> from geolive.models.imagewise.cnn import load_pretrained
    >>> from geolive.models.imagewise.model import ImageWise
    >>> model = ImageWise.from_network(load_pretrained("regression", "resnet18", weights="none", size=64))
    >>> maps, fields = heat_maps(model, torch.zeros((1, 3, 64, 64), dtype=torch.uint8))
    >>> maps.shape, fields
    ((1, 64, 64), (4, 4))
    """
    require_extra("gradcam")
    import torch
    from captum.attr import LayerAttribution, LayerGradCam

    network = model.network_.eval()
    inputs = model.preprocessing_.normalise(pixels.contiguous())
    layer = _last_map(network.trunk, inputs[:1], model.name)

    def prediction(images: torch.Tensor) -> torch.Tensor:
        outputs = network(images)
        return outputs[:, 1] - outputs[:, 0] if model.task == "classification" else outputs[:, 0]

    with torch.enable_grad():
        maps = LayerGradCam(prediction, layer).attribute(inputs.requires_grad_())
    fields = (maps.shape[2], maps.shape[3])
    whole = LayerAttribution.interpolate(maps, tuple(inputs.shape[2:]), "bilinear")
    return whole[:, 0].detach().numpy(), fields


def overlaid(pixels: np.ndarray, heat: np.ndarray) -> Image.Image:
    """Colour a photo: orange where it raises the prediction and blue where it lowers it, relative to the strongest part.

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
    """Find the last part of a network that gives a map of at least 4 × 4 fields, or, where there is none, of several fields."""
    import torch

    several: list[torch.nn.Module] = []
    enough: list[torch.nn.Module] = []
    hooks = []

    def note(part: torch.nn.Module, _: object, output: object) -> None:
        if isinstance(output, torch.Tensor) and output.ndim == 4:
            if min(output.shape[2:]) > 1:
                several.append(part)
            if min(output.shape[2:]) >= _LEAST_FIELDS:
                enough.append(part)

    for part in trunk.modules():
        if part is not trunk or not list(trunk.children()):
            hooks.append(part.register_forward_hook(note))
    try:
        with torch.inference_mode():
            trunk(example)
    finally:
        for hook in hooks:
            hook.remove()
    if not several:
        raise InputError(
            f"{name}: has no map of a photo of {example.shape[-1]} pixels that Grad-CAM could show; train a ResNet or an "
            "EfficientNet, or choose a larger size"
        )
    return (enough or several)[-1]
