"""Inputs of the row `imagewise-trained` beside the dataset: a pretrained network, and photos decoded once for all folds."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.extras import require_extra

_EPOCHS = 10


def parse_imagewise(text: str) -> tuple[str, int, int | None]:
    """Read architecture, epochs and size in pixels from ARCH, ARCH:EPOCHS or ARCH:EPOCHS:SIZE; an architecture may
    hold a colon.

    Raises
    ------
    InputError
        It is none of these.

    Examples
    --------
    >>> parse_imagewise("resnet34"), parse_imagewise("timm:efficientnet_lite0:3:64")
    (('resnet34', 10, None), ('timm:efficientnet_lite0', 3, 64))
    """
    parts = text.strip().split(":")
    numbers: list[int] = []
    while len(parts) > 1 and parts[-1].isdecimal() and len(numbers) < 2:
        numbers.insert(0, int(parts.pop()))
    arch = ":".join(parts)
    epochs = numbers[0] if numbers else _EPOCHS
    size = numbers[1] if len(numbers) > 1 else None
    if not arch or arch.endswith(":") or epochs < 1 or (size is not None and not 32 <= size <= 1024):
        raise InputError(
            f"imagewise={text!r}: must be ARCH, ARCH:EPOCHS or ARCH:EPOCHS:SIZE, with 1 epoch or more and 32 to 1024 "
            "pixels on a side, such as resnet34:10:224",
            "imagewise",
        )
    return arch, epochs, size


def imagewise_options(
    dataset: Dataset,
    text: str,
    folder: Path,
    *,
    photos: str | Path | None = None,
    weights: str | Path | None = None,
    head: str = "linear",
    pool: str = "mean",
    random_state: int = 0,
    progress: Callable[[str], None] | None = None,
) -> dict:
    """Decode the photos and return the parameters of `geolive.models.imagewise.folds.TrainedInFolds`.

    Parameters
    ----------
    dataset : Dataset
    text : str
        As `parse_imagewise` reads it.
    folder : Path
        For the decoded photos; photos that are there already are not decoded again.
    photos : str or Path, optional
        The folder that `img_path` starts from.
    weights : str or Path, optional
        As `geolive.vision.backbones.load_backbone` takes them.
    head : {"linear", "tanh"}
        As `geolive.models.imagewise.cnn.load_pretrained` takes it.
    pool : {"mean", "vote"}
        As `geolive.models.pooling.pool_photos` takes it.
    random_state : int
        Seed of the network's random weights.
    progress : callable, optional

    Raises
    ------
    InputError
        There are no photos, there is no such network, or its weights cannot be loaded.
    """
    from geolive.models.imagewise.cnn import load_pretrained
    from geolive.models.imagewise.folds import decode_library
    from geolive.vision.images import photo_files

    arch, epochs, size = parse_imagewise(text)
    require_extra("imagewise")
    files = photo_files(dataset, photos)
    made = partial(load_pretrained, arch=arch, weights=weights, size=size, head=head, random_state=random_state)
    library = decode_library(dataset, files, made("regression").preprocessing, folder, progress)
    return {"library": library, "load_network": made, "epochs": epochs, "pool": pool}
