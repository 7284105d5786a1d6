"""What a source of street-level images is: its name, its photo sizes, its columns, and its client."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.sources.imagery.retry_policy import RetryPolicy
from geolive.sources.imagery.tile_grid import ZOOM

if TYPE_CHECKING:
    from geolive.sources.imagery.client import Client


class ListedImage(NamedTuple):
    """An image that a source lists: id, position in degrees, milliseconds since 1970, panorama or not, and facts.

    `facts` are None where the source lists images without them; they are then requested for each sampled image.
    """

    id: str
    lon: float
    lat: float
    captured_at: int | None
    is_pano: bool
    facts: dict[str, Any] | None = None


class Source(ABC):
    """A source of street-level images, from which `imagery.fetch` makes datasets.

    Facts on an image are a dict with lon, lat, captured_at (milliseconds since 1970), sequence_id, compass_angle (degrees),
    is_pano, creator, creator_id, and the names in `columns`; all but lon and lat may be None.
    """

    name: ClassVar[str]
    # typical sizes of a photo in bytes; they vary with camera and scene, so a total is right to about a third
    photo_bytes: ClassVar[Mapping[str, int]]
    default_size: ClassVar[str]
    # columns of the images that only this source has: "float" or "str"
    columns: ClassVar[Mapping[str, str]]
    has_detections: ClassVar[bool] = False
    # zoom of the tiles by which images are listed, at most 14
    zoom: ClassVar[int] = ZOOM
    # so many empty answers make an empty tile
    empty_answers: ClassVar[int] = 1
    tiles_a_day: ClassVar[int | None] = None
    # requests at the same time and per second, where the user names no number
    at_once: ClassVar[int] = 16
    rate: ClassVar[float] = 100.0

    # radius in metres up to which the source itself searches around a point; 0 where it does not
    most_search_m: ClassVar[float] = 0.0

    @property
    @abstractmethod
    def options(self) -> tuple[str, ...]:
        """Options of the command line that name this source."""

    @abstractmethod
    def client(self, retry_policy: RetryPolicy) -> "Client":
        """Return a client, which is used as an asynchronous context manager."""

    @abstractmethod
    def is_image_id(self, id: object) -> bool:
        """Return whether a value is an image id, which can be part of an address and of a file name."""

    def why_no_id(self, key: str) -> str:
        """Return why a key is no image id of this source."""
        return f"no image id of {self.name}"

    @abstractmethod
    def credit(self, images: pd.DataFrame) -> tuple[str, str]:
        """Return the attribution of images and their licence, as texts."""

    def count_objects(self, detections: Mapping[str, int]) -> tuple[np.ndarray, dict[str, int]]:
        """Return the object counts of an image by class, and the detections without a class."""
        raise InputError(
            f"{self.name} has no object counts; leave out objects=True, and count objects in the photos with geolive detect"
        )

    def bytes_per_photo(self, size: str | None) -> int:
        """Return the typical number of bytes of a photo; 0 where no photo is wanted."""
        return self.photo_bytes[size] if size else 0

    def check(self, size: str | None, objects: bool) -> None:
        """Raise InputError where the source has no photos of a size, or no object counts."""
        if size is not None and size not in self.photo_bytes:
            raise InputError(
                f"thumb={size!r}: must be one of {', '.join(self.photo_bytes)} for {self.name}", parameter="thumb"
            )
        if objects and not self.has_detections:
            self.count_objects({})
