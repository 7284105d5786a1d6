"""Simulated street scenes: pictures of the objects that the sample counts, for trying and testing models of photos.

A scene is a drawing, not a photo. It shows no real person, and the score of a model on such pictures says nothing about photos.
"""

import functools
import hashlib
import io
import multiprocessing
import multiprocessing.pool
import multiprocessing.resource_tracker
import random
import signal
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from geolive.processors import available_processors
from geolive.simulation.scene_drawing import PARTS, Colour, Spot
from geolive.tables import VOID, lonlat, vistas_classes

SIZE = 224
FOLDER = "photos"
LABEL = "SIMULATED street scene drawn by geolive; not a photograph"
QUALITY = 88
# more objects of one class cannot be distinguished in so small a picture
MOST_DRAWN = 30
# the EXIF has the time of Indian clocks and the time of the satellites
ZONE = timedelta(hours=5, minutes=30)
_BANK = 512
_CHUNK = 64
# drawing fewer pictures takes less time than starting a process
_WORTH_A_PROCESS = 500
_SKIES = [(126, 172, 222), (168, 190, 212), (206, 210, 212), (228, 204, 176)]
_EARTHS = [(164, 138, 104), (150, 132, 112), (140, 128, 96)]
_BACKDROPS = [(112, 106, 98), (98, 104, 96), (126, 116, 108)]


@dataclass(frozen=True)
class Scene:
    """The content of one picture and of its EXIF.

    Parameters
    ----------
    key : str
        Key of the image; together with `seed` it decides everything random.
    sequence : str
        Pictures of one sequence share the light.
    counts : tuple of int, length 66
        Object counts.
    lon, lat : float
        Degrees.
    time : datetime
        UTC.
    seed : int
    """

    key: str
    sequence: str
    counts: tuple[int, ...]
    lon: float
    lat: float
    time: datetime
    seed: int = 0


def draw_scene(scene: Scene) -> Image.Image:
    """Draw the objects of a scene as a picture of 224 × 224 pixels.

    Things are drawn one by one; nearer ones are larger and drawn later. The count of stuff without a shape decides its amount:
    openings of sky, width of the road, pavements, patches of ground. Void is drawn as clutter. Pictures of a sequence share
    light and haze; sharpness and noise differ from picture to picture.

    Examples
    --------
    >>> counts = tuple(np.bincount([10, 19, 22, 22, 58], minlength=66))
    >>> draw_scene(Scene("sim0-0000001", "walk-000000", counts, 85.1, 25.6, datetime(2018, 1, 1))).size
    (224, 224)
    """
    chance = random.Random(zlib.crc32(f"{scene.seed} {scene.key}".encode()))
    light = random.Random(zlib.crc32(f"{scene.seed} light {scene.sequence}".encode()))
    counts = dict(zip(_names(), scene.counts, strict=True))
    horizon = SIZE * light.uniform(0.4, 0.48) + chance.uniform(-5, 5)
    picture = Image.new("RGB", (SIZE, SIZE))
    draw = ImageDraw.Draw(picture)
    _backdrop(draw, counts, horizon, chance, light)
    _ground(draw, counts, horizon, chance, light)
    for name, place, size in _things(counts, horizon, chance):
        PARTS[name].draw(Spot(draw, *place, size, chance))
    _clutter(draw, counts["void"], chance)
    _bonnet(draw, counts["Ego Vehicle"], counts["Car Mount"], chance)
    return _exposed(picture, random.Random(zlib.crc32(f"{scene.seed} camera {scene.key}".encode())), light)


def scene_bytes(scene: Scene) -> bytes:
    """Return the picture as a JPEG whose EXIF has position and time, and says that it is simulated.

    Examples
    --------
    >>> scene = Scene("sim0-0000001", "walk-000000", (0,) * 66, 85.1, 25.6, datetime(2018, 1, 1))
    >>> scene_bytes(scene)[:3]
    b'\\xff\\xd8\\xff'
    """
    file = io.BytesIO()
    draw_scene(scene).save(file, "JPEG", quality=QUALITY, exif=_exif(scene))
    return file.getvalue()


