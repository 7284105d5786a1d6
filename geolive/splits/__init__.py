"""Splitters: ways to divide clusters into folds, with the interface of scikit-learn's cross-validators.

Scores from random folds show how well a model fills gaps between surveyed places (interpolation); scores from spatial folds
show how well it predicts away from them (extrapolation). Report both: the score of a map lies between these two. In every
splitter but `RowSplit`, rows at one position share a fold, because a training place is no test place.

Positions are separate from features: X is a GeoDataFrame or GeoSeries of points, or the splitter is given `positions`.
"""

from geolive.splits.admin import CountrySplit, DistrictSplit, StateSplit
from geolive.splits.base import Splitter, parse_km
from geolive.splits.buffered import BufferedSplit, shared_sequences
from geolive.splits.folds import between_folds_km, describe_folds, fold_numbers, with_random_state
from geolive.splits.knndm import KnndmSplit, prediction_grid
from geolive.splits.names import ADDED_SPLITTERS, KNOWN_SPLITS, parse_split
from geolive.splits.official import OfficialSplit
from geolive.splits.positions import place_numbers, positions_of
from geolive.splits.spatial import BlockSplit, RandomSplit, RowSplit

__all__ = [
    "ADDED_SPLITTERS",
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
    "parse_km",
    "parse_split",
    "place_numbers",
    "positions_of",
    "prediction_grid",
    "shared_sequences",
    "with_random_state",
]
