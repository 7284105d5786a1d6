"""How pixels of a photo are prepared for a network; this belongs to the model and is part of its card."""

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from geolive.errors import InputError

if TYPE_CHECKING:
    import torch

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_LARGEST = 4096


@dataclass(frozen=True)
class Preprocessing:
    """Resize the shorter side to `size` pixels, cut a square of `crop` pixels from the middle, and standardise the channels.

    Parameters
    ----------
    size, crop : int
        Pixels; `crop` is at most `size`.
    mean, std : tuple of float
        Mean and standard deviation of the red, green and blue channels on a scale of 0 to 1; the default is ImageNet's.
    interpolation : str
        "bilinear" or "bicubic"; both average over all pixels that become one.

    Examples
    --------
    >>> Preprocessing().cut(Image.new("RGB", (640, 480))).shape
    (224, 224, 3)
    >>> Preprocessing.from_json(Preprocessing(size=224).as_json()).size
    224
    """

    size: int = 256
    crop: int = 224
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    interpolation: str = "bilinear"

    def cut(self, image: Image.Image) -> np.ndarray:
        """Resize and cut an RGB image.

        Returns
        -------
        array of uint8, shape (crop, crop, 3)
        """
        scale = min(image.size) / self.size
        half = self.crop * scale / 2
        middle = image.width / 2, image.height / 2
        box = (middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half)
        # by rounding, the box may exceed the image by less than a millionth of a pixel
        box = (max(0.0, box[0]), max(0.0, box[1]), min(image.width, box[2]), min(image.height, box[3]))
        return np.asarray(image.resize((self.crop, self.crop), _RESAMPLING[self.interpolation], box=box))

    def prepare(self, view: Image.Image, row: int) -> np.ndarray:
        """Call `cut`, with the arguments that `geolive.vision.images.PhotoSet` gives; the row is not used."""
        return self.cut(view)

    def normalise(self, pixels: "torch.Tensor") -> "torch.Tensor":
        """Standardise a batch on its device.

        Parameters
        ----------
        pixels : tensor of uint8, shape (n, 3, height, width)

        Returns
        -------
        tensor of float32, of the same shape and memory format
        """
        import torch

        mean, std = (
            torch.tensor(values, dtype=torch.float32, device=pixels.device).view(1, 3, 1, 1) * 255
            for values in (self.mean, self.std)
        )
        return pixels.to(torch.float32).sub_(mean).div_(std)

    def as_json(self) -> dict:
        """Return the settings as a dict for a model card."""
        return asdict(self) | {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, card: Any, where: str = "card") -> "Preprocessing":
        """Read a dict that `as_json` made; `where` names its file in an error message.

        Raises
        ------
        InputError
            A value is missing or not valid.
        """
        try:
            size, crop = (int(card[name]) for name in ("size", "crop"))
            mean, std = _three(card["mean"]), _three(card["std"])
            sound = (
                1 <= crop <= size <= _LARGEST
                and all(map(math.isfinite, mean))
                and all(0 < value < math.inf for value in std)
                and card["interpolation"] in _RESAMPLING
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            sound = False
        if not sound:
            raise InputError(f"{where}: its preprocessing is not in geolive's format; train again")
        return cls(size, crop, mean, std, card["interpolation"])


def _three(values: Any) -> tuple[float, float, float]:
    """Read one number per colour channel; raise ValueError or TypeError where there are not three."""
    red, green, blue = values
    return float(red), float(green), float(blue)
