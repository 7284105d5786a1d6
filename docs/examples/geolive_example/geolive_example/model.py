"""A model: a trend surface."""

import json
from pathlib import Path
from typing import Any

import numpy as np

import geolive as gl


class TrendSurface(gl.Model):
    """A plane in longitude and latitude, fitted by least squares: a linear trend surface.

    Parameters
    ----------
    task : {"regression", "classification"}
    random_state : int
        Not used: the model has nothing random.
    """

    # the name of the entry point
    kind = "example-trend"
    # the model uses positions only, so it also predicts where there is no image
    needs_images = False
    inputs = None
    input_words = "longitude and latitude"

    def __init__(self, task: str = "regression", *, random_state: int = 0) -> None:
        self.task = task
        self.random_state = random_state

    def fit(self, places: Any, values: np.ndarray) -> "TrendSurface":
        """Fit the plane to places."""
        self.check_parameters()
        self.coefficients_ = np.linalg.lstsq(_columns(places), np.asarray(values, float), rcond=None)[0]
        return self

    def predict(self, places: Any) -> np.ndarray:
        """Predict values of places, or probabilities of label 1, shape (n,)."""
        self.check_fitted()
        predicted = _columns(places) @ self.coefficients_
        return np.clip(predicted, 0, 1) if self.task == "classification" else predicted

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the coefficients to a bundle; the settings that are returned come back in `load`."""
        (Path(folder) / "trend.json").write_text(json.dumps(self.coefficients_.tolist()), encoding="utf-8")
        return {"task": self.task, "random_state": self.random_state}

    @classmethod
    def load(cls, folder: Path, settings: dict[str, Any]) -> "TrendSurface":
        """Read what `save` wrote. A bundle may come from anybody, so its numbers are checked and no pickle is read."""
        model = cls(**settings)
        read = json.loads((Path(folder) / "trend.json").read_text(encoding="utf-8"))
        model.coefficients_ = np.asarray(read, float)
        if model.coefficients_.shape != (3,) or not np.isfinite(model.coefficients_).all():
            raise gl.InputError(f"{folder}/trend.json: does not hold three numbers; train it again")
        return model


def _columns(places: Any) -> np.ndarray:
    """Return a constant, the longitude and the latitude of each place, shape (n, 3)."""
    return np.column_stack([np.ones(len(places)), places.positions])
