"""Image-wise models: one network looks at photos one by one, and a place's value is the mean over its photos.

Source: Lee et al. 2021, "Image-wise learning". Training stands in `geolive.models.imagewise.training`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.models.imagewise.photo_cache import Pixels
from geolive.models.interface import Unconverted, check_images
from geolive.places import Places
from geolive.vision.backbones import TRUNK, build_trunk, load_backbone
from geolive.vision.devices import Device, choose_workers
from geolive.vision.images import PhotoFiles, PhotoSet, photo_batches
from geolive.vision.preprocessing import Preprocessing
from geolive.vision.weights import load_trunk, read_state

FILE = "model.safetensors"
HEAD = "head."
# the feature set under which `predict` finds what the network made of each photo
FEATURES = "imagewise"
AUTHORS_ARCH = "resnet34"
_AT_ONCE = 64


class PhotoCNN(nn.Module):
    """A trunk that turns a photo into a feature, and a linear head that answers.

    Parameters
    ----------
    trunk : Module
    width : int
        Of the trunk's feature.
    task : {"regression", "classification"}
        One output, the standardised value; or two, the labels 0 and 1.
    tanh : bool
        Whether the output is bounded to −1 … 1, as in the authors' regression.

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
        """Outputs of standardised images, shape (n, 3, height, width) to (n, 1) or (n, 2)."""
        outputs = self.head(self.trunk(images))
        return torch.tanh(outputs) if self.tanh else outputs


@dataclass(frozen=True)
class Pretrained:
    """A network before it is trained.

    Parameters
    ----------
    network : PhotoCNN
    arch : str
        As `geolive.vision.backbones.build_trunk` knows it.
    preprocessing : Preprocessing
    weights : dict
        Where they are from, for the card.
    """

    network: PhotoCNN
    arch: str
    preprocessing: Preprocessing
    weights: dict


