"""What a country, a continent and two billion photos take: the arithmetic of docs/scale.md.

    python -m benchmarks.scale [--images-a-second 46.5] [--decode-ms 4.5] [--peak-tflops 989 --share 0.3]

Nothing is measured here. Each input is an argument whose default was measured by the command that docs/scale.md names, or has its
source there; give your own to plan for your own machines. The tables go to the terminal as Markdown.
"""

import argparse
import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A size of the work."""

    name: str
    images: float
    # land in km², and a latitude at which a tile has about the mean size
    land: float
    latitude: float


CASES = [
    Case("India in the paper", 1_128_296, 3.29e6, 22),
    Case("a continent", 100e6, 30.4e6, 10),
    Case("two billion photos", 2e9, 135e6, 30),
]
# bytes of an image: its row (simulated), with what a download adds; 66 counts of 2 bytes; 512 features of 2 bytes
ROW, ROW_FETCHED, COUNTS, FEATURES = 30, 100, 132, 1024
EQUATOR_KM = 40_075


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--photo-bytes", type=float, default=150_000)
    options.add_argument(
        "--memory-an-image", type=float, default=750, help="bytes that a whole dataset takes in memory"
    )
    options.add_argument("--images-a-second", type=float, default=46.5, help="of embed on two cores")
    options.add_argument("--decode-ms", type=float, default=4.5, help="milliseconds of one core to decode a photo")
    options.add_argument("--gflop-an-image", type=float, default=7.3, help="of a network's forward pass")
    options.add_argument("--peak-tflops", type=float, default=989)
    options.add_argument("--share", type=float, default=0.3, help="of the peak that is reached")
    options.add_argument("--entities-a-minute", type=float, default=60_000)
    options.add_argument("--tiles-a-day", type=float, default=50_000)
    options.add_argument("--requests-a-second", type=float, default=100, help="that geolive's client sends")
    options.add_argument("--gbit", type=float, default=1, help="bandwidth in gigabits a second")
    given = options.parse_args()
    _table("Storage", _storage(given))
    _table("Requests", _requests(given))
    _table("Computation", _computation(given))


def _storage(given: argparse.Namespace) -> list[tuple[str, list[str]]]:
    n = [case.images for case in CASES]
    return [
        ("images", [f"{one:,.0f}" for one in n]),
        ("partitions of about a million images", [f"{math.ceil(one / 1e6):,}" for one in n]),
        ("images tables, as fetched", [_bytes(ROW_FETCHED * one) for one in n]),
        ("object counts", [_bytes(COUNTS * one) for one in n]),
        ("image features, 512 in float16", [_bytes(FEATURES * one) for one in n]),
        ("photos of 1024 pixels", [_bytes(given.photo_bytes * one) for one in n]),
        ("memory of a command that reads all of it", [_bytes(given.memory_an_image * one) for one in n]),
    ]


def _requests(given: argparse.Namespace) -> list[tuple[str, list[str]]]:
    n = [case.images for case in CASES]
    tiles = [case.land / (EQUATOR_KM / 2**14 * math.cos(math.radians(case.latitude))) ** 2 for case in CASES]
    return [
        ("tiles of zoom 14 on land", [f"{one:,.0f}" for one in tiles]),
        ("listing, at the allowed number of tiles", [_days(one / given.tiles_a_day) for one in tiles]),
        (
            "metadata of images, at the allowed number of requests",
            [_days(one / given.entities_a_minute / 1440) for one in n],
        ),
        ("metadata of images, at geolive's own limit", [_days(one / given.requests_a_second / 86400) for one in n]),
        ("photos, at the bandwidth", [_days(given.photo_bytes * one / (given.gbit * 1.25e8) / 86400) for one in n]),
    ]


def _computation(given: argparse.Namespace) -> list[tuple[str, list[str]]]:
    n = [case.images for case in CASES]
    on_device = given.peak_tflops * given.share * 1e3 / given.gflop_an_image
    cores = on_device * given.decode_ms / 1e3
    return [
        ("features on two cores, hours (measured speed)", [_hours(one / given.images_a_second / 3600) for one in n]),
        ("decoding, hours of one core (measured speed)", [_hours(one * given.decode_ms / 3.6e6) for one in n]),
        ("features on one GPU, hours (computed)", [_hours(one / on_device / 3600) for one in n]),
        (f"cores that decode for such a GPU, at {on_device:,.0f} images a second", [f"{cores:,.0f}"] * len(n)),
    ]


def _table(title: str, rows: list[tuple[str, list[str]]]) -> None:
    print(f"\n**{title}**\n\n| | {' | '.join(case.name for case in CASES)} |\n|{'---|' * (len(CASES) + 1)}")
    for name, cells in rows:
        print(f"| {name} | {' | '.join(cells)} |")


def _bytes(value: float) -> str:
    unit = next((unit for unit in ("TB", "GB", "MB") if value >= {"TB": 1e12, "GB": 1e9, "MB": 0}[unit]), "MB")
    return f"{value / {'TB': 1e12, 'GB': 1e9, 'MB': 1e6}[unit]:,.1f} {unit}"


def _days(value: float) -> str:
    return f"{value:,.1f} days" if value >= 1 else f"{value * 24:,.1f} hours"


def _hours(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:,.2f}"


if __name__ == "__main__":
    main()
