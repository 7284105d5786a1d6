"""District maps of livelihood from street-level photos and surveys, with honest uncertainty.

A notebook needs only the names below. Each is imported when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# public name: the module that defines it
_PUBLIC = {
    "Dataset": "geolive.dataset",
    "read_dataset": "geolive.dataset_folder",
    "write_dataset": "geolive.dataset_folder",
    "partition_dataset": "geolive.partitioning",
    "make_sample": "geolive.simulation.sample",
    "read_survey": "geolive.sources.survey.reader",
    "read_dhs": "geolive.sources.survey.dhs",
    "read_photos": "geolive.sources.photos.reader",
    "read_images": "geolive.sources.image_tables.reader",
    "add_object_counts": "geolive.sources.image_tables.object_counts",
    "add_covariates": "geolive.covariates.adding",
    "find_region": "geolive.regions",
    "Ensemble": "geolive.models.ensemble",
    "Forest": "geolive.models.clusterwise",
    "CountModel": "geolive.models.count_models",
    "Kriging": "geolive.models.kriging",
    "Neighbours": "geolive.models.baselines",
    "InverseDistance": "geolive.models.baselines",
    "Mean": "geolive.models.baselines",
    "Model": "geolive.models.interface",
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
    "audit": "geolive.auditing.audit",
    "predict": "geolive.mapping.prediction",
    "direct_estimates": "geolive.estimation.direct",
    "estimate_areas": "geolive.estimation.area_table",
    "FayHerriot": "geolive.estimation.fay_herriot",
    "DistrictMap": "geolive.mapping.district_map",
    "InputError": "geolive.errors",
}

if TYPE_CHECKING:
    # for editors and type checkers, which cannot see lazy imports; a test holds both lists equal
    from geolive.auditing.audit import audit as audit
    from geolive.covariates.adding import add_covariates as add_covariates
    from geolive.dataset import Dataset as Dataset
    from geolive.dataset_folder import read_dataset as read_dataset
    from geolive.dataset_folder import write_dataset as write_dataset
    from geolive.errors import InputError as InputError
    from geolive.estimation.area_table import estimate_areas as estimate_areas
    from geolive.estimation.direct import direct_estimates as direct_estimates
    from geolive.estimation.fay_herriot import FayHerriot as FayHerriot
    from geolive.evaluation.evaluate import evaluate as evaluate
    from geolive.mapping.district_map import DistrictMap as DistrictMap
    from geolive.mapping.prediction import predict as predict
    from geolive.models.baselines import InverseDistance as InverseDistance
    from geolive.models.baselines import Mean as Mean
    from geolive.models.baselines import Neighbours as Neighbours
    from geolive.models.bundle import load_model as load_model
    from geolive.models.bundle import save_model as save_model
    from geolive.models.clusterwise import Forest as Forest
    from geolive.models.count_models import CountModel as CountModel
    from geolive.models.ensemble import Ensemble as Ensemble
    from geolive.models.graphcnn import GraphCNN as GraphCNN
    from geolive.models.interface import Model as Model
    from geolive.models.kriging import Kriging as Kriging
    from geolive.models.stacked import StackedNetwork as StackedNetwork
    from geolive.models.training import train as train
    from geolive.partitioning import partition_dataset as partition_dataset
    from geolive.regions import find_region as find_region
    from geolive.simulation.sample import make_sample as make_sample
    from geolive.sources.image_tables.object_counts import add_object_counts as add_object_counts
    from geolive.sources.image_tables.reader import read_images as read_images
    from geolive.sources.photos.reader import read_photos as read_photos
    from geolive.sources.survey.dhs import read_dhs as read_dhs
    from geolive.sources.survey.reader import read_survey as read_survey
    from geolive.splits import BlockSplit as BlockSplit
    from geolive.splits import DistrictSplit as DistrictSplit
    from geolive.splits import KnndmSplit as KnndmSplit
    from geolive.splits import RandomSplit as RandomSplit

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
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
