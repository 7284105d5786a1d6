"""Mapillary as a source of images."""

import dataclasses
import re
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pandas as pd

from geolive.sources.imagery.retry_policy import RetryPolicy
from geolive.sources.imagery.source import Source
from geolive.sources.mapillary.access import Access
from geolive.sources.mapillary.classes import count_objects
from geolive.sources.mapillary.client import MapillaryClient
from geolive.sources.mapillary.parsing import is_image_id
from geolive.sources.mapillary.tiles import TILES_A_DAY

ATTRIBUTION = "Mapillary, images CC BY-SA 4.0 by their creators"
LICENCE = "https://creativecommons.org/licenses/by-sa/4.0/"


@dataclasses.dataclass(frozen=True)
class Mapillary(Source):
    """Mapillary, with a token; photos have 256, 1024 or 2048 pixels on the longer side, or their original size.

    Parameters
    ----------
    access : Access

    Examples
    --------
    >>> source = Mapillary(Access("MLY|1|abc"))
    >>> source.name, source.is_image_id("498763468214164"), source.bytes_per_photo("1024")
    ('Mapillary', True, 150000)
    """

    access: Access
    name = "Mapillary"
    photo_bytes: ClassVar[dict[str, int]] = {"256": 16_000, "1024": 150_000, "2048": 500_000, "original": 3_000_000}
    default_size = "1024"
    columns: ClassVar[dict[str, str]] = {
        "lon_original": "float",
        "lat_original": "float",
        "camera_type": "str",
        "quality_score": "float",
    }
    most_search_m = 50.0
    has_detections = True
    # a server that fails may answer that a tile is empty
    empty_answers = 2
    tiles_a_day = TILES_A_DAY

    @property
    def options(self) -> tuple[str, ...]:
        """No options: Mapillary is the default source."""
        return ()

    def client(self, retry_policy: RetryPolicy) -> MapillaryClient:
        """Return a client of the API."""
        return MapillaryClient(self.access, retry_policy)

    def is_image_id(self, id: object) -> bool:
        """Return whether a value is an id: only digits."""
        return is_image_id(id)

    def why_no_id(self, key: str) -> str:
        """Return why a key is no id; keys of the former API have 22 letters and digits."""
        if re.fullmatch(r"[A-Za-z0-9_-]{22}", key):
            return "a key of Mapillary's API v3, which ended in 2021 and whose keys the API of today does not know"
        return super().why_no_id(key)

    def credit(self, images: pd.DataFrame) -> tuple[str, str]:
        """Return the attribution and the licence, which is the same for all images."""
        return ATTRIBUTION, LICENCE

    def count_objects(self, detections: Mapping[str, int]) -> tuple[np.ndarray, dict[str, int]]:
        """Return the object counts of an image by class, and the detections without a class."""
        return count_objects(detections)
