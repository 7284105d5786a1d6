"""Fetching from a local Panoramax server, fast."""

from geolive.sources.imagery.area import area_of_box
from geolive.sources.imagery.fetch import fetch_images
from geolive.sources.imagery.retry_policy import RetryPolicy
from geolive.sources.imagery.sampling import Wanted
from geolive.sources.panoramax.source import Panoramax

BOX = "13.19,55.69,13.21,55.71"
FAST = RetryPolicy(at_once=4, rate=10_000, tries=4, first_delay=0.01, longest_delay=0.05, longest_wait=60, timeout=0.4)


def fetch_box(api, out, box=BOX, retry_policy=FAST, leave_out_failed=False, **wanted):
    wanted = Wanted(**{"thumb": "500", **wanted})
    return fetch_images(Panoramax(api), area_of_box(box), wanted, out, retry_policy, leave_out_failed=leave_out_failed)


def contents(folder):
    """Every file's bytes."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
