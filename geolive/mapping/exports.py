"""Files for a GIS: districts as GeoJSON, the surface as Cloud-Optimized GeoTIFF, each with its style and metadata."""

import contextlib
import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geolive.errors import InputError
from geolive.files import replacing
from geolive.mapping.districts import DistrictMap
from geolive.mapping.qgis_metadata import WRITTEN_BY, abstract, layer_title, metadata, plain_text
from geolive.mapping.qgis_styles import district_style, surface_style

DECIMALS = 6
SUFFIXES = (".html", ".geojson", ".tif")

# how each kind of file says that geolive wrote it; a style or metadata file saved by QGIS no longer does
_SIGNS = {
    ".html": rb'<meta name="generator" content="geolive ',
    ".geojson": rb'"generator": "geolive ',
    ".tif": rb'<Item name="SOFTWARE">geolive ',
    ".qml": rb"<!-- " + WRITTEN_BY.encode(),
    ".qmd": rb"<!-- " + WRITTEN_BY.encode(),
}
_MOST_READ = 4_000_000


def write_geojson(district_map: DistrictMap, path: str | Path) -> list[Path]:
    """Write the districts as GeoJSON (RFC 7946), with the style and the metadata that QGIS reads from beside it.

    Parameters
    ----------
    district_map : DistrictMap
    path : str or Path
        The `.geojson` file. Equal maps give equal bytes.

    Returns
    -------
    list of Path
        The files written: all of them, or none where writing fails.

    Raises
    ------
    InputError
        The folder cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> from tests.mapping.districtmaps import fake_district_map
    >>> [p.name for p in write_geojson(fake_district_map(), Path(tempfile.mkdtemp()) / "pov.geojson")]
    ['pov.geojson', 'pov.qml', 'pov.qmd']
    """
    path = Path(path)
    districts = _on_grid(district_map.districts)
    bounds = tuple(round(float(b), DECIMALS) for b in districts.total_bounds)
    about = metadata(district_map, "districts", bounds)
    return _write_together(
        {
            path: lambda to: to.write_bytes(_geojson(district_map, districts, bounds)),
            path.with_suffix(".qml"): lambda to: to.write_bytes(district_style(district_map)),
            path.with_suffix(".qmd"): lambda to: to.write_bytes(about),
        }
    )


def write_geotiff(district_map: DistrictMap, path: str | Path) -> list[Path]:
    """Write the surface as Cloud-Optimized GeoTIFF, with the style and the metadata that QGIS reads from beside it.

    Parameters
    ----------
    district_map : DistrictMap
    path : str or Path
        The `.tif` file: EPSG:4326, 0.01°, float32, bands value, lower, upper, nodata NaN. Equal maps give equal bytes.

    Returns
    -------
    list of Path
        The files written: all of them, or none where writing fails.

    Raises
    ------
    InputError
        The folder cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> from tests.mapping.districtmaps import fake_district_map
    >>> [p.name for p in write_geotiff(fake_district_map(), Path(tempfile.mkdtemp()) / "pov.tif")]
    ['pov.tif', 'pov.qml', 'pov.qmd']
    """
    # only here: scipy and rasterio are slow to import
    from rasterio.transform import array_bounds

    from geolive.mapping.surface import REACH_KM, interpolate_surface

    path = Path(path)
    surface = interpolate_surface(district_map)
    bounds = array_bounds(*surface.values.shape[1:], surface.transform)
    what = f"surface, by inverse distance of sites, up to {REACH_KM:g} km from a site"
    about = metadata(district_map, what, bounds)
    return _write_together(
        {
            path: lambda to: _write_cog(district_map, surface, to),
            path.with_suffix(".qml"): lambda to: to.write_bytes(surface_style(district_map)),
            path.with_suffix(".qmd"): lambda to: to.write_bytes(about),
        }
    )


def write_exports(district_map: DistrictMap, page: str | Path) -> list[Path]:
    """Write NAME.geojson and NAME_surface.tif beside the page NAME.html, each with style and metadata.

    Parameters
    ----------
    district_map : DistrictMap
    page : str or Path
        The page, NAME.html; it need not exist.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    InputError
        The folder cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> from tests.mapping.districtmaps import fake_district_map
    >>> len(write_exports(fake_district_map(), Path(tempfile.mkdtemp()) / "pov.html"))
    6
    """
    districts, surface = _beside(Path(page))
    return [*write_geojson(district_map, districts), *write_geotiff(district_map, surface)]


