"""The photos of an explanation: a few small ones, embedded in the page, with the names of their creators."""

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw, ImageFont

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.explain.occlusion import Weights, weightiest
from geolive.models.trained_model import TrainedModel
from geolive.sources.photos.image_files import UnusableImageError
from geolive.wording import significant

if TYPE_CHECKING:
    from geolive.vision.images import PhotoFiles

PHOTOS_EACH = 4
SIDE = 320
QUALITY = 80
_RED = (179, 38, 30)


@dataclass(frozen=True)
class Picture:
    """A photo for the page: a data URI (empty where the photo cannot be used) and a caption."""

    uri: str
    caption: str


@dataclass(frozen=True)
class Gallery:
    """Photos of the clusters that are shown.

    Parameters
    ----------
    pictures : dict of str to list of Picture
        By "highest", "median" and "lowest".
    attribution : str
        Who made the photos, where the dataset says so; else empty.
    fields : tuple of int, or None
        Rows and columns of the parts that Grad-CAM distinguishes; None where there are only photos.
    """

    pictures: dict[str, list[Picture]]
    attribution: str
    fields: tuple[int, int] | None = None


def draw_gallery(dataset: Dataset, trained: TrainedModel | None, weights: Weights, files: "PhotoFiles") -> Gallery:
    """Draw the photos that change the predictions of the shown clusters most; for an image-wise model with Grad-CAM.

    Parameters
    ----------
    dataset : Dataset
    trained : TrainedModel, optional
        Grad-CAM is drawn for image-wise models.
    weights : Weights
        As `geolive.explain.explanation.explain` computes them.
    files : PhotoFiles
        The dataset's photos.

    Returns
    -------
    Gallery
        Up to four photos of each cluster, at most 320 pixels wide and high; simulated photos are marked SIMULATED.

    Raises
    ------
    InputError
        None of these photos can be used, or captum is needed and not installed.

    Examples
    --------
    >>> import pandas as pd
    >>> from geolive.simulation.sample import make_sample
    >>> from geolive.vision.images import PhotoFiles
    >>> dataset = make_sample("goa", seed=0)
    >>> photos = pd.DataFrame({"unique_cluster": ["a"], "key": dataset.images["key"][:1], "change": [0.1]})
    >>> weights, files = Weights(photos, None, {"highest": "a"}, 1), PhotoFiles(".", [None] * len(dataset.images), [])
    >>> draw_gallery(dataset, None, weights, files)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: none of the 1 photos of the gallery can be used (no photo: img_path is empty); ...
    """
    row_of = dict(zip(dataset.images["key"], range(len(dataset.images)), strict=True))
    model = trained.model if trained is not None and hasattr(trained.model, "predict_photos") else None
    pictures: dict[str, list[Picture]] = {}
    reasons: list[str] = []
    fields, wanted = None, 0
    for word, cluster in weights.shown.items():
        pictures[word] = []
        for photo in weightiest(weights.photos, cluster, PHOTOS_EACH).itertuples():
            wanted, caption = wanted + 1, _caption(dataset, row_of[photo.key], photo)
            try:
                view = files.views(row_of[photo.key], SIDE)[0]
            except UnusableImageError as error:
                reasons.append(str(error))
                pictures[word].append(Picture("", f"{caption}; cannot be shown: {error}"))
                continue
            shown = _small(view)
            if model is not None:
                shown, fields = _with_parts(model, view)
            pictures[word].append(Picture(_uri(_stamped(shown) if dataset.simulated else shown), caption))
    if wanted and len(reasons) == wanted:
        raise InputError(
            f"none of the {wanted} photos of the gallery can be used ({reasons[0]}); give their folder "
            "with photos=FOLDER"
        )
    return Gallery(pictures, attribution(dataset), fields)


def attribution(dataset: Dataset) -> str:
    """Name who made the photos of a dataset and their licence, where the dataset says so.

    Examples
    --------
    >>> from geolive.simulation.sample import make_sample
    >>> attribution(make_sample("goa", seed=0))
    ''
    """
    facts = [dataset.extra.get(name) for name in ("attribution", "licence")]
    sentences = [words for words in facts if isinstance(words, str) and words]
    if not sentences and "mapillary" in dataset.source.lower():
        from geolive.sources.mapillary.source import ATTRIBUTION, LICENCE

        sentences = [ATTRIBUTION, LICENCE]
    # the attribution may name the licence itself
    return ", ".join(words for i, words in enumerate(sentences) if not any(words in before for before in sentences[:i]))


def _caption(dataset: Dataset, row: int, photo: Any) -> str:
    image = dataset.images.iloc[row]
    names = [image.get(name) for name in ("creator", "creator_id")]
    by = next((f", by {name}" for name in names if isinstance(name, str) and name), "")
    licence = image.get("licence")
    if not (isinstance(licence, str) and licence):
        licence = "CC BY-SA 4.0" if "mapillary" in attribution(dataset).lower() else ""
    caption = f"Image {photo.key}{by}" + (f", {licence}" if licence else "")
    if hasattr(photo, "prediction"):
        caption += f": {with_minus(significant(photo.prediction, 3))} for this photo alone"
    return f"{caption}; without it {with_minus(significant(photo.change, 2, '+'))}"


def with_minus(number: str) -> str:
    """Return a written number with a minus sign in place of a hyphen.

    Examples
    --------
    >>> with_minus("-0.50") == "\N{MINUS SIGN}0.50"
    True
    """
    return number.replace("-", "\N{MINUS SIGN}")


def _small(view: Image.Image) -> Image.Image:
    small = view.copy()
    small.thumbnail((SIDE, SIDE))
    return small


def _with_parts(model: Any, view: Image.Image) -> tuple[Image.Image, tuple[int, int]]:
    """Draw the pixels that the network sees, and beside them the parts that matter."""
    import torch

    from geolive.explain.gradcam import heat_maps, overlaid
    from geolive.vision.devices import Device

    model.on(Device("cpu", "float32"))
    pixels = model.preprocessing_.cut(view)
    maps, fields = heat_maps(model, torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None])
    side = (SIDE, SIDE)
    both = Image.new("RGB", (2 * SIDE + 8, SIDE), "white")
    both.paste(Image.fromarray(pixels).resize(side, Image.Resampling.BILINEAR), (0, 0))
    both.paste(overlaid(pixels, maps[0]).resize(side, Image.Resampling.BILINEAR), (SIDE + 8, 0))
    return both, fields


def _stamped(picture: Image.Image) -> Image.Image:
    stamped = picture.copy()
    drawing, font = ImageDraw.Draw(stamped), ImageFont.load_default(max(picture.height // 9, 10))
    for left in range(0, picture.width, SIDE + 8):
        drawing.text((left + 6, 4), "SIMULATED", _RED, font, stroke_width=2, stroke_fill="white")
    return stamped


def _uri(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
