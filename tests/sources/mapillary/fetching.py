"""Fetching from the local server, fast, and what came of it."""

from geolive.sources.mapillary.access import Access, RetryPolicy
from geolive.sources.mapillary.area import area_of_box
from geolive.sources.mapillary.fetch import fetch_images
from geolive.sources.mapillary.sampling import Wanted
from tests.sources.mapillary.server import TOKEN

BOX = "85.1,25.56,85.18,25.64"
FAST = RetryPolicy(at_once=4, rate=10_000, tries=4, first_delay=0.01, longest_delay=0.05, longest_wait=60, timeout=0.4)


def access_to(server, token=TOKEN):
    return Access(token, server.graph, server.tiles)


def fetch_box(server, out, wanted=None, token=TOKEN, box=BOX, retry_policy=FAST, **options):
    wanted = wanted or Wanted(objects=True)
    return fetch_images(area_of_box(box), wanted, out, access_to(server, token), retry_policy, **options)


def contents(folder):
    """Every file's bytes."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
