"""Parts that pictures share: plain text, map frames and borders, a scale bar, and the mark SIMULATED."""

import contextlib
import functools
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from shapely.affinity import translate

from geolive.boundary_files import Boundaries
from geolive.geodesy import EARTH_RADIUS_KM
from geolive.regions import read_districts

if TYPE_CHECKING:
    from matplotlib.path import Path as MatplotlibPath

INK, GREY = "#24292f", "#6b7480"
_MOST_DISTRICTS = 250
_LEAST_DEGREES = 0.01


@contextlib.contextmanager
def plain_matplotlib(more: dict[str, Any] | None = None):
    """Return the settings of matplotlib under which names from data are drawn as plain text.

    A "$" begins no formula, and a character that the font lacks causes no warning.

    Parameters
    ----------
    more : dict, optional
        Further settings of matplotlib.

    Yields
    ------
    type
        `matplotlib.figure.Figure`.

    Examples
    --------
    >>> with plain_matplotlib() as figure_class:
    ...     figure_class(figsize=(4, 3)).add_subplot().set_title("a $ b").get_text()
    'a $ b'
    """
    import matplotlib
    from matplotlib.figure import Figure

    look: Any = {"text.parse_math": False, "font.family": "DejaVu Sans", "font.size": 9, "text.color": INK}
    interactive = matplotlib.is_interactive()
    try:
        with matplotlib.rc_context(look | (more or {})), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            try:
                yield Figure
            finally:
                interactive = matplotlib.is_interactive()
    finally:
        # notebooks load their backend at the first figure, and it sets this once: were it reset, no later figure would be shown
        matplotlib.interactive(interactive)


def map_view(where: np.ndarray, shape: float) -> tuple[float, float, float, float]:
    """Return west, south, east, north of a map with room around the data, in degrees.

    Parameters
    ----------
    where : array of float, shape (n, 2)
        Longitude, latitude in degrees.
    shape : float
        Width of the picture over its height.

    Examples
    --------
    >>> west, south, east, north = map_view(np.array([[0.0, 0.0], [2.0, 1.0]]), 2.0)
    >>> f"{(east - west) / (north - south):.1f}"
    '2.0'
    """
    (west, south), (east, north) = where.min(axis=0), where.max(axis=0)
    lon, lat = (west + east) / 2, (south + north) / 2
    squeeze = max(np.cos(np.radians(lat)), 0.05)
    height = max(north - south, (east - west) * squeeze / shape, _LEAST_DEGREES) * 1.12
    width = height * shape / squeeze
    return lon - width / 2, lat - height / 2, lon + width / 2, lat + height / 2


def region_view(
    where: np.ndarray,
    shape: float,
    boundaries: Boundaries | None = None,
    *,
    name_column: str | None = None,
    id_column: str | None = None,
) -> tuple[float, float, float, float]:
    """Return west, south, east, north of a map of the data and of the whole states that they lie in, in degrees.

    Data in more than half of the states show all of them, so that a map of India has Ladakh and the Nicobar Islands. Where the
    file names no states, the districts with data are shown whole.

    Parameters
    ----------
    where : array of float, shape (n, 2)
        Longitude, latitude in degrees.
    shape : float
        Width of the picture over its height.
    boundaries, name_column, id_column
        As for `draw_borders`.

    Examples
    --------
    >>> view = region_view(np.array([[85.1, 25.6]]), 1.0)  # Patna; Bihar reaches from 83.3° to 88.3° east
    >>> [round(float(degrees)) for degrees in view]
    [83, 23, 89, 28]
    """
    corners = _corners_of_states(where, boundaries, name_column, id_column)
    return map_view(np.concatenate([where, corners]), shape)


def _corners_of_states(
    where: np.ndarray, boundaries: Boundaries | None, name_column: str | None, id_column: str | None
) -> np.ndarray:
    """Return the corners of the box around the states that hold data, shape (2, 2); none where no district does."""
    nothing = np.zeros((0, 2))
    if not len(where) or np.abs(where[:, 0]).max() > 180:
        return nothing
    districts = read_districts(boundaries, name_column=name_column, id_column=id_column)
    # a point for each cell of a twentieth of a degree that has any: photos are many and lie close together
    _, first = np.unique(np.floor(where * 20), axis=0, return_index=True)
    _, row = shapely.STRtree(districts.geometry.to_numpy()).query(shapely.points(where[first]), predicate="intersects")
    states = districts["state"].to_numpy(object)
    units = np.where(states != "", states, districts["district_id"].to_numpy(object))
    shown = np.isin(units, units[row])
    if not shown.any():
        return nothing
    if (states != "").all() and len(set(units[row])) > len(set(units)) / 2:
        shown[:] = True
    west, south, east, north = districts.geometry[shown].total_bounds
    return np.array([[west, south], [east, north]])


