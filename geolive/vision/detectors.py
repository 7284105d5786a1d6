"""What finds objects in photos: a function from a batch of images to a list of classes with confidences for each.

Two are here, Mask2Former of transformers and the detectors of torchvision; a third needs nothing but to return a `Detector`.
"""

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from geolive.errors import InputError
from geolive.files import checksum
from geolive.vision.weights import file_record, from_hub, load_trunk, read_state

MASK2FORMER = "facebook/mask2former-swin-large-mapillary-vistas-panoptic"
TORCHVISION = "torchvision:"
SEGMENTATION = "pip install 'geolive[segmentation]'"
# for each image, each object's class (the detector's name for it) and confidence between 0 and 1
Found = list[list[tuple[str, float]]]
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_LARGEST_SIDE = 2048


@dataclass(frozen=True)
class Detector:
    """What finds objects.

    Parameters
    ----------
    name : str
    classes : list of str
        All names that it gives.
    detect : callable
        From images (arrays of uint8, shape (height, width, 3), of any sizes) to `Found`: all that it is at least `threshold`
        sure of.
    shorter : int
        Pixels that it looks at on the shorter side.
    record : dict
        All that its results depend on, JSON-able.
    """

    name: str
    classes: list[str]
    detect: Callable[[list[np.ndarray]], Found]
    shorter: int
    record: dict


def load_detector(
    model: str,
    *,
    threshold: float,
    stuff: Callable[[list[str]], set[str]],
    weights: str | Path | None = None,
    classes: list[str] | None = None,
    device: str = "cpu",
) -> Detector:
    """A detector by name or path.

    Parameters
    ----------
    model : str
        A folder as transformers' `save_pretrained` writes it, with its image processor; a name on the hub (owner/name); or
        torchvision:NAME, for example torchvision:fasterrcnn_mobilenet_v3_large_320_fpn, with `weights`.
    threshold : float
        Least confidence, 0 to 1.
    stuff : callable
        From the detector's classes to those of which an image has one segment at most.
    weights : str or Path, optional
        For torchvision's: a file, as `geolive.vision.weights.read_state` reads it.
    classes : list of str, optional
        For torchvision's: names of its labels, from 0, the background; by default COCO's.
    device : str

    Raises
    ------
    InputError
        There is no such detector, or what it needs is missing.

    Examples
    --------
    >>> load_detector("torchvision:nothing", threshold=0.5, stuff=set)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: torchvision has no detector 'nothing'; it has: ...
    """
    if not 0 <= threshold <= 1:
        raise InputError(f"--threshold {threshold:g}: must be between 0 and 1")
    if model.startswith(TORCHVISION):
        return _torchvision(model.removeprefix(TORCHVISION), weights, classes, threshold, device)
    if weights is not None:
        raise InputError(f"--weights is for {TORCHVISION}NAME; {model} brings its own")
    return _mask2former(model, threshold, stuff, device)


def _mask2former(model: str, threshold: float, stuff: Callable[[list[str]], set[str]], device: str) -> Detector:
    is_folder = Path(model).is_dir()
    if not is_folder and not _HUB_NAME.fullmatch(model):
        raise InputError(f"{model}: no such folder, and no name on the hub (owner/name); try --model {MASK2FORMER}")
    if is_folder and not (Path(model) / "config.json").is_file():
        raise InputError(
            f"{model}: no config.json there; needed is a folder as transformers' save_pretrained writes it"
        )
    try:
        from transformers import AutoImageProcessor, Mask2FormerForUniversalSegmentation, utils
    except ImportError:
        raise InputError(f"{model} needs transformers; install it with: {SEGMENTATION}") from None
    utils.logging.set_verbosity_error()
    utils.logging.disable_progress_bar()
    options = {"trust_remote_code": False, "local_files_only": is_folder}

    def load() -> tuple:
        network = Mask2FormerForUniversalSegmentation.from_pretrained(model, weights_only=True, **options)
        return network, AutoImageProcessor.from_pretrained(model, **options)

    network, processor = _from_folder(load, model) if is_folder else from_hub(load, model)
    network = network.eval().to(device)
    names = {int(label): str(name) for label, name in network.config.id2label.items()}
    fused = {label for label, name in names.items() if name in stuff(list(names.values()))}

    def detect(images: list[np.ndarray]) -> Found:
        inputs = processor(images=images, return_tensors="pt").to(device)
        with torch.inference_mode():
            outputs = network(**inputs)
        segmented = processor.post_process_panoptic_segmentation(outputs, threshold=threshold, label_ids_to_fuse=fused)
        return [_segments(found["segments_info"], names, fused) for found in segmented]

    weights = _folder_record(Path(model)) if is_folder else {"source": "hub", "commit": network.config._commit_hash}
    record = {"model": Path(model).name if is_folder else model, "weights": weights, "threshold": threshold}
    return Detector(model, list(names.values()), detect, _side(processor), record)


