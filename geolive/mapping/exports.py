"""A district map as files: which files belong to a name, and all of them written together or none."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from geolive.antimeridian import bounds_of
from geolive.errors import InputError
from geolive.extras import has_extra, require_extra
from geolive.files import replacing_together
from geolive.languages import Language, open_language
from geolive.mapping.csv_table import csv_bytes
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.export_table import DECIMALS, on_grid
from geolive.mapping.geojson import geojson_bytes
from geolive.mapping.kml import kml_bytes
from geolive.mapping.picture import PICTURES, write_picture
from geolive.mapping.qgis_metadata import metadata
from geolive.mapping.qgis_styles import district_style, surface_style
from geolive.tables import CRS

SUFFIXES = (
    *(".html", ".geojson", ".gpkg", ".tif", ".csv", ".xlsx", ".parquet", ".fgb", ".pmtiles", ".kml", ".qgz"),
    *PICTURES,
)
# the extra of setup.cfg that a kind of file needs
_EXTRAS = {".tif": "raster", ".xlsx": "excel", **dict.fromkeys(PICTURES, "plots")}
# what these hold, QGIS styles and documents by files beside them
_STYLED = (".geojson", ".tif")

Writers = dict[Path, Callable[[Path], object]]


def write_files(
    district_map: DistrictMap,
    paths: Sequence[str | Path],
    *,
    exports: bool = False,
    others: Sequence[DistrictMap] = (),
    language: str | Path | Language = "en",
    picture_size: str | None = None,
) -> list[Path]:
    """Write a district map as one or more files; they appear together, or none does.

    Parameters
    ----------
    district_map : DistrictMap
    paths : sequence of str or Path
        Each ends in one of `SUFFIXES`. Equal maps give equal bytes.
    exports : bool
        Whether districts (GeoJSON) and surface (GeoTIFF, where rasterio is installed) are written beside each page.
    others : sequence of DistrictMap
        Maps of other indicators in the same region. A page holds them all; every other file is written for each indicator, with
        its name at the end of the file's.
    language : {"en", "hi", "fr"} or Path
        Language of pages, or the JSON file of another one's words.
    picture_size : {"slide", "column", "page"}, optional
        Size of pictures; by default the region's shape decides.

    Returns
    -------
    list of Path
        The files written, those beside the named ones included.

    Raises
    ------
    InputError
        Another ending, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> folder = Path(tempfile.mkdtemp())
    >>> [p.name for p in write_files(result, [folder / "pov.html", folder / "pov.csv"])]
    ['pov.html', 'pov.csv']
    """
    words = open_language(language)
    makers: dict[str, Callable[[DistrictMap, Path], Writers]] = {
        ".geojson": _geojson,
        ".gpkg": _geopackage,
        ".tif": _geotiff,
        ".csv": _csv,
        ".xlsx": _workbook,
        ".parquet": _geoparquet,
        ".fgb": _flatgeobuf,
        ".pmtiles": functools.partial(_tiles, language=words),
        ".kml": _kml,
        ".qgz": _project,
        **dict.fromkeys(PICTURES, functools.partial(_picture, size=picture_size)),
    }
    writers: Writers = {}
    by_name = {each.indicator.name: each for each in (district_map, *others)}
    for path, name in files_of_indicators(paths, list(by_name), exports=exports).items():
        if name is None:
            writers |= _page(path, [district_map, *others], words)
            continue
        # two of them may be the same file: a page brings its own districts
        made = makers[path.suffix](by_name[name], path)
        writers |= {to: write for to, write in made.items() if to not in writers}
    return _write_together(writers)


def files_of_indicators(paths: Sequence[str | Path], names: Sequence[str], *, exports: bool) -> dict[Path, str | None]:
    """Return the files that names ask for when several indicators are mapped, without styles and metadata.

    Parameters
    ----------
    paths : sequence of str or Path
    names : sequence of str
        The indicators.
    exports : bool
        As for `write_files`.

    Returns
    -------
    dict of Path to str or None
        The indicator of each file; None for a page, which holds all.

    Raises
    ------
    InputError
        Another ending, or a package that this kind of file needs is not installed.

    Examples
    --------
    >>> files = files_of_indicators(["goa.html"], ["pov", "bmi"], exports=False)
    >>> files |= files_of_indicators(["goa.csv"], ["pov", "bmi"], exports=False)
    >>> {path.name: name for path, name in files.items()}
    {'goa.html': None, 'goa_pov.csv': 'pov', 'goa_bmi.csv': 'bmi'}
    """
    files: dict[Path, str | None] = {}
    for path in main_files(paths, exports=exports):
        if path.suffix == ".html":
            files[path] = None
        elif len(names) == 1:
            files[path] = names[0]
        else:
            stem, surface = path.stem.removesuffix("_surface"), "_surface" if path.stem.endswith("_surface") else ""
            files |= {path.with_name(f"{stem}_{name}{surface}{path.suffix}"): name for name in names}
    return files


def main_files(paths: Sequence[str | Path], *, exports: bool) -> list[Path]:
    """Return the files that names ask for, without styles and metadata: those named, and the exports beside pages.

    Raises
    ------
    InputError
        Another ending, or a package that this kind of file needs is not installed.

    Examples
    --------
    >>> [p.name for p in main_files(["pov.html", "table.csv"], exports=True)]
    ['pov.html', 'pov.geojson', 'pov_surface.tif', 'table.csv']
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if path.suffix == ".shp":
            raise InputError(
                f"{path}: cannot write a Shapefile, which cuts the names of columns to 10 letters; give "
                f"{path.with_suffix('.gpkg')}, which every GIS opens"
            )
        if path.suffix not in SUFFIXES:
            kind = f"{path.suffix} files" if path.suffix else "a file without an ending"
            raise InputError(f"{path}: cannot write {kind}; give a name that ends in {_ENDINGS}")
        if path.suffix in _EXTRAS:
            require_extra(_EXTRAS[path.suffix])
        files.append(path)
        if exports and path.suffix == ".html":
            files.append(path.with_suffix(".geojson"))
            if has_extra("raster"):
                files.append(path.with_name(f"{path.stem}_surface.tif"))
        # a project only refers to its layers
        if path.suffix == ".qgz":
            files.append(path.with_suffix(".gpkg"))
    return list(dict.fromkeys(files))


