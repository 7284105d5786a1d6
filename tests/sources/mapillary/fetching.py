"""Fetching from the local server, fast, and what came of it."""

from geolive.sources.imagery.area import area_of_box
from geolive.sources.imagery.fetch import fetch_images
from geolive.sources.imagery.retry_policy import RetryPolicy
from geolive.sources.imagery.sampling import Wanted
from geolive.sources.mapillary.access import Access
from geolive.sources.mapillary.source import Mapillary
from tests.sources.mapillary.server import TOKEN

BOX = "85.1,25.56,85.18,25.64"
FAST = RetryPolicy(at_once=4, rate=10_000, tries=4, first_delay=0.01, longest_delay=0.05, longest_wait=60, timeout=0.4)


def access_to(server, token=TOKEN):
    return Mapillary(Access(token, server.graph, server.tiles))


def fetch_box(server, out, wanted=None, token=TOKEN, box=BOX, retry_policy=FAST, **options):
    wanted = wanted or Wanted(objects=True)
    return fetch_images(access_to(server, token), area_of_box(box), wanted, out, retry_policy, **options)


def contents(folder):
    """Every file's bytes."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