def load_pretrained(
    task: str, arch: str, *, weights: str | Path | None = None, size: int | None = None, seed: int = 0
) -> Pretrained:
    """A network with a new head, whose trunk has weights from elsewhere.

    Parameters
    ----------
    task : {"regression", "classification"}
    arch : str
        resnet18, resnet34, resnet50, timm:NAME, or the folder of an image-wise bundle, to learn on from there.
    weights : str or Path, optional
        As `geolive.vision.backbones.load_backbone` takes them: a file, "none", or ImageNet's by default.
    size : int, optional
        Pixels on a side that photos are reduced to; by default what the weights were trained with.
    seed : int
        Of what is random in it.

    Raises
    ------
    InputError
        There is no such network, or its weights cannot be had.

    Examples
    --------
    >>> load_pretrained("regression", "resnet18", weights="none", size=64).preprocessing.crop
    64
    """
    backbone = load_backbone(arch, weights, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = PhotoCNN(backbone.trunk, backbone.width, task)
    # the whole of the shorter side: what is cut off differs from epoch to epoch
    side = size or backbone.preprocessing.crop
    return Pretrained(
        network, backbone.arch, replace(backbone.preprocessing, size=side, crop=side), dict(backbone.weights)
    )


def load_authors_weights(path: str | Path, task: str, size: int | None = None) -> Pretrained:
    """The network in a file of the authors' code: torchvision's ResNet34 with a head of two outputs, or Linear and Tanh.

    Parameters
    ----------
    path : str or Path
        What their code saved: a state dict. Nothing but tensors is read from it.
    task : {"regression", "classification"}
        Must be what its head is for.
    size : int, optional

    Raises
    ------
    InputError
        It is no such file, or of the other task.

    Examples
    --------
    >>> load_authors_weights("no/such/model.pth", "regression")
    Traceback (most recent call last):
    geolive.errors.InputError: no/such/model.pth: no such file of weights
    """
    state = {name.removeprefix("module."): value for name, value in read_state(path).items()}
    heads = {"classification": ("fc.weight", "fc.bias", 2), "regression": ("fc.0.weight", "fc.0.bias", 1)}
    found = [kind for kind, (weight, bias, _) in heads.items() if weight in state and bias in state]
    if found != [task]:
        says = f"its head is for {found[0]}" if found else "it has neither fc.weight nor fc.0.weight"
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
    return Pretrained(network, AUTHORS_ARCH, preprocessing, {"source": "authors", "name": Path(path).name})


class ImageWise(Unconverted):
    """A trained network, as a model of places.

    Parameters
    ----------
    task : {"regression", "classification"}
    seed : int
    arch : str
    network : PhotoCNN
    preprocessing : Preprocessing
    target : tuple of float
        Mean and standard deviation of the training clusters' values; 0 and 1 in classification.
    params : dict
        How it was trained, JSON-able.

    Examples
    --------
    >>> begun = load_pretrained("regression", "resnet18", weights="none", size=32)
    >>> ImageWise("regression", 0, begun.arch, begun.network, begun.preprocessing, (0.0, 1.0), {}).name
    'imagewise-resnet18'
    """

    kind = "imagewise"
    curve = None
    inputs = "photos, one by one"
    vertices = "feats"
    about = "a network that looks at each photo of a place; the place's value is their mean"

    def __init__(
        self,
        task: str,
        seed: int,
        arch: str,
        network: PhotoCNN,
        preprocessing: Preprocessing,
        target: tuple[float, float],
        params: dict,
    ):
        self.task, self.seed, self.arch, self.network = task, seed, arch, network
        self.preprocessing, self.target, self.params = preprocessing, target, params
        self.name = f"imagewise-{arch.removeprefix('timm:')}"

    def predict(self, places: Places) -> np.ndarray:
        """The mean over a place's photos, shape (n,); in classification of the probability of label 1.

        Places bring what the network made of their photos as the feature set `imagewise` (`look`).

        Raises
        ------
        InputError
            A place has no photos, or photos were not looked at yet.
        """
        check_images(places, self.name)
        if places.features is None or places.features.name != FEATURES:
            raise InputError(f"{self.name} looks at photos; give it places whose photos it has seen (look)")
        place = np.repeat(np.arange(len(places)), places.n_images)
        total = np.bincount(place, places.features.read()[:, 0].astype(float), minlength=len(places))
        return total / places.n_images

    def answers(self, images: torch.Tensor, device: Device) -> np.ndarray:
        """Value, or probability of label 1, of each photo; uint8 pixels, shape (n, 3, crop, crop), to (n,)."""
        inputs = self.preprocessing.normalise(device.pixels(images))
        outputs = device.run(self.network, inputs).double().cpu().numpy()
        if self.task == "classification":
            return 1 / (1 + np.exp(outputs[:, 0] - outputs[:, 1]))
        return outputs[:, 0] * self.target[1] + self.target[0]

    def on(self, device: Device) -> "ImageWise":
        """Put the network on a device, to look at photos there."""
        device.place(self.network).eval()
        return self

    def predict_photos(
        self,
        dataset: Dataset,
        files: PhotoFiles,
        rows: np.ndarray,
        device: Device,
        workers: int | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> Dataset:
        """A dataset with what the model makes of each photo, so that its places can be predicted.

        Parameters
        ----------
        dataset : Dataset
        files : PhotoFiles
            The dataset's photos.
        rows : array of int
            The images to look at; the others have no answer.
        device : Device
        workers : int, optional
            Processes that decode photos.
        progress : callable, optional

        Returns
        -------
        Dataset
            A copy with the feature set `imagewise`, float32, shape (images, 1): NaN where a photo was not looked at or cannot
            be used. A panorama's is the mean over its four views.

        Raises
        ------
        InputError
            None of these photos can be used.
        """
        self.on(device)
        found = np.full((len(dataset.images), 1), np.nan, np.float32)
        photos = PhotoSet(files, rows, self.preprocessing.prepare, self.preprocessing.size)
        loader = photo_batches(photos, _AT_ONCE, choose_workers(workers, device), device.name == "cuda")
        seen, reasons = 0, {}
        for batch in loader if len(rows) else ():
            seen += len(batch.rows)
            reasons |= batch.failures
            if len(batch.pixels):
                image, answers = batch.image.numpy(), self.answers(batch.pixels, device)
                views = np.bincount(image, minlength=len(batch.rows))
                total = np.bincount(image, answers, minlength=len(batch.rows))
                found[batch.rows[views > 0], 0] = total[views > 0] / views[views > 0]
            if progress:
                progress(f"looked at {seen:,} of {len(rows):,} photos")
        if len(reasons) == len(rows):
            why = next(iter(reasons.values()), "there is none")
            raise InputError(f"{dataset.name}: none of {len(rows):,} photos can be used: {why}; see --photos")
        return dataset.with_features(FEATURES, found)

    def save(self, folder: Path) -> dict:
        """Write the weights to `folder`; what comes back is needed to load them."""
        from safetensors.torch import save_file

        state = {name: tensor.detach().cpu().contiguous() for name, tensor in self.network.state_dict().items()}
        save_file(state, Path(folder) / FILE)
        return {
            "task": self.task,
            "seed": self.seed,
            "arch": self.arch,
            "preprocessing": self.preprocessing.as_json(),
            "target": list(self.target),
            "tanh": self.network.tanh,
            "params": self.params,
        }

    @classmethod
    def load(cls, folder: Path, settings: dict) -> "ImageWise":
        """Read what `save` wrote, with the settings that it gave back.

        Raises
        ------
        InputError
            The file is missing, cut short or not of this network, or the settings are not as `save` gives them.
        """
        path = Path(folder) / FILE
        try:
            task, seed, arch, tanh = (settings[name] for name in ("task", "seed", "arch", "tanh"))
            target, params = tuple(map(float, settings["target"])), dict(settings["params"])
            sound = task in ("regression", "classification") and len(target) == 2 and all(map(math.isfinite, target))
        except (KeyError, TypeError, ValueError):
            sound = False
        if not sound:
            raise InputError(f"{path}: not settings of an image-wise model; train it again")
        preprocessing = Preprocessing.from_json(settings["preprocessing"], f"{folder}/card.json")
        trunk, _ = build_trunk(str(arch))
        state = read_state(path)
        heads = {name.removeprefix(HEAD): value for name, value in state.items() if name.startswith(HEAD)}
        if set(heads) != {"weight", "bias"} or heads["weight"].ndim != 2:
            raise InputError(f"{path}: not the tensors of an image-wise model; train it again")
        network = PhotoCNN(trunk, heads["weight"].shape[1], task, bool(tanh))
        load_trunk(
            network.trunk, {k.removeprefix(TRUNK): v for k, v in state.items() if k.startswith(TRUNK)}, (), str(path)
        )
        load_trunk(network.head, heads, (), str(path))
        if not all(tensor.isfinite().all() for tensor in state.values()):
            raise InputError(f"{path}: holds numbers that are not finite; train it again")
        network.eval()
        return cls(task, int(seed), str(arch), network, preprocessing, target, params)


def answers_of_pixels(model: ImageWise, pixels: Pixels, rows: np.ndarray, device: Device) -> np.ndarray:
    """What a model makes of decoded photos, shape (rows,)."""
    model.on(device)
    parts = [rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)]
    return np.concatenate([np.zeros(0), *(model.answers(pixels.read(part), device) for part in parts)])