def files_of_formats(path: Path, formats: str | None) -> list[Path]:
    """Return the files of further kinds that have the name of a file.

    Parameters
    ----------
    path : Path
        A file to write.
    formats : str or None
        Endings without their dots, joined by commas, or "all": every kind whose packages are installed.

    Raises
    ------
    InputError
        There is no such kind of file.

    Examples
    --------
    >>> [p.name for p in files_of_formats(Path("maps/pov.html"), "xlsx,png")]
    ['pov.xlsx', 'pov.png']
    >>> [p.name for p in files_of_formats(Path("maps/pov.html"), "tif")]
    ['pov_surface.tif']
    """
    if formats == "all":
        installed = [s for s in SUFFIXES if s not in _EXTRAS or has_extra(_EXTRAS[s])]
        formats = ",".join(s for s in installed if s != path.suffix)
    words = [word.strip().lower().removeprefix(".") for word in (formats or "").split(",") if word.strip()]
    known = [suffix.removeprefix(".") for suffix in SUFFIXES]
    for word in words:
        if word not in known:
            raise InputError(
                f"formats: there is no kind {word!r}; give some of: {','.join(known)}, or all", parameter="formats"
            )
    # a raster and districts of one name would need one style file
    names = [f"{path.stem}_surface.tif" if word == "tif" else f"{path.stem}.{word}" for word in words]
    return [path.with_name(name) for name in names]


def with_companions(path: Path) -> list[Path]:
    """Return a file with what is written beside it: style and metadata for QGIS, or a page that draws the tiles.

    Examples
    --------
    >>> [p.name for p in with_companions(Path("pov.tif"))]
    ['pov.tif', 'pov.qml', 'pov.qmd']
    """
    if path.suffix == ".pmtiles":
        return [path, *([path.with_name(f"{path.stem}_tiles.html")] if has_extra("tiles") else [])]
    return [path, *(path.with_suffix(suffix) for suffix in (".qml", ".qmd") if path.suffix in _STYLED)]


_ENDINGS = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"


