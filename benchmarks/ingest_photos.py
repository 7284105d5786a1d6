"""Reading a folder of photos: `ingest photos` reads headers only; Pillow, which opens each file for its EXIF, is the peer.

    python -m benchmarks.ingest_photos [--photos 20000]

The photos are small grey pictures whose EXIF holds a position, a time and a heading. Ours and Pillow take turns. The bare loop
opens each file and reads its first 4 kB: no reader can take less. All times are of the processor; the files are in the system's
cache.
"""

import argparse
import io
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from benchmarks.measured import in_turns, of_command, ratios, record

CLI = str(Path(__file__).parent.parent / "cli.py")
ROUNDS = 3


def make_photos(folder: Path, n: int) -> None:
    """Write photos of a drive through Bihar; they differ in the bytes of their EXIF."""
    picture = Image.new("L", (320, 240), 128)
    for number in range(n):
        exif = Image.Exif()
        second = number % 60
        exif[306] = f"2024:01:01 {number // 3600 % 24:02d}:{number // 60 % 60:02d}:{second:02d}"
        exif[0x8825] = {
            1: "N",
            2: (25.0, 30.0, number * 0.001),
            3: "E",
            4: (85.0, 10.0, number * 0.002),
            16: "T",
            17: 90.0,
        }
        made = io.BytesIO()
        picture.save(made, "JPEG", exif=exif)
        parent = folder / f"walk-{number // 1000:03d}"
        parent.mkdir(exist_ok=True)
        (parent / f"IMG_{number:06d}.jpg").write_bytes(made.getvalue())


def ours(folder: Path) -> float:
    """Return the processor time of `read_photos`."""
    from geolive.sources.photos.reader import read_photos

    started = time.process_time()
    read_photos(folder)
    return time.process_time() - started


def pillow(folder: Path) -> float:
    """Return the processor time of a loop with Pillow that reads the position and the time of each photo."""
    started = time.process_time()
    for path in sorted(folder.rglob("*.jpg")):
        with Image.open(path) as photo:
            exif = photo.getexif()
            assert len(exif.get_ifd(0x8825)) == 6
            assert exif[306]
    return time.process_time() - started


def bare(folder: Path) -> float:
    """Return the processor time of opening each file and reading its first block."""
    started = time.process_time()
    for path in sorted(folder.rglob("*.jpg")):
        with path.open("rb") as opened:
            opened.read(4096)
    return time.process_time() - started


def main() -> None:
    """Print and record the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=20_000)
    n = parser.parse_args().photos
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "photos"
        folder.mkdir()
        make_photos(folder, n)
        own, peer, least = in_turns(ROUNDS, *(lambda way=way: way(folder) for way in (ours, pillow, bare)))
        record(
            f"read_photos, {n:,} photos: photos a second of the processor", [n / seconds for seconds in own], "photos/s"
        )
        record("read_photos / Pillow's EXIF of each photo", ratios(own, peer))
        record("read_photos / opening each file and reading 4 kB", ratios(own, least))
        out = str(Path(temporary) / "data")
        _, seconds, memory = of_command(sys.executable, CLI, "ingest", "photos", str(folder), "--out", out)
        record("ingest photos, the whole command: photos a second of the processor", n / seconds, "photos/s")
        record("ingest photos: peak memory", memory, "MB")


if __name__ == "__main__":
    main()
