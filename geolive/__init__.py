"""District maps of livelihood from street-level photos and surveys, with honest uncertainty.

The names below are what a notebook needs; each is imported when it is first used.
"""

import importlib

__version__ = "0.1.0"

# public name: the module that defines it
_PUBLIC = {
    "Dataset": "geolive.dataset",
    "read_dataset": "geolive.dataset",
    "write_dataset": "geolive.dataset",
    "make_sample": "geolive.simulation.sample",
    "read_survey": "geolive.sources.survey.reader",
    "read_dhs": "geolive.sources.survey.dhs",
    "read_photos": "geolive.sources.photos.reader",
    "find_region": "geolive.regions",
    "Forest": "geolive.models.clusterwise",
    "CountModel": "geolive.models.count_models",
    "Kriging": "geolive.models.kriging",
    "Neighbours": "geolive.models.baselines",
    "InverseDistance": "geolive.models.baselines",
    "Mean": "geolive.models.baselines",
    "GraphCNN": "geolive.models.graphcnn",
    "StackedNetwork": "geolive.models.stacked",
    "RandomSplit": "geolive.splits",
    "BlockSplit": "geolive.splits",
    "DistrictSplit": "geolive.splits",
    "KnndmSplit": "geolive.splits",
    "train": "geolive.models.training",
    "save_model": "geolive.models.bundle",
    "load_model": "geolive.models.bundle",
    "evaluate": "geolive.evaluation.evaluate",
    "predict": "geolive.mapping.prediction",
    "DistrictMap": "geolive.mapping.district_map",
    "InputError": "geolive.errors",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'geolive' has no attribute {name!r}; it has {', '.join(sorted(_PUBLIC))}")
    try:
        value = getattr(importlib.import_module(_PUBLIC[name]), name)
    except ModuleNotFoundError as error:
        from geolive.extras import missing_extra

        if missing := missing_extra(error.name or ""):
            raise missing from None
        raise
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