def check_outputs_free(outs: Sequence[Path], inputs: Sequence[Path], *, exports: bool = True) -> list[Path]:
    """Raise, before any work, if an output would overwrite what geolive did not write, or could not be written.

    Parameters
    ----------
    outs : sequence of Path
        What was asked for: pages (.html), districts (.geojson), surfaces (.tif).
    inputs : sequence of Path
        Files and folders that are read.
    exports : bool
        Whether districts and surface are written beside each page.

    Returns
    -------
    list of Path
        Every file that will be written, those beside the named ones included.

    Raises
    ------
    InputError
        Another suffix; a file that exists and was not written by geolive; an input; a folder that is not writable; two
        outputs that need the same style file.

    Examples
    --------
    >>> [p.name for p in check_outputs_free([Path("maps/pov.tif")], [])]
    ['pov.tif', 'pov.qml', 'pov.qmd']
    >>> check_outputs_free([Path("maps/pov.pdf")], [])
    Traceback (most recent call last):
    geolive.errors.InputError: maps/pov.pdf: cannot write .pdf files; --out must end in .html, .geojson or .tif
    """
    owners: dict[Path, Path] = {}
    for out in map(Path, outs):
        if out.suffix not in SUFFIXES:
            kind = f"{out.suffix} files" if out.suffix else "a file without a suffix"
            raise InputError(f"{out}: cannot write {kind}; --out must end in .html, .geojson or .tif")
        for main in [out, *(_beside(out) if exports and out.suffix == ".html" else [])]:
            styled = [] if main.suffix == ".html" else [main.with_suffix(".qml"), main.with_suffix(".qmd")]
            for path in [main, *styled]:
                owner = owners.setdefault(path, main)
                if owner != main:
                    raise InputError(f"{main}: would share {path.name} with {owner}; give one of them another name")
    for path in owners:
        _check_free(path, [Path(i) for i in inputs])
    return list(owners)


def _beside(page: Path) -> tuple[Path, Path]:
    return page.with_name(f"{page.stem}.geojson"), page.with_name(f"{page.stem}_surface.tif")


