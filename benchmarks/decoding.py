"""Decoding photos: reduced-size decoding, full decoding, torchvision's decoder and simplejpeg; memory for very large files.

    python -m benchmarks.decoding PHOTOS

PHOTOS is a folder of JPEG files; they are also taken at 4000 × 3000 pixels. Each way ends in the same 224 × 224 pixels' crop of
the photo at 256 on its shorter side, in one thread; the difference is from full decoding, mean over pixels and channels of 255.
Times are of the processor, in turns. Then the decoders of Pillow and of simplejpeg alone, at the same reduced size, from a file
that is in memory, with the number of pixels in which they differ; simplejpeg is left out where it is not installed (the extra
`bench`). Memory is the peak of a process of its own, less that before decoding, for files of 12,000 × 12,000 pixels (Linux).
"""

import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.measured import in_turns, ratios, record
from geolive.vision.decoding import SPARE, read_views
from geolive.vision.preprocessing import Preprocessing

ROOT = Path(__file__).parent.parent
CUT = Preprocessing()
ROUNDS = 4
HAS_SIMPLEJPEG = find_spec("simplejpeg") is not None
PEAK = """
import json, sys
from pathlib import Path
from geolive.sources.photos.image_files import UnusableImageError
from geolive.vision.decoding import read_views
status = lambda: Path("/proc/self/status").read_text().split()
peak = lambda: int(status()[status().index("VmHWM:") + 1]) / 1024
before = peak()
try:
    told = "read at {} x {}".format(*read_views(Path(sys.argv[1]), sys.argv[2], 256)[0].size)
except UnusableImageError as error:
    told = f"refused: {error}"
print(json.dumps([told, peak() - before]))
"""


def reduced(path: Path) -> np.ndarray:
    """As geolive decodes."""
    return CUT.cut(read_views(path.parent, path.name, CUT.size)[0])


def full(path: Path) -> np.ndarray:
    """Pillow, all pixels."""
    with Image.open(path) as image:
        return CUT.cut(image.convert("RGB"))


def torchvisions(path: Path) -> np.ndarray:
    """torchvision's decoder and resizing."""
    from torchvision import io as decoders
    from torchvision.transforms.v2 import functional

    pixels = decoders.decode_jpeg(decoders.read_file(str(path)), mode=decoders.ImageReadMode.RGB)
    small = functional.resize(pixels, [CUT.size], antialias=True)
    return functional.center_crop(small, [CUT.crop]).permute(1, 2, 0).numpy()


def simplejpegs(path: Path) -> np.ndarray:
    """simplejpeg at the reduced size that Pillow takes, and then as geolive resizes."""
    data = path.read_bytes()
    width, height = reduced_size(data)
    return CUT.cut(Image.fromarray(by_simplejpeg(data, width, height)))


def reduced_size(data: bytes) -> tuple[int, int]:
    """Width and height at which geolive decodes a photo."""
    with Image.open(io.BytesIO(data)) as image:
        scale = max(1, min(image.size) // round(CUT.size * SPARE))
        image.draft(None, (image.width // scale, image.height // scale))
        return image.size


def by_pillow(data: bytes, width: int, height: int) -> np.ndarray:
    """Pillow's decoder alone, at a reduced size."""
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (width, height))
        return np.asarray(image)


def by_simplejpeg(data: bytes, width: int, height: int) -> np.ndarray:
    """simplejpeg's decoder alone, at a reduced size."""
    import simplejpeg

    return simplejpeg.decode_jpeg(data, min_width=width, min_height=height)


def per_photo(way: Callable, photos: list) -> Callable[[], float]:
    """Return a way to measure a pass over all photos, in milliseconds of processor time a photo."""

    def milliseconds() -> float:
        start = time.process_time()
        for photo in photos:
            way(*photo)
        return 1000 * (time.process_time() - start) / len(photos)

    return milliseconds


def times(paths: list[Path], what: str) -> None:
    """Print milliseconds a photo of each way, and record their ratios to Pillow's of all pixels."""
    exact = [full(path).astype(int) for path in paths]
    ways = [full, reduced, torchvisions, *([simplejpegs] if HAS_SIMPLEJPEG else [])]
    found = in_turns(ROUNDS, *(per_photo(way, [(path,) for path in paths]) for way in ways))
    for way, milliseconds in zip(ways, found, strict=True):
        change = np.mean([np.abs(way(path) - pixels).mean() for path, pixels in zip(paths, exact, strict=True)])
        print(f"{what}, {way.__name__}: {min(milliseconds):.1f} ms a photo, difference {change:.2f}", flush=True)
        if way is not full:
            name = "geolive" if way is reduced else way.__name__.removesuffix("s")
            record(f"decoding {what}, {name} against Pillow with all pixels", ratios(milliseconds, found[0]))


def decoders(paths: list[Path], what: str) -> None:
    """Record the time of Pillow's decoder against simplejpeg's at the same size, and in how many pixels they differ."""
    photos = [(path.read_bytes(), *reduced_size(path.read_bytes())) for path in paths]
    pillow, simple = in_turns(ROUNDS, per_photo(by_pillow, photos), per_photo(by_simplejpeg, photos))
    record(f"decoders alone, {what} at reduced size, Pillow against simplejpeg", ratios(pillow, simple))
    differ = [(by_pillow(*photo) != by_simplejpeg(*photo)).any(axis=2).mean() for photo in photos]
    record(f"decoders alone, {what}: pixels in which the two differ", 100 * float(np.mean(differ)), "%")


def large_files(folder: Path) -> None:
    """Files of 12,000 × 12,000 pixels."""
    grey = Image.new("L", (12_000, 12_000), 99)
    grey.save(folder / "grey PNG", "PNG")
    grey.save(folder / "grey progressive JPEG", "JPEG", progressive=True)
    colour = grey.convert("RGB")
    colour.save(folder / "JPEG", quality=50, format="JPEG")
    colour.save(folder / "progressive JPEG", "JPEG", quality=50, progressive=True)
    colour.save(folder / "PNG", "PNG", compress_level=1)
    colour.save(folder / "TIFF", "TIFF", compression="tiff_deflate")


def main() -> None:
    """Print times, then memory."""
    torch.set_num_threads(1)
    photos = sorted(path for path in Path(sys.argv[1]).iterdir() if path.suffix.lower() in (".jpg", ".jpeg"))
    with Image.open(photos[0]) as first:
        size = f"{first.width} × {first.height}"
    times(photos, size)
    if HAS_SIMPLEJPEG:
        decoders(photos, size)
    else:
        print("simplejpeg is not installed, so it is left out: pip install simplejpeg")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in photos[:8]:
            with Image.open(path) as image:
                data = io.BytesIO()
                image.resize((4000, 3000), Image.Resampling.BICUBIC).save(data, "JPEG", quality=90)
            (folder / path.name).write_bytes(data.getvalue())
        times(sorted(folder.iterdir()), "4000 × 3000")
    with tempfile.TemporaryDirectory() as name:
        large_files(Path(name))
        for path in sorted(Path(name).iterdir()):
            command = [sys.executable, "-c", PEAK, name, path.name]
            told, peak = json.loads(subprocess.run(command, capture_output=True, check=True, cwd=ROOT).stdout)
            print(f"12,000 × 12,000 pixels, {path.name}: {told}; {peak:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
