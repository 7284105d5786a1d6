"""Check before any work that the files of a map can be written, and overwrite nothing that geolive did not write."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from geolive.errors import InputError
from geolive.mapping.exports import files_of_indicators, with_companions
from geolive.mapping.qgis_metadata import WRITTEN_BY

# how each kind of file says that geolive wrote it; a style or metadata file saved by QGIS no longer does
_SIGNS = {
    ".html": rb'<meta name="generator" content="geolive ',
    ".geojson": rb'"generator": "geolive ',
    ".tif": rb'<Item name="SOFTWARE">geolive ',
    ".csv": rb"\Adistrict_id,[^\n]*,made_with\n",
    ".kml": rb"<!-- " + WRITTEN_BY.encode(),
    ".fgb": rb"\Afgb.*" + WRITTEN_BY.encode(),
    ".png": rb"Software\x00geolive ",
    ".svg": rb"<dc:title>geolive |>geolive ",
    ".pdf": rb"/Creator \(geolive ",
    ".qml": rb"<!-- " + WRITTEN_BY.encode(),
    ".qmd": rb"<!-- " + WRITTEN_BY.encode(),
}
_MOST_READ = 4_000_000


def check_outputs_free(
    outs: Sequence[Path], inputs: Sequence[Path], *, exports: bool = True, indicators: Sequence[str] = ("",)
) -> list[Path]:
    """Raise, before any work, if an output would overwrite what geolive did not write, or could not be written.

    Parameters
    ----------
    outs : sequence of Path
        The names of the files to write.
    inputs : sequence of Path
        Files and folders that are read.
    exports : bool
        Whether districts and surface are written beside each page.
    indicators : sequence of str
        The indicators that are mapped; several have files of their own, except for pages.

    Returns
    -------
    list of Path
        Every file that will be written, those beside the named ones included.

    Raises
    ------
    InputError
        Another ending; a file that exists and was not written by geolive; an input; a folder that is not writable; two
        outputs that need the same style file.

    Examples
    --------
    >>> [p.name for p in check_outputs_free([Path("maps/pov.tif")], [])]
    ['pov.tif', 'pov.qml', 'pov.qmd']
    >>> check_outputs_free([Path("a.doc")], [])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    geolive.errors.InputError: a.doc: cannot write .doc files; give a name that ends in .html, .geojson, .gpkg, ... or .pdf
    """
    owners: dict[Path, Path] = {}
    for main in files_of_indicators(outs, indicators, exports=exports):
        for path in with_companions(main):
            owner = owners.setdefault(path, main)
            if owner != main:
                raise InputError(f"{main}: would share {path.name} with {owner}; give one of them another name")
    for path in owners:
        _check_free(path, [Path(i) for i in inputs])
    return list(owners)


def _check_free(path: Path, inputs: list[Path]) -> None:
    if any(path.resolve() == i.resolve() or (path.exists() and i.exists() and path.samefile(i)) for i in inputs):
        raise InputError(f"{path}: is an input, and geolive would overwrite it; give another name to write to")
    if path.is_dir():
        raise InputError(f"{path}: is a folder, so no file of this name can be written; give another name")
    folder = next(f for f in path.absolute().parents if f.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        why = "is not writable" if folder.is_dir() else "is not a folder"
        raise InputError(f"{path}: cannot be written, since {folder} {why}; choose another folder")
    if path.exists() and not _written_by_geolive(path):
        raise InputError(
            f"{path}: exists and was changed, or was not written by geolive; move it away, or give another name to write to"
        )


def _written_by_geolive(path: Path) -> bool:
    if path.suffix == ".gpkg":
        from geolive.mapping.geopackage import is_ours

        return is_ours(path)
    if path.suffix == ".qgz":
        from geolive.mapping.qgis_project import is_our_project

        return is_our_project(path)
    if path.suffix == ".xlsx":
        from geolive.mapping.workbook import is_our_workbook

        return is_our_workbook(path)
    if path.suffix == ".parquet":
        from geolive.mapping.vector_files import is_our_geoparquet

        return is_our_geoparquet(path)
    if path.suffix == ".pmtiles":
        from geolive.mapping.vector_tiles import is_our_pmtiles

        return is_our_pmtiles(path)
    try:
        with path.open("rb") as file:
            return re.search(_SIGNS[path.suffix], file.read(_MOST_READ), re.DOTALL) is not None
    except OSError as error:
        raise InputError(f"{path}: exists and cannot be read ({error.strerror}); give another name") from error
