"""Small photos of a walk, with positions and times in their EXIF; the last is a panorama."""

import csv
import datetime
import io
import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from tests.sources.photos.photofiles import TAKEN, gps_of

LUND = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "lund"
START = datetime.datetime(2021, 5, 4, 10, 0, 0)
LON, LAT = 13.1950, 55.6982
PANORAMA = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" GPano:ProjectionType="equirectangular" '
    b'GPano:FullPanoWidthPixels="256" GPano:FullPanoHeightPixels="128" GPano:CroppedAreaImageWidthPixels="256" '
    b'GPano:CroppedAreaImageHeightPixels="128" GPano:CroppedAreaLeftPixels="0" GPano:CroppedAreaTopPixels="0"/>'
    b"</rdf:RDF></x:xmpmeta>"
)


def draw_photos(folder, n=6):
    """Write n photos, 20 m and 10 s apart, of blocks in colours; return the folder."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(n):
        pano = i == n - 1
        width, height = (256, 128) if pano else (160, 120)
        colours = rng.integers(0, 255, (3, 4, 3), np.uint8)
        image = Image.fromarray(colours).resize((width, height), Image.Resampling.NEAREST)
        exif = Image.Exif()
        exif.get_ifd(0x8825).update(gps_of(LON, LAT + i * 0.00018))
        exif.get_ifd(0x8769)[TAKEN] = f"{START + datetime.timedelta(seconds=10 * i):%Y:%m:%d %H:%M:%S}"
        file = io.BytesIO()
        image.save(file, "JPEG", exif=exif.tobytes(), quality=90)
        data = file.getvalue()
        if pano:
            segment = b"http://ns.adobe.com/xap/1.0/\0" + PANORAMA
            data = data[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + data[2:]
        (folder / f"{i + 1:02}.jpg").write_bytes(data)
    return folder


def copy_lund(folder):
    """Copy the photos of Lund, with a table of the times that only their descriptions hold, as panoramax_cli reads it."""
    shutil.copytree(LUND, folder)
    rows = []
    for path in sorted(folder.glob("*.jpg")):
        with Image.open(path) as photo:
            facts = json.loads(photo.getexif()[0x010E])
        year, month, day, hour, minute, second, part = facts["MAPCaptureTime"].split("_")
        time = f"{year}-{month}-{day}T{hour}:{minute}:{second}.{part}Z"
        rows.append((path.name, facts["MAPLongitude"], facts["MAPLatitude"], time))
    with (folder / "panoramax.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("file", "lon", "lat", "capture_time"), *rows])
    return folder
