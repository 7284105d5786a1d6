"""Weights and scaling of a network of photos as plain tensors, which bundles keep."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from geolive.errors import InputError
from geolive.graphs.node_features import VertexScaling
from geolive.model_inputs import photo_inputs
from geolive.models.network_model import NetworkModel, torch_device
from geolive.models.network_weights import check_tensors
from geolive.models.target_scaler import TargetScaler


class PhotoSetFiles(NetworkModel):
    """A network of photos and its tensors by name; `geolive.models.photoset_model` trains it.

    Attributes
    ----------
    network_ : torch.nn.Module
    scaling_ : VertexScaling
        How the numbers of a photo become the features of a vertex.
    learning_rate_, width_ : float and int
        The parameters, or what the search found.
    """

    network_: nn.Module
    scaling_: VertexScaling
    covariate_scale_: np.ndarray

    def _new_network(self, features: int, outputs: int, generator: torch.Generator) -> nn.Module:
        """Make a network with random weights."""
        raise NotImplementedError

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return weights and scaling by name."""
        weights = {f"network.{name}": tensor.cpu().contiguous() for name, tensor in self.network_.state_dict().items()}
        return weights | {f"scaling.{name}": torch.from_numpy(np.array(a)) for name, a in self._scales().items()}

    def _scales(self) -> dict[str, np.ndarray]:
        covariates = {"covariates": self.covariate_scale_} if self.uses("covariates") else {}
        return {
            "mean": self.scaling_.mean,
            "factor": self.scaling_.factor,
            self.task: self.targets_.table,
            **covariates,
        }

    def set_tensors(self, tensors: dict[str, torch.Tensor], path: Path, outputs: int) -> None:
        """Take weights and scaling from tensors; `path` is the file that errors name.

        Raises
        ------
        InputError
            They are not the tensors of a network with these parameters.
        """
        self.check_parameters()
        self.learning_rate_, self.width_ = self.learning_rate, self.width
        features = len(tensors["scaling.mean"]) if "scaling.mean" in tensors else 0
        # shapes come first, without memory: settings of a damaged card may describe a network of any size
        try:
            with torch.device("meta"):
                shapes = self._new_network(max(features, 1), outputs, torch.Generator()).state_dict()
        except (RuntimeError, OverflowError):
            raise InputError(f"{path}: not the tensors of a {self.name} network; train it again") from None
        expected = {f"network.{name}": tuple(tensor.shape) for name, tensor in shapes.items()}
        expected |= {f"scaling.{name}": shape for name, shape in self._scale_shapes(features, outputs).items()}
        check_tensors(tensors, expected, path, self.name)
        network = self._new_network(max(features, 1), outputs, torch.Generator())
        network.load_state_dict({n.removeprefix("network."): t for n, t in tensors.items() if n.startswith("network.")})
        self.network_ = network.to(torch_device(self.device)).eval()
        self._set_scales(
            {name.removeprefix("scaling."): t.numpy() for name, t in tensors.items() if "scaling." in name}
        )

    def _scale_shapes(self, features: int, outputs: int) -> dict[str, tuple[int, ...]]:
        covariates = {"covariates": (2, len(self.covariate_names_))} if self.uses("covariates") else {}
        return {"mean": (features,), "factor": (features,), self.task: (outputs, 4), **covariates}

    def _set_scales(self, arrays: dict[str, np.ndarray]) -> None:
        self.scaling_ = VertexScaling(photo_inputs(self.inputs), arrays["mean"], arrays["factor"])
        if self.uses("covariates"):
            self.covariate_scale_ = arrays["covariates"]
        self.targets_ = TargetScaler(arrays[self.task])