def draw_borders(
    axes,
    view: tuple[float, float, float, float],
    boundaries: Boundaries | None = None,
    *,
    name_column: str | None = None,
    id_column: str | None = None,
) -> list:
    """Draw the borders of districts and states within a view.

    Parameters
    ----------
    axes
        matplotlib's, in degrees.
    view : tuple of float
        West, south, east, north.
    boundaries : str, Path or BoundaryFile, optional
        A file of districts in place of India's.
    name_column, id_column : str, optional
        Columns of `boundaries` with the districts' names and unique ids; see `geolive.regions.read_districts`.

    Returns
    -------
    list of (Line2D, str)
        Lines and their names for the legend; empty where the borders are not known.

    Examples
    --------
    >>> with plain_matplotlib() as figure_class:
    ...     [name for _, name in draw_borders(figure_class().add_subplot(), (73, 14, 75, 16))]
    ['District', 'State']
    """
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.lines import Line2D

    filled, inner, outer = _borders(tuple(map(float, view)), boundaries, name_column, id_column)
    if not filled:
        return []
    axes.add_collection(PolyCollection(filled, facecolors="white", edgecolors="none", zorder=1))
    drawn = []
    if inner:
        axes.add_collection(LineCollection(inner, colors="#c5cbd1", linewidths=0.6, zorder=2))
        drawn.append((Line2D([], [], color="#c5cbd1", lw=0.9), "District"))
    if outer:
        axes.add_collection(LineCollection(outer, colors="#838c96", linewidths=1.0, zorder=2))
        drawn.append((Line2D([], [], color="#838c96", lw=1.2), "State"))
    return drawn


@functools.lru_cache(maxsize=4)
def _borders(
    view: tuple[float, float, float, float],
    boundaries: Boundaries | None,
    name_column: str | None,
    id_column: str | None,
) -> tuple[list, list, list]:
    """Return the rings of districts as areas, of districts as lines (none where there are too many), and of states."""
    # the borders as the source has them: cleaning those of a whole country takes longer than the rest of the picture
    districts = read_districts(boundaries, name_column=name_column, id_column=id_column)
    geometry = _in_view(districts.geometry.to_numpy(), view)
    near = shapely.intersects(geometry, shapely.box(*view))
    districts, geometry = districts[near], geometry[near]
    if districts.empty:
        return [], [], []
    finest = (view[2] - view[0]) / 1500
    shapes = shapely.simplify(geometry, finest)
    states, outer = districts["state"].to_numpy(), []
    if (states != "").any():
        # slivers between uncleaned neighbours are closed; the eye does not see so small a buffer
        wide = [shapely.union_all(shapely.buffer(shapes[states == name], finest)) for name in np.unique(states)]
        merged = shapely.simplify(shapely.buffer(wide, -finest), finest / 2)
        outer = [ring for ring in _rings(merged, holes=False) if np.ptp(ring, axis=0).max() > 8 * finest]
    return _rings(shapes, holes=False), _rings(shapes) if len(districts) <= _MOST_DISTRICTS else [], outer


def _in_view(geometry: np.ndarray, view: tuple[float, float, float, float]) -> np.ndarray:
    """Return districts with the parts on the other side of the antimeridian beyond ±180°, where a view reaches so far."""
    if view[0] >= -180 and view[2] <= 180:
        return geometry
    turn, crossed = (360, -180 + (view[2] - 180)) if view[2] > 180 else (-360, 180 + (view[0] + 180))
    parts, owner = shapely.get_parts(geometry, return_index=True)
    bounds = shapely.bounds(parts)
    away = bounds[:, 0] < crossed if turn > 0 else bounds[:, 2] > crossed
    for i in np.flatnonzero(away):
        parts[i] = translate(parts[i], xoff=turn)
    return np.array([shapely.union_all(parts[owner == i]) for i in range(len(geometry))], dtype=object)


def frame_map(axes, view: tuple[float, float, float, float]) -> None:
    """Set a map's limits, degrees along its sides, and a grid.

    Examples
    --------
    >>> with plain_matplotlib() as figure_class:
    ...     axes = figure_class().add_subplot()
    ...     frame_map(axes, (80, 20, 84, 24))
    >>> [float(x) for x in axes.get_xlim()]
    [80.0, 84.0]
    """
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_xlim(view[0], view[2])
    axes.set_ylim(view[1], view[3])
    for axis, limit, ends in ((axes.xaxis, 180, "WE"), (axes.yaxis, 90, "SN")):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(FuncFormatter(lambda x, _, limit=limit, ends=ends: _degrees(x, limit, ends)))
    axes.tick_params(length=3, color=GREY, labelcolor=GREY, labelsize=8)
    axes.tick_params(axis="y", labelrotation=90)
    for label in axes.get_yticklabels():
        label.set_va("center")
    axes.grid(color="#e3e6e8", linewidth=0.5, zorder=1.5)
    axes.set_axisbelow(False)
    for spine in axes.spines.values():
        spine.set_color("#aab2bb")


