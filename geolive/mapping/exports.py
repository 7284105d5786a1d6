"""A district map as files: which files belong to a name, and all of them written together or none."""

from collections.abc import Callable, Sequence
from pathlib import Path

from geolive.errors import InputError
from geolive.extras import has_extra, require_extra
from geolive.files import replacing_together
from geolive.mapping.csv_table import csv_bytes
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.export_table import DECIMALS, on_grid
from geolive.mapping.geojson import geojson_bytes
from geolive.mapping.qgis_metadata import metadata
from geolive.mapping.qgis_styles import district_style, surface_style

SUFFIXES = (".html", ".geojson", ".gpkg", ".tif", ".csv")
# what these hold, QGIS styles and documents by files beside them
_STYLED = (".geojson", ".tif")

Writers = dict[Path, Callable[[Path], object]]


def write_files(district_map: DistrictMap, paths: Sequence[str | Path], *, exports: bool = False) -> list[Path]:
    """Write a district map as one or more files; they appear together, or none does.

    Parameters
    ----------
    district_map : DistrictMap
    paths : sequence of str or Path
        Each ends in .html, .geojson, .gpkg, .tif or .csv. Equal maps give equal bytes.
    exports : bool
        Whether districts (GeoJSON) and surface (GeoTIFF, where rasterio is installed) are written beside each page.

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
    makers: dict[str, Callable[[DistrictMap, Path], Writers]] = {
        ".html": _page,
        ".geojson": _geojson,
        ".gpkg": _geopackage,
        ".tif": _geotiff,
        ".csv": _csv,
    }
    writers: Writers = {}
    for path in main_files(paths, exports=exports):
        # two of them may be the same file: a page brings its own districts
        writers |= {to: write for to, write in makers[path.suffix](district_map, path).items() if to not in writers}
    return _write_together(writers)


def main_files(paths: Sequence[str | Path], *, exports: bool) -> list[Path]:
    """Return the files that names ask for, without styles and metadata: those named, and the exports beside pages.

    Raises
    ------
    InputError
        Another ending, or a GeoTIFF is asked for and rasterio is not installed.

    Examples
    --------
    >>> [p.name for p in main_files(["pov.html", "table.csv"], exports=True)]
    ['pov.html', 'pov.geojson', 'pov_surface.tif', 'table.csv']
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if path.suffix not in SUFFIXES:
            kind = f"{path.suffix} files" if path.suffix else "a file without an ending"
            raise InputError(f"{path}: cannot write {kind}; give a name that ends in {_ENDINGS}")
        if path.suffix == ".tif":
            require_extra("raster")
        files.append(path)
        if exports and path.suffix == ".html":
            files.append(path.with_suffix(".geojson"))
            if has_extra("raster"):
                files.append(path.with_name(f"{path.stem}_surface.tif"))
    return list(dict.fromkeys(files))


def with_companions(path: Path) -> list[Path]:
    """Return a file with the style and the metadata for QGIS that are written beside it.

    Examples
    --------
    >>> [p.name for p in with_companions(Path("pov.tif"))]
    ['pov.tif', 'pov.qml', 'pov.qmd']
    """
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


def _page(district_map: DistrictMap, path: Path) -> Writers:
    from geolive.mapping.webmap import page_bytes

    return {path: _bytes(lambda: page_bytes(district_map))}


def _geojson(district_map: DistrictMap, path: Path) -> Writers:
    districts = on_grid(district_map.districts)
    west, south, east, north = (round(float(bound), DECIMALS) for bound in districts.total_bounds)
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

    from geolive.mapping.geotiff import write_cog
    from geolive.mapping.surface import REACH_KM, interpolate_surface

    surface = interpolate_surface(district_map)
    bounds = array_bounds(*surface.values.shape[1:], surface.transform)
    what = f"surface, by inverse distance of sites, up to {REACH_KM:g} km from a site"
    raster, style, about = with_companions(path)
    return {
        raster: lambda to: write_cog(district_map, surface, to),
        style: _bytes(lambda: surface_style(district_map)),
        about: _bytes(lambda: metadata(district_map, what, bounds)),
    }


def _csv(district_map: DistrictMap, path: Path) -> Writers:
    return {path: _bytes(lambda: csv_bytes(district_map))}