def _from_folder(load: Callable[[], tuple], model: str) -> tuple:
    try:
        return load()
    except Exception as error:  # whatever transformers says of a folder that is not as it needs it
        said = " ".join(str(error).split())[:150]
        raise InputError(f"{model}: cannot be read as a Mask2Former ({type(error).__name__}: {said})") from None


def _segments(found: list[dict], names: dict[int, str], fused: set[int]) -> list[tuple[str, float]]:
    """Each thing, and of each kind of stuff one segment, with the highest confidence of its parts.

    Parts of one segment are listed one by one, and their numbers are not reliable (transformers 5 counts on from the number
    of the last fused segment), so stuff is told by its class.
    """
    things = [(names[part["label_id"]], part["score"]) for part in found if part["label_id"] not in fused]
    segments: dict[str, float] = {}
    for part in found:
        if part["label_id"] in fused:
            name = names[part["label_id"]]
            segments[name] = max(part["score"], segments.get(name, 0.0))
    return things + list(segments.items())


def _side(processor: object) -> int:
    """The pixels on the shorter side of what an image processor makes of a photo."""
    size = dict(getattr(processor, "size", None) or {})
    sides = [size[name] for name in ("shortest_edge", "height", "width") if size.get(name)]
    return min(_LARGEST_SIDE, max(sides, default=_LARGEST_SIDE))


def _folder_record(folder: Path) -> dict:
    files = sorted(path for path in folder.iterdir() if path.suffix in (".safetensors", ".bin", ".json"))
    return {"source": "folder", "sha256": {path.name: checksum(path) for path in files}}


def _torchvision(
    name: str, weights: str | Path | None, classes: list[str] | None, threshold: float, device: str
) -> Detector:
    from torchvision.models import detection, get_model_weights, list_models

    known = [model for model in list_models(module=detection) if "keypoint" not in model]
    if name not in known:
        raise InputError(f"torchvision has no detector {name!r}; it has: {', '.join(known)}")
    if weights is None:
        raise InputError(f"{TORCHVISION}{name}: name a file of its weights with --weights")
    names = classes or [*get_model_weights(name).DEFAULT.meta["categories"]]
    network = getattr(detection, name)(weights=None, weights_backbone=None, num_classes=len(names))
    load_trunk(network, read_state(weights), (), str(weights))
    with contextlib.suppress(AttributeError):  # each kind of network has its own name for this
        network.roi_heads.score_thresh = threshold
    network = network.eval().to(device)

    def detect(images: list[np.ndarray]) -> Found:
        batch = [torch.from_numpy(image).to(device).permute(2, 0, 1).float() / 255 for image in images]
        with torch.inference_mode():
            outputs = network(batch)
        return [
            [
                (names[label], score)
                for label, score in zip(output["labels"].tolist(), output["scores"].tolist(), strict=True)
                if score >= threshold
            ]
            for output in outputs
        ]

    record = {"model": f"{TORCHVISION}{name}", "weights": file_record(Path(weights)), "threshold": threshold}
    return Detector(name, names, detect, min(_LARGEST_SIDE, max(network.transform.min_size)), record)
