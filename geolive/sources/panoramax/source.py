"""Panoramax as a source of images."""

import dataclasses
from typing import ClassVar
from urllib.parse import urlsplit

import pandas as pd

from geolive.errors import InputError
from geolive.sources.imagery.addresses import is_https, is_own_machine
from geolive.sources.imagery.retry_policy import RetryPolicy
from geolive.sources.imagery.source import Source
from geolive.sources.panoramax.client import PanoramaxClient
from geolive.sources.panoramax.parsing import is_image_id

API = "https://api.panoramax.xyz/api"


@dataclasses.dataclass(frozen=True)
class Panoramax(Source):
    """A Panoramax server, or the catalogue of all; photos are 500 or 2,048 pixels wide, or as they were taken.

    Parameters
    ----------
    api : str
        Address of the STAC API. A server on a private network is requested only where this address names it.

    Raises
    ------
    InputError
        The address is not encrypted, or is none.

    Examples
    --------
    >>> source = Panoramax()
    >>> source.name, source.options, source.is_image_id("dbfabae8-2fca-40ff-91bd-eed39a6a8d79")
    ('Panoramax', ('--source', 'panoramax'), True)
    """

    api: str = API
    name = "Panoramax"
    photo_bytes: ClassVar[dict[str, int]] = {"500": 40_000, "2048": 500_000, "original": 5_000_000}
    default_size = "2048"
    columns: ClassVar[dict[str, str]] = {"licence": "str", "field_of_view": "float", "semantics": "str"}
    # a search has no fixed size, so larger tiles than Mapillary's save requests where there are few images
    zoom = 12
    # a commons that others pay for
    at_once = 4
    rate = 10.0

    def __post_init__(self) -> None:
        api = self.api.rstrip("/")
        try:
            parts = urlsplit(api)
            plain = not (parts.username or parts.password or parts.query or parts.fragment) and parts.port != 0
        except ValueError:
            plain = False
        if not plain or not api.isprintable() or not (is_https(api) or is_own_machine(api)):
            raise InputError(
                f"api={self.api[:200]!r}: must be an address that starts with https:// and has no user name, ? or #, such as "
                f"api='{API}'"
            )
        object.__setattr__(self, "api", api)

    @property
    def options(self) -> tuple[str, ...]:
        """Options of the command line: the source, and its address where it is not the usual one."""
        return ("--source", "panoramax", *(("--api", self.api) if self.api != API else ()))

    def client(self, retry_policy: RetryPolicy) -> PanoramaxClient:
        """Return a client of the API."""
        return PanoramaxClient(self.api, self.zoom, retry_policy)

    def is_image_id(self, id: object) -> bool:
        """Return whether a value is an id: a UUID in small letters."""
        return is_image_id(id)

    def credit(self, images: pd.DataFrame) -> tuple[str, str]:
        """Return the attribution, and the licences of the images, the most frequent first."""
        licences = (
            images["licence"].dropna().value_counts(sort=False).sort_index().sort_values(ascending=False, kind="stable")
        )
        stated = ", ".join(licences.index) or "no licence stated"
        return f"Panoramax, images by their producers ({stated})", stated
