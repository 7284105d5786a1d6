"""Rasters as users name them: `NAME=FILE` or `NAME=FILE:BAND`."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from geolive.covariate_tables import check_covariate_names
from geolive.errors import InputError
from geolive.files import checksum
from geolive.gdal_files import RASTER_SUFFIXES, is_address

ALL_BANDS = "all"
_TILE_SUFFIXES = (*RASTER_SUFFIXES, ".npy")


@dataclass(frozen=True)
class RasterCovariate:
    """A raster that gives a covariate, or several if it has several bands.

    Parameters
    ----------
    name : str
        Letters, digits, `_`, `-`, `.`.
    file : str
        A GeoTIFF, a folder of GeoTIFFs that are tiles of one raster, an address (http or https) of a GeoTIFF, or an array of
        TESSERA (.npy).
    band : str, optional
        Number of a band, from 1, or its description; "all" takes every band. It may be left out where there is one band, and
        for embeddings, of which all bands are taken.
    """

    name: str
    file: str
    band: str | None = None

    @property
    def files(self) -> list[str]:
        """The raster's files: itself, or the tiles in the folder, by name.

        Raises
        ------
        InputError
            The folder holds no tile.
        """
        if is_address(self.file) or not Path(self.file).is_dir():
            return [self.file]
        tiles = sorted(
            str(path)
            for path in Path(self.file).iterdir()
            if path.suffix.lower() in _TILE_SUFFIXES and not path.stem.endswith("_scales") and path.is_file()
        )
        arrays = [tile for tile in tiles if tile.endswith(".npy")]
        if not tiles:
            raise InputError(
                f"{self.file}: holds no GeoTIFF (.tif) and no array (.npy); name a file or a folder of tiles"
            )
        # beside arrays of TESSERA, a GeoTIFF only says where they are
        return arrays or tiles

    @property
    def file_name(self) -> str:
        """Name of the file or folder without its path, or the host and name of an address, as datasets record it."""
        if is_address(self.file):
            host, _, path = self.file.split("://", 1)[1].split("?")[0].partition("/")
            return f"{host.rpartition('@')[2]}/{path}"
        return Path(self.file).resolve().name

    def checksum(self) -> str | None:
        """Return the SHA-256 of the file, or of the checksums of a folder's tiles; None for an address."""
        if is_address(self.file):
            return None
        files = self.files
        if len(files) == 1:
            return checksum(files[0])
        listed = "".join(f"{checksum(file)} {Path(file).name}\n" for file in files)
        return hashlib.sha256(listed.encode()).hexdigest()


def parse_raster(text: str) -> RasterCovariate:
    """Read `NAME=FILE` or `NAME=FILE:BAND`.

    Raises
    ------
    InputError
        There is no name or no file.

    Examples
    --------
    >>> parse_raster("evi=rasters/evi.tif:2")
    RasterCovariate(name='evi', file='rasters/evi.tif', band='2')
    >>> parse_raster("evi=https://example.org:8080/evi.tif")
    RasterCovariate(name='evi', file='https://example.org:8080/evi.tif', band=None)
    """
    name, equals, file = text.partition("=")
    name, file, band = name.strip(), file.strip(), None
    if not equals or not name or not file:
        raise InputError(
            f"rasters={text!r}: does not say which covariate comes from which file; give NAME=FILE or NAME=FILE:BAND",
            parameter="rasters",
        )
    # what follows the last colon is no band in an address with a port or after the letter of a disk
    if found := re.fullmatch(r"(.{2,}):([^:/\\?&=]+)", file):
        file, band = found[1], found[2].strip()
    check_covariate_names([name], "rasters")
    return RasterCovariate(name, file, band)


def as_rasters(rasters: Iterable[str | RasterCovariate] | Mapping[str, str | Path]) -> list[RasterCovariate]:
    """Return rasters as `RasterCovariate`, from texts `NAME=FILE[:BAND]` or a mapping of names to files.

    Raises
    ------
    InputError
        A text cannot be read, or a name occurs twice.

    Examples
    --------
    >>> as_rasters({"evi": "evi.tif"}) == as_rasters(["evi=evi.tif"])
    True
    """
    if isinstance(rasters, str):
        raise InputError(f"rasters={rasters!r}: is one text; give a list: [{rasters!r}]", parameter="rasters")
    if isinstance(rasters, Mapping):
        rasters = [f"{name}={file}" for name, file in rasters.items()]
    made = [one if isinstance(one, RasterCovariate) else parse_raster(str(one)) for one in rasters]
    check_covariate_names([one.name for one in made], "rasters")
    return made