def _check_free(path: Path, inputs: list[Path]) -> None:
    if any(path.resolve() == i.resolve() or (path.exists() and i.exists() and path.samefile(i)) for i in inputs):
        raise InputError(f"{path}: is an input, and would be overwritten; choose another --out")
    if path.is_dir():
        raise InputError(f"{path}: is a folder, so no file of that name can be written; choose another --out")
    folder = next(f for f in path.absolute().parents if f.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        why = "is not writable" if folder.is_dir() else "is not a folder"
        raise InputError(f"{path}: cannot be written, since {folder} {why}; choose another --out")
    if path.exists() and not _written_by_geolive(path):
        raise InputError(f"{path}: exists and is not as geolive wrote it; move it away, or choose another --out")


def _written_by_geolive(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return re.search(_SIGNS[path.suffix], file.read(_MOST_READ)) is not None
    except OSError as error:
        raise InputError(f"{path}: exists and cannot be read ({error.strerror}); choose another --out") from error


def _write_together(writers: dict[Path, Callable[[Path], object]]) -> list[Path]:
    """Write every file to a temporary name; they take their places only once all are written."""
    with contextlib.ExitStack() as stack:
        for path, write in writers.items():
            write(stack.enter_context(replacing(path)))
    return list(writers)


def _geojson(district_map: DistrictMap, districts: gpd.GeoDataFrame, bounds: tuple[float, ...]) -> bytes:
    columns = _properties(district_map)
    rows = zip(*columns.values(), strict=True)
    geometries = map(shapely.geometry.mapping, districts.geometry)
    features = []
    for row, geometry in zip(rows, geometries, strict=True):
        properties = dict(zip(columns, row, strict=True))
        feature = {"type": "Feature", "id": properties["district_id"], "properties": properties, "geometry": geometry}
        features.append(json.dumps(feature, ensure_ascii=False, allow_nan=False, separators=(",", ":")))
    head = {
        "type": "FeatureCollection",
        "name": layer_title(district_map),
        "description": abstract(district_map),
        "generator": f"geolive {district_map.provenance.version}",
        "bbox": bounds,
    }
    opening = json.dumps(head, ensure_ascii=False, allow_nan=False)[:-1]
    text = opening + ', "features": [\n' + ",\n".join(features) + "\n]}\n"
    # a lone surrogate, as in a file name that is not UTF-8, has no place in UTF-8
    return text.encode("utf-8", "replace")


def _properties(district_map: DistrictMap) -> dict[str, list]:
    """The columns of the districts table as JSON values; null where there is none."""
    table, name = district_map.districts, district_map.indicator.name
    supported = table["supported"].astype(bool)
    decimals = _enough_decimals(table[name].to_numpy(float))
    columns = {column: _each(str, table[column]) for column in ("district_id", "district", "state")}
    for column in (name, f"{name}_lower", f"{name}_upper"):
        columns[column] = _each(lambda v: round(float(v), decimals), table[column].where(supported))
    columns[f"{name}_label"] = _each(int, table[f"{name}_label"].where(supported))
    for column, kind in {"n_sites": int, "n_images": int, "supported": bool, "simulated": bool}.items():
        columns[column] = _each(kind, table[column])
    for column in ("rank_best", "rank_worst"):
        columns[column] = _each(int, table[column].where(supported))
    return columns


def _each(kind: Callable, column: pd.Series) -> list:
    return [None if pd.isna(v) else kind(v) for v in column]


def _enough_decimals(values: np.ndarray) -> int:
    """Decimals that tell values apart to a millionth of their range, and so are finer than the legend's breaks."""
    values = values[np.isfinite(values)]
    spread = np.ptp(values) if values.size else 0.0
    spread = spread or np.abs(values).max(initial=0.0) or 1.0
    return int(6 - np.ceil(np.log10(spread)))


def _on_grid(districts: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The districts with 6 decimals, right-handed rings and the borders that they share still shared."""
    geometry = shapely.force_2d(districts.geometry.to_numpy())
    rounded = shapely.transform(geometry, lambda at: np.round(at, DECIMALS))
    if not (shapely.is_valid(rounded).all() and shapely.coverage_is_valid(rounded)):
        rounded = _noded_on_grid(geometry)
    return districts.set_geometry(gpd.GeoSeries([_multi(g) for g in rounded], index=districts.index, crs=districts.crs))


def _noded_on_grid(geometry: np.ndarray) -> np.ndarray:
    """Districts made anew from the faces between all their borders, once these are crossed on the grid."""
    lines = shapely.union_all(shapely.boundary(geometry), grid_size=10.0**-DECIMALS)
    faces = shapely.get_parts(shapely.polygonize([lines]))
    face, district = shapely.STRtree(geometry).query(shapely.point_on_surface(faces), predicate="within")
    # where districts overlap, the first takes the face
    face, first = np.unique(face, return_index=True)
    merged = [shapely.coverage_union_all(faces[face[district[first] == i]]) for i in range(len(geometry))]
    return shapely.transform(np.array(merged), lambda at: np.round(at, DECIMALS))


def _multi(geometry: shapely.Geometry) -> shapely.MultiPolygon:
    parts = [p for p in shapely.get_parts(geometry) if p.geom_type == "Polygon"]
    return shapely.orient_polygons(shapely.MultiPolygon(parts))


def _write_cog(district_map: DistrictMap, surface, path: Path) -> None:
    import rasterio.shutil
    from rasterio.io import MemoryFile

    from geolive.mapping.surface import BANDS

    about, shown = district_map.provenance, district_map.indicator
    tags = {
        "INDICATOR": shown.legend_title,
        "UNIT": shown.unit,
        "MODEL": about.model,
        "DATE": about.made.isoformat(),
        "SIMULATED": "yes" if about.simulated else "no",
        "TITLE": layer_title(district_map),
        "DESCRIPTION": abstract(district_map),
        "SOFTWARE": f"geolive {about.version}",
    }
    bands, height, width = surface.values.shape
    profile = {"driver": "GTiff", "dtype": "float32", "count": bands, "height": height, "width": width}
    with MemoryFile() as memory:
        with memory.open(**profile, crs="EPSG:4326", transform=surface.transform, nodata=np.nan) as raster:
            raster.write(surface.values)
            raster.descriptions = BANDS
            raster.update_tags(**{key: plain_text(value) for key, value in tags.items()})
        with memory.open() as raster:
            options = {"COMPRESS": "DEFLATE", "PREDICTOR": "YES", "BLOCKSIZE": 256, "RESAMPLING": "AVERAGE"}
            rasterio.shutil.copy(raster, path, driver="COG", NUM_THREADS="1", **options)
