"""Covariates at the places of a grid, read from the rasters that a dataset's covariates came from."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from geolive.covariates.raster_names import RasterCovariate, as_rasters
from geolive.covariates.sampling import sample_raster
from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.languages import phrase
from geolive.models.trained_model import TrainedModel
from geolive.places import Places

Rasters = Iterable[str | RasterCovariate] | Mapping[str, str | Path]


class MapCovariates:
    """The covariates that a trained model uses, at places that the dataset does not have.

    A dataset keeps no path of a raster, so the rasters are given again. Values are the means over the buffers that the dataset's
    facts state for places of which it is not known whether they are urban or rural.

    Parameters
    ----------
    dataset : Dataset
        Its facts say how each covariate was made.
    trained : TrainedModel
    rasters : list of str, or dict of str to path
        "NAME=FILE" or "NAME=FILE:BAND"; see `geolive.covariates.sampling.covariates_at`.
    progress : callable, optional
        Called with a short text about the progress.

    Attributes
    ----------
    names : tuple of str
        The covariates that the model uses; empty where it uses none.
    about : str
        Where they come from, in sentences; empty until they are read.

    Raises
    ------
    InputError
        The model uses no covariates, and rasters are given.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> MapCovariates(dataset, gl.train(dataset, gl.Neighbours(), "pov"), []).names
    ()
    """

    def __init__(
        self,
        dataset: Dataset,
        trained: TrainedModel,
        rasters: Rasters = (),
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self.names: tuple[str, ...] = ()
        self.about = ""
        if trained.model.uses("covariates"):
            self.names = tuple(getattr(trained.model, "covariate_names_", ()))
        self._rasters = as_rasters(rasters)
        self._facts = dataset.covariates.about if dataset.covariates else {}
        self._model, self._progress = trained.card.model, progress
        if self._rasters and not self.names:
            raise InputError(
                f"rasters: {self._model} uses no covariates; leave the rasters out, or train a model that does "
                "(inputs='covariates')",
                parameter="rasters",
            )

    @property
    def given(self) -> bool:
        """Whether the model uses covariates and rasters were given."""
        return bool(self.names and self._rasters)

    def add_to(self, places: Places) -> Places:
        """Return places with the covariates that the model uses, NaN where a raster has no value.

        Raises
        ------
        InputError
            A covariate has no raster, or a raster cannot be read.
        """
        if not self.names or not len(places):
            return places
        self._check_given()
        tables, words = [], []
        for raster in self._rasters:
            table, word = self._read(raster, places.positions)
            tables.append(table)
            words.append(word)
        read = pd.concat(tables, axis=1)
        missing = [name for name in self.names if name not in read]
        if missing:
            raise InputError(
                f"rasters: give no {missing[0]!r}, which {self._model} uses; add {missing[0]}=FILE, and leave out no band",
                parameter="rasters",
            )
        self.about = phrase("about.covariates", covariates=words)
        return replace(places, covariates=read[list(self.names)].to_numpy(float), covariate_names=self.names)

    def _check_given(self) -> None:
        from_tables = [name for name in self.names if self._facts.get(name, {}).get("kind") == "table"]
        if from_tables:
            raise InputError(
                f"{self._model} uses {from_tables[0]!r}, which came from a table and is not known at the places of a grid; train "
                "it on covariates from rasters"
            )
        if not self._rasters:
            files = ", ".join(f"'{name}': 'FILE'" for name in _raster_names(self.names))
            raise InputError(
                f"{self._model} uses covariates that are not known at the places of a grid; give the rasters that they came "
                f"from, rasters={{{files}}}",
                parameter="rasters",
            )

    def _read(self, raster: RasterCovariate, positions: np.ndarray) -> tuple[pd.DataFrame, str]:
        facts = next(
            (self._facts[name] for name in self.names if name == raster.name or name.startswith(f"{raster.name}_")),
            None,
        )
        if facts is None:
            raise InputError(
                f"rasters: {self._model} uses no covariate {raster.name!r}; it uses {', '.join(self.names)}",
                parameter="rasters",
            )
        radius = float(facts.get("buffer_km", {}).get("unknown", 0.0))
        sample = sample_raster(raster, positions, radius, self._progress)
        known = facts.get("sha256")
        other = "_other" if known and raster.checksum() != known else ""
        key = f"about.covariate_{'mean' if radius else 'cell'}{other}"
        return sample.values, phrase(key, name=raster.name, file=raster.file_name, radius=f"{radius:g}")


def _raster_names(names: Sequence[str]) -> list[str]:
    """Return the names of the rasters that covariates came from: the bands of an embedding are NAME_00, NAME_01, …"""
    numbered = [name.rpartition("_")[0] if re.fullmatch(r".+_\d\d+", name) else name for name in names]
    return list(
        dict.fromkeys(base if numbered.count(base) > 1 else name for base, name in zip(numbered, names, strict=True))
    )