def draw_scenes(
    images: gpd.GeoDataFrame,
    objects: np.ndarray,
    folder: Path,
    seed: int,
    progress: Callable[[str], None] | None = None,
) -> gpd.GeoDataFrame:
    """Draw a picture of each image's objects, on all cores.

    Parameters
    ----------
    images : GeoDataFrame
        The images of the sample: `key`, `sequence_id`, `captured_at`, `geometry`.
    objects : array of uint16, shape (images, 66)
    folder : Path
        Folder in which `photos/KEY.jpg` are written.
    seed : int
    progress : callable, optional
        Called with words that say how many pictures are drawn.

    Returns
    -------
    GeoDataFrame
        A copy with `img_path`, relative to `folder`, and `sha256` of each file. Equal seeds and keys give equal files on any
        number of cores; another version of Pillow may encode the same picture differently.

    Examples
    --------
    >>> import tempfile
    >>> from geolive.simulation.sample import make_sample
    >>> sample = make_sample("goa", seed=0, n_sites=3, most_images=1)
    >>> drawn = draw_scenes(sample.images, sample.features["objects"], Path(tempfile.mkdtemp()), seed=0)
    >>> drawn["img_path"].str.fullmatch("photos/sim0-[0-9]{7}.jpg").all()
    np.True_
    """
    (Path(folder) / FOLDER).mkdir()
    where, times = lonlat(images.geometry), images["captured_at"].dt.tz_localize(None).dt.to_pydatetime()
    rows = zip(images["key"], images["sequence_id"], objects, where, times, strict=True)
    scenes = [
        Scene(str(key), str(sequence), tuple(counts.tolist()), float(lon), float(lat), time, seed)
        for key, sequence, counts, (lon, lat), time in rows
    ]
    chunks = [scenes[start : start + _CHUNK] for start in range(0, len(scenes), _CHUNK)]
    hashes: list[str] = []
    write = functools.partial(_write, Path(folder) / FOLDER)
    workers = min(available_processors(), len(scenes) // _WORTH_A_PROCESS)
    if workers < 2:
        for chunk in chunks:
            hashes += write(chunk)
    else:
        with _pool(workers) as pool:
            for done in pool.imap(write, chunks):
                hashes += done
                if progress:
                    progress(f"{len(hashes):,} of {len(scenes):,} pictures")
    return images.assign(img_path=[f"{FOLDER}/{scene.key}.jpg" for scene in scenes], sha256=hashes)


def _pool(workers: int) -> multiprocessing.pool.Pool:
    """Start processes that do not hear Ctrl-C, which reaches all of them at once; the first process ends the others."""
    # spawned, because a fork of a process with threads may hang
    start = multiprocessing.get_context("spawn").Pool
    if not hasattr(signal, "pthread_sigmask"):
        return start(workers)
    # processes that are started inherit which signals are blocked
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        # this helper of multiprocessing ignores Ctrl-C itself, and lifts a block of it when it starts
        multiprocessing.resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        return start(workers)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _write(folder: Path, scenes: list[Scene]) -> list[str]:
    hashes = []
    for scene in scenes:
        data = scene_bytes(scene)
        (folder / f"{scene.key}.jpg").write_bytes(data)
        hashes.append(hashlib.sha256(data).hexdigest())
    return hashes


@functools.cache
def _names() -> tuple[str, ...]:
    names = [*vistas_classes()["name"], "void"]
    assert names.index("void") == VOID
    return tuple(names)


def _backdrop(draw: ImageDraw.ImageDraw, counts: dict[str, int], horizon: float, chance, light) -> None:
    """Draw far façades and haze in a dull tone, and one opening of sky between them for each count."""
    draw.rectangle([0, 0, SIZE, horizon + 1], fill=light.choice(_BACKDROPS))
    sky, openings = light.choice(_SKIES), min(counts["Sky"], 8)
    share = 1 - 0.55**openings
    for i in range(openings):
        slot = SIZE / openings
        left = i * slot + chance.uniform(0, 1 - share) * slot
        for band in range(8):
            top = band * horizon / 8
            pale = tuple(round(part + (250 - part) * band / 14) for part in sky)
            draw.rectangle([left, top, left + share * slot, top + horizon / 8], fill=pale)


def _ground(draw: ImageDraw.ImageDraw, counts: dict[str, int], horizon: float, chance, light) -> None:
    """Draw bare earth, a road whose width grows with its count, and pavements and curbs along it."""
    draw.rectangle([0, horizon, SIZE, SIZE], fill=light.choice(_EARTHS))
    middle = SIZE / 2 + chance.uniform(-18, 18)
    roads, pavements, curbs = (min(counts[name], 6) for name in ("Road", "Sidewalk", "Curb"))
    half = SIZE * 0.75 * (1 - 0.62**roads) if roads else 0.0

    def strip(from_half: float, to_half: float, side: int, colour: Colour) -> None:
        near: list[tuple[float, float]] = [(middle + side * from_half, SIZE), (middle + side * to_half, SIZE)]
        far: list[tuple[float, float]] = [
            (middle + side * to_half * 0.12, horizon),
            (middle + side * from_half * 0.12, horizon),
        ]
        draw.polygon(near + far, fill=colour)

    for side in (-1, 1) if roads else ():
        strip(0, half, side, (92, 92, 96))
    for i in range(pavements):
        inner = half + 4 + 26 * (i // 2)
        strip(inner, inner + 24, -1 if i % 2 else 1, (204, 196, 188))
    for i in range(curbs):
        inner = max(half, 8) + 26 * (i // 2)
        strip(inner - 2, inner + 6, 1 if i % 2 else -1, (240, 226, 90) if i % 4 < 2 else (236, 236, 236))


def _things(counts: dict[str, int], horizon: float, chance) -> list[tuple[str, tuple[float, float], float]]:
    """Return the class, foot and size of each thing in the order of drawing: by layer, then from far to near."""
    things = []
    for name, part in PARTS.items():
        for _ in range(min(counts[name], MOST_DRAWN)):
            near = _NEAR[part.where](chance)
            depth = SIZE - horizon
            y = horizon + depth * near
            things.append((part.layer, near, name, (_across(part.where, near, chance), y), 14 + 44 * near))
    things.sort(key=lambda thing: thing[:2])
    return [(name, place, size) for _, _, name, place, size in things]


_NEAR = {
    "horizon": lambda chance: 0.0,
    "far": lambda chance: chance.uniform(0.05, 0.3),
    "side": lambda chance: chance.uniform(0.1, 0.55),
    "ground": lambda chance: chance.uniform(0.15, 0.9),
    "road": lambda chance: chance.uniform(0.15, 0.8),
    "any": lambda chance: chance.uniform(0.1, 0.7),
}


def _across(where: str, near: float, chance) -> float:
    if where == "side":  # beside the road, which is wider nearby
        away = chance.uniform(0.12 + 0.25 * near, 0.55)
        return SIZE / 2 + chance.choice([-1, 1]) * away * SIZE
    if where == "road":
        return SIZE / 2 + chance.uniform(-0.15 - 0.3 * near, 0.15 + 0.3 * near) * SIZE
    return chance.uniform(0, SIZE)


def _clutter(draw: ImageDraw.ImageDraw, number: int, chance) -> None:
    for _ in range(min(number, MOST_DRAWN)):
        x, y, size = chance.uniform(0, SIZE), chance.uniform(0.3, 1) * SIZE, chance.uniform(4, 16)
        corners = [(x + chance.uniform(-size, size), y + chance.uniform(-size, size)) for _ in range(5)]
        draw.polygon(corners, fill=tuple(chance.randrange(40, 190) for _ in range(3)))


def _bonnet(draw: ImageDraw.ImageDraw, vehicles: int, mounts: int, chance) -> None:
    """Draw the car that carries the camera, and the mount of the camera."""
    if vehicles:
        high, paint = 14 + 7 * min(vehicles, 4), chance.choice([(30, 32, 36), (170, 172, 176), (120, 24, 28)])
        draw.ellipse([-20, SIZE - high, SIZE + 20, SIZE + 3 * high], fill=paint)
    for i in range(min(mounts, 3)):
        draw.rectangle([8 + 24 * i, SIZE - 26, 22 + 24 * i, SIZE], fill=(16, 16, 18))


def _exposed(picture: Image.Image, chance, light) -> Image.Image:
    """Apply exposure, white balance and haze of the sequence, and sharpness and noise of the picture."""
    if (blur := chance.uniform(-0.6, 0.9)) > 0.2:
        picture = picture.filter(ImageFilter.GaussianBlur(blur))
    gain, haze, warm = light.uniform(0.72, 1.12), light.uniform(0, 0.22), light.uniform(-0.07, 0.07)
    gain *= chance.uniform(0.93, 1.07)
    table: list[int] = []
    for tint in (1 + warm, 1.0, 1 - warm):
        table += [max(0, min(255, round((value * gain * (1 - haze) + 205 * haze) * tint))) for value in range(256)]
    pixels = np.asarray(picture.point(table), np.int16)
    top, left = chance.randrange(_BANK - SIZE), chance.randrange(_BANK - SIZE)
    noise = _noise()[top : top + SIZE, left : left + SIZE] * chance.randrange(2, 9) // 8
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


@functools.cache
def _noise() -> np.ndarray:
    """Draw sensor noise with a standard deviation of 12, shape (512, 512, 3), of which each picture gets a part."""
    drawn = np.random.Generator(np.random.PCG64(224)).normal(0, 12, (_BANK, _BANK, 3))
    return np.round(drawn).astype(np.int16)


def _exif(scene: Scene) -> bytes:
    exif = Image.Exif()
    exif[0x010E], exif[0x0131] = LABEL, "geolive sample"  # ImageDescription, Software
    local = scene.time + ZONE
    exif.get_ifd(0x8769).update({0x9003: f"{local:%Y:%m:%d %H:%M:%S}", 0x9011: "+05:30"})
    exif.get_ifd(0x8825).update(
        {
            1: "N" if scene.lat >= 0 else "S",
            2: _degrees(scene.lat),
            3: "E" if scene.lon >= 0 else "W",
            4: _degrees(scene.lon),
            7: tuple(map(float, (scene.time.hour, scene.time.minute, scene.time.second))),
            29: f"{scene.time:%Y:%m:%d}",
        }
    )
    return exif.tobytes()


def _degrees(angle: float) -> tuple:
    """Return degrees, minutes and seconds as EXIF writes them, to a hundred-thousandth of a second."""
    from PIL.TiffImagePlugin import IFDRational

    seconds = round(abs(angle) * 3600 * 100_000)
    degrees, rest = divmod(seconds, 3600 * 100_000)
    minutes, rest = divmod(rest, 60 * 100_000)
    return IFDRational(degrees, 1), IFDRational(minutes, 1), IFDRational(rest, 100_000)