def _write_together(writers: Writers) -> list[Path]:
    """Write every file to a temporary name; they take their places only once all are written."""
    with replacing_together(list(writers)) as temporary:
        for path, write in writers.items():
            write(temporary[path])
    return list(writers)


def _bytes(made: Callable[[], bytes]) -> Callable[[Path], object]:
    return lambda to: to.write_bytes(made())


def _page(path: Path, maps: Sequence[DistrictMap], language: Language) -> Writers:
    from geolive.mapping.webmap import page_bytes

    return {path: _bytes(lambda: page_bytes(*maps, language=language))}


def _geojson(district_map: DistrictMap, path: Path) -> Writers:
    districts = on_grid(district_map.districts)
    west, south, east, north = (round(bound, DECIMALS) for bound in bounds_of(districts.geometry))
    bounds = (west, south, east, north)
    contents = (
        lambda: geojson_bytes(district_map, districts, bounds),
        lambda: district_style(district_map),
        lambda: metadata(district_map, "districts", bounds),
    )
    return {to: _bytes(made) for to, made in zip(with_companions(path), contents, strict=True)}


def _geopackage(district_map: DistrictMap, path: Path) -> Writers:
    from geolive.mapping.geopackage import write_geopackage

    return {path: lambda to: write_geopackage(district_map, to)}


def _geotiff(district_map: DistrictMap, path: Path) -> Writers:
    from rasterio.transform import array_bounds
    from rasterio.warp import transform_bounds

    from geolive.mapping.geotiff import write_cog
    from geolive.mapping.surface import REACH_KM, cell_surface, interpolate_surface

    if district_map.cells is None:
        surface = interpolate_surface(district_map)
        what = f"surface, by inverse distance of sites, up to {REACH_KM:g} km from a site"
    else:
        surface = cell_surface(district_map)
        by_people = "people" in district_map.cells.table
        what = "predictions at inhabited cells, and their people" if by_people else "predictions at the cells of a grid"
    bounds = array_bounds(*surface.values.shape[1:], surface.transform)
    if surface.crs != CRS:
        bounds = transform_bounds(surface.crs, CRS, *bounds)
    raster, style, about = with_companions(path)
    return {
        raster: lambda to: write_cog(district_map, surface, to),
        style: _bytes(lambda: surface_style(district_map)),
        about: _bytes(lambda: metadata(district_map, what, bounds, surface.crs)),
    }


def _csv(district_map: DistrictMap, path: Path) -> Writers:
    return {path: _bytes(lambda: csv_bytes(district_map))}


def _workbook(district_map: DistrictMap, path: Path) -> Writers:
    from geolive.mapping.workbook import write_workbook

    return {path: lambda to: write_workbook(district_map, to)}


def _geoparquet(district_map: DistrictMap, path: Path) -> Writers:
    from geolive.mapping.vector_files import write_geoparquet

    return {path: lambda to: write_geoparquet(district_map, to)}


def _flatgeobuf(district_map: DistrictMap, path: Path) -> Writers:
    from geolive.mapping.vector_files import write_flatgeobuf

    return {path: lambda to: write_flatgeobuf(district_map, to)}


def _tiles(district_map: DistrictMap, path: Path, language: Language) -> Writers:
    from geolive.mapping.tiles_page import tiles_page_bytes
    from geolive.mapping.vector_tiles import write_pmtiles

    archives: list[Path] = []

    def write_archive(to: Path) -> None:
        write_pmtiles(district_map, to)
        archives.append(to)

    def page() -> bytes:
        # files are written in this order, so the page finds the archive that it holds
        return tiles_page_bytes(district_map, archives[-1].read_bytes(), language=language)

    archive, *pages = with_companions(path)
    return {archive: write_archive, **{to: _bytes(page) for to in pages}}


def _kml(district_map: DistrictMap, path: Path) -> Writers:
    return {path: _bytes(lambda: kml_bytes(district_map))}


def _project(district_map: DistrictMap, path: Path) -> Writers:
    from geolive.mapping.qgis_project import project_bytes

    package = path.with_suffix(".gpkg")
    return {path: _bytes(lambda: project_bytes(district_map, package.name)), **_geopackage(district_map, package)}


def _picture(district_map: DistrictMap, path: Path, size: str | None) -> Writers:
    return {path: lambda to: write_picture(district_map, to, size)}
