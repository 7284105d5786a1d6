"""Decoding photos: time of reduced-size decoding, of full decoding and of torchvision's decoder; memory for very large files.

    python -m benchmarks.decoding PHOTOS

PHOTOS is a folder of JPEG files; they are also taken at 4000 × 3000 pixels. Each way ends in the same 224 × 224 pixels' crop of
the photo at 256 on its shorter side, in one thread; the difference is from full decoding, mean over pixels and channels of 255.
Memory is the peak of a process of its own, less that before decoding, for files of 12,000 × 12,000 pixels (Linux).
"""

import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from geolive.vision.decoding import read_views
from geolive.vision.preprocessing import Preprocessing

ROOT = Path(__file__).parent.parent
CUT = Preprocessing()
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


def times(paths: list[Path], what: str) -> None:
    """Print milliseconds a photo of each way, the best of three passes in turn."""
    exact = [full(path).astype(int) for path in paths]
    best = dict.fromkeys((full, reduced, torchvisions), np.inf)
    for _ in range(3):
        for way in best:
            start = time.perf_counter()
            for path in paths:
                way(path)
            best[way] = min(best[way], (time.perf_counter() - start) / len(paths) * 1000)
    for way, milliseconds in best.items():
        change = np.mean([np.abs(way(path) - pixels).mean() for path, pixels in zip(paths, exact, strict=True)])
        print(f"{what}, {way.__name__}: {milliseconds:.1f} ms a photo, difference {change:.2f}", flush=True)


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
        size = first.size
    times(photos, f"{size[0]} × {size[1]}")
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
