"""Splitters: ways to divide clusters into folds, with the interface of scikit-learn's cross-validators.

Scores from random folds say how well a model fills in between surveyed places; scores from spatial folds say how well it
does away from them. They are two ends between interpolation and extrapolation, and neither is "the" truth: report both. In
every splitter but `RowSplit`, rows at one position share a fold, because a place that was trained on is no test.

Positions are apart from features: X is a GeoDataFrame or GeoSeries of points, or the splitter is given `positions`.
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
