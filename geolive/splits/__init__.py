"""Ways to divide clusters into folds, in scikit-learn's form.

A figure from random folds says how well a model fills in between surveyed places; one from spatial folds says how well
it does away from them. The two are the ends between interpolation and extrapolation, and neither is "the" truth: report
both. In every splitter but `RowSplit`, clusters at one coordinate share a fold: a place is no test of what was learnt
from it.
"""

from geolive.splits.admin import CountrySplit, DistrictSplit, StateSplit
from geolive.splits.base import Splitter, between_folds_km, describe_folds, fold_numbers, place_numbers, with_seed
from geolive.splits.buffered import BufferedSplit, shared_sequences
from geolive.splits.knndm import KnndmSplit, prediction_grid
from geolive.splits.names import KNOWN_SPLITS, parse_split
from geolive.splits.official import OfficialSplit
from geolive.splits.spatial import BlockSplit, RandomSplit, RowSplit

__all__ = [
    "KNOWN_SPLITS",
    "BlockSplit",
    "BufferedSplit",
    "CountrySplit",
    "DistrictSplit",
    "KnndmSplit",
    "OfficialSplit",
    "RandomSplit",
    "RowSplit",
    "Splitter",
    "StateSplit",
    "between_folds_km",
    "describe_folds",
    "fold_numbers",
    "parse_split",
    "place_numbers",
    "prediction_grid",
    "shared_sequences",
    "with_seed",
]