def draw_scale_bar(axes, view: tuple[float, float, float, float]) -> None:
    """Draw a scale bar that is right in the middle of a map.

    Examples
    --------
    >>> with plain_matplotlib() as figure_class:
    ...     axes = figure_class().add_subplot()
    ...     draw_scale_bar(axes, (80, 20, 84, 24))
    >>> axes.texts[0].get_text()
    '100 km'
    """
    lat = (view[1] + view[3]) / 2
    degree_km = np.pi / 180 * EARTH_RADIUS_KM * max(np.cos(np.radians(lat)), 0.05)
    width_km = (view[2] - view[0]) * degree_km
    power = 10 ** np.floor(np.log10(width_km / 4))
    length = max(step * power for step in (1, 2, 5) if step * power <= width_km / 4)
    share = length / width_km
    x, y = 0.03, 0.035
    words = f"{length:,.0f} km" if length >= 1 else f"{length * 1000:,.0f} m"
    if view[3] - view[1] > 5:
        words += f" at {_degrees(round(lat), 90, 'SN')}"
    line = {"color": INK, "transform": axes.transAxes, "zorder": 6, "solid_capstyle": "butt"}
    axes.plot([x, x + share], [y, y], lw=2.5, **line)
    backed = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.5}
    axes.text(x, y + 0.018, words, transform=axes.transAxes, fontsize=8, zorder=6, bbox=backed)


def mark_simulated(axes, points: float = 70) -> None:
    """Write SIMULATED across a map, in letters of at most a given size in points, so that a copy of the map shows it too.

    Letters are smaller on a low figure, so that the whole word fits.

    Examples
    --------
    >>> with plain_matplotlib() as figure_class:
    ...     axes = figure_class().add_subplot()
    ...     mark_simulated(axes)
    >>> len(axes.patches)
    1
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import PathPatch
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D, ScaledTranslation

    # the slanting word is about 3.7 letters high, and axes take at least half of a figure's height
    points = min(points, 0.45 * 72 * axes.figure.get_figheight() / 3.7)
    letters = TextPath((0, 0), "SIMULATED", size=points, prop=FontProperties(family="DejaVu Sans", weight="bold"))
    box = letters.get_extents()
    turned = Affine2D().translate(-box.width / 2, -box.height / 2).rotate_deg(32).scale(1 / 72)
    place = turned + axes.figure.dpi_scale_trans + ScaledTranslation(0.5, 0.5, axes.transAxes)
    # the outline stays visible where marks lie close together
    axes.add_patch(
        PathPatch(
            letters,
            facecolor=(0.7, 0.15, 0.12, 0.12),
            edgecolor=(0.7, 0.15, 0.12, 0.7),
            lw=1.2,
            zorder=7,
            transform=place,
        )
    )


def polygon_path(shape: shapely.Geometry) -> "MatplotlibPath":
    """Return a polygon or multipolygon as a path of matplotlib, with its holes.

    Examples
    --------
    >>> ring = shapely.box(0, 0, 3, 3).difference(shapely.box(1, 1, 2, 2))
    >>> len(polygon_path(ring).to_polygons())
    2
    """
    from matplotlib.path import Path as MatplotlibPath

    rings = _rings(np.array([shapely.orient_polygons(shape)], dtype=object))
    if not rings:
        return MatplotlibPath(np.empty((0, 2)))
    move, line, close = MatplotlibPath.MOVETO, MatplotlibPath.LINETO, MatplotlibPath.CLOSEPOLY
    codes = [[move, *[line] * (len(ring) - 2), close] for ring in rings]
    return MatplotlibPath(np.concatenate(rings), np.concatenate(codes))


def one_line(text: str) -> str:
    """Return text without line breaks and without characters that no font draws.

    Examples
    --------
    >>> one_line("a\\nb")
    'a b'
    """
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))


def short(text: str, most: int) -> str:
    """Return one line of text, cut to a given number of characters.

    Examples
    --------
    >>> short("a long name", 6)
    'a lon…'
    """
    text = one_line(text)
    return text if len(text) <= most else text[: most - 1] + "…"


def _rings(shapes: np.ndarray, holes: bool = True) -> list[np.ndarray]:
    polygons = [part for part in shapely.get_parts(shapes, return_index=False) if part.geom_type == "Polygon"]
    rings = [ring for part in polygons for ring in (part.exterior, *(part.interiors if holes else ()))]
    return [shapely.get_coordinates(ring) for ring in rings if not ring.is_empty]


def _degrees(x: float, limit: float, ends: str) -> str:
    x = (x + limit) % (2 * limit) - limit if limit == 180 else x
    return (
        f"{abs(x):.4f}".rstrip("0").rstrip(".")
        + "°"
        + ("" if abs(x) < 1e-9 or abs(x) > limit - 1e-9 else ends[int(x > 0)])
    )
