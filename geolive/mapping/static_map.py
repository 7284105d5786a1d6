"""A district map drawn with matplotlib, for reports and articles."""

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geolive.antimeridian import running_bounds, running_longitudes, side_by_side
from geolive.errors import InputError
from geolive.hexagons import area_noun
from geolive.indicators import (
    NOT_SUPPORTED_COLOUR,
    WIDTH_COLOURS,
    border_colour,
    class_breaks,
    class_colours,
    class_labels,
    class_of,
)
from geolive.map_plots import GREY, INK, draw_scale_bar, mark_simulated, one_line, plain_matplotlib, polygon_path
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.estimate_words import other_sites_words
from geolive.mapping.map_insets import find_insets
from geolive.mapping.map_words import map_language
from geolive.mapping.picture_sizes import PictureSize, picture_size
from geolive.mapping.region_mean import NOT_DISTINGUISHED, compare_with_mean
from geolive.mapping.shapes import largest_circle
from geolive.tables import lonlat
from geolive.wording import percent_text

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

SHOWN = ("value", "uncertainty")
_MAP_WIDTH_INCHES, _LEGEND_INCHES, _TITLE_INCHES = 6.4, 2.9, 1.6
_EDGE, _HATCH_COLOUR, _DOT_COLOUR = "#5d6673", "#8a8f98", "#ffffff"
# thinner borders, so that a country is not white
_MANY_DISTRICTS = 200
_NAME_POINTS = 6.5


def plot_districts(
    district_map: DistrictMap,
    ax: "Axes | None" = None,
    *,
    show: str = "value",
    names: bool = True,
    sites: bool = False,
    figsize: tuple[float, float] | None = None,
    size: str | None = None,
) -> "Axes":
    """Draw districts in the legend's classes, hatched where they are not supported; see `DistrictMap.plot`."""
    if show not in SHOWN:
        raise InputError(f"show={show!r}: must be {' or '.join(map(repr, SHOWN))}", parameter="show")
    fixed = None if size is None else picture_size(size)
    if fixed is not None and (ax is not None or figsize is not None):
        raise InputError(f"size={size!r}: makes a new figure of a set size; leave ax and figsize out", parameter="size")
    with plain_matplotlib():
        axes = ax or (_new_axes(district_map, figsize) if fixed is None else fixed.new_axes())
        _frame(axes, district_map)
        values, breaks, colours, title = _shown(district_map, show)
        handles = _draw_districts(axes, district_map, values, breaks, colours)
        if show == "value":
            handles += _draw_not_distinguished(axes, district_map)
        if sites:
            handles += _draw_sites(axes, district_map)
        (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()
        draw_scale_bar(axes, (west, south, east, north))
        for inset in _new_insets(axes, district_map):
            _draw_districts(inset, district_map, values, breaks, colours)
            if show == "value":
                _draw_not_distinguished(inset, district_map)
        if fixed is None:
            _draw_north_arrow(axes)
            _write_words(axes, district_map, handles, title)
        else:
            _write_words_at(axes, district_map, handles, title, fixed)
        if ax is None and fixed is None and (figure := axes.get_figure(root=True)) is not None:
            # the size of the map is known once the legend has its place
            figure.draw_without_rendering()
        if names:
            _draw_names(axes, district_map)
        if district_map.provenance.simulated:
            mark_simulated(axes, points=_mark_points(axes))
    return axes


def _new_axes(district_map: DistrictMap, figsize: tuple[float, float] | None) -> "Axes":
    """Make axes of a figure whose height suits the region's shape."""
    import matplotlib.pyplot as plt

    west, south, east, north = running_bounds(district_map.districts.geometry)
    squeeze = _squeeze(south, north)
    aspect = (north - south) / max((east - west) * squeeze, 1e-9)
    height = float(np.clip(_MAP_WIDTH_INCHES * aspect, 3.2, 9.0))
    # a tall region leaves no empty margin, but title and notes need some width
    width = float(np.clip(height / aspect, 3.8, _MAP_WIDTH_INCHES))
    size = figsize or (width + _LEGEND_INCHES, height + _TITLE_INCHES)
    _, axes = plt.subplots(figsize=size, layout="constrained", facecolor="white")
    return axes


def _frame(axes: "Axes", district_map: DistrictMap) -> None:
    west, south, east, north = running_bounds(district_map.districts.geometry)
    margin = 0.03 * max(east - west, north - south)
    axes.set_xlim(west - margin, east + margin)
    axes.set_ylim(south - margin, north + margin)
    axes.set_aspect(1 / _squeeze(south, north))
    axes.set_anchor("W")
    axes.set_axis_off()


def _squeeze(south: float, north: float) -> float:
    """Return the length of a degree of longitude there, as a share of a degree of latitude."""
    return max(float(np.cos(np.radians((south + north) / 2))), 0.05)


def _shown(district_map: DistrictMap, show: str) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], tuple[str, str]]:
    """Return the numbers that colour districts (NaN: not supported), classes, colours, and the legend's title and unit."""
    name, table, shown = district_map.indicator.name, district_map.districts, district_map.indicator
    columns = [table[column].to_numpy(float) for column in (name, f"{name}_lower", f"{name}_upper")]
    supported = table["supported"].to_numpy(bool)
    if show == "value":
        values = np.where(supported, columns[0], np.nan)
        return values, district_map.breaks, shown.colours, (shown.legend_title, shown.unit)
    widths = np.where(supported, columns[2] - columns[1], np.nan)
    title = f"Width of the {percent_text(district_map.level)} interval"
    return (
        widths,
        class_breaks(widths, decimals=district_map.decimals),
        WIDTH_COLOURS,
        (title, f"{shown.unit}; darker is less certain"),
    )


def _draw_districts(
    axes: "Axes", district_map: DistrictMap, values: np.ndarray, breaks: np.ndarray, colours: tuple[str, ...]
) -> list["Artist"]:
    """Fill and outline the districts; the legend's entries."""
    from matplotlib.collections import PathCollection
    from matplotlib.patches import Patch

    paths = [polygon_path(shape) for shape in side_by_side(district_map.districts.geometry)]
    classes, labels = class_of(values, breaks), class_labels(breaks)
    of_class = class_colours(colours, len(labels))
    border, width = border_colour(colours), 0.6 if len(paths) <= _MANY_DISTRICTS else 0.25
    handles: list[Artist] = []
    for number, (colour, label) in enumerate(zip(of_class, labels, strict=False)):
        chosen = [path for path, c in zip(paths, classes, strict=True) if c == number]
        axes.add_collection(PathCollection(chosen, facecolors=colour, edgecolors=border, linewidths=width, zorder=2))
        handles.append(Patch(facecolor=colour, edgecolor=GREY, linewidth=0.4, label=f"{label}  ({len(chosen):,})"))
    without = [path for path, c in zip(paths, classes, strict=True) if c < 0]
    if without:
        hatched: dict[str, Any] = {
            "facecolor": NOT_SUPPORTED_COLOUR,
            "edgecolor": _HATCH_COLOUR,
            "hatch": "/////",
            "linewidth": 0.0,
        }
        axes.add_collection(PathCollection(without, zorder=2, **hatched))
        axes.add_collection(
            PathCollection(without, facecolors="none", edgecolors="white", linewidths=width, zorder=2.1)
        )
        handles.append(Patch(label=f"Not supported  ({len(without):,})", **hatched))
    outline = polygon_path(side_by_side([district_map.area])[0])
    axes.add_collection(PathCollection([outline], facecolors="none", edgecolors=_EDGE, linewidths=1.0, zorder=2.2))
    return handles


def _draw_not_distinguished(axes: "Axes", district_map: DistrictMap) -> list["Artist"]:
    """Stipple the districts whose interval holds the region's mean, so that colours do not say more than intervals do."""
    from matplotlib.collections import PathCollection
    from matplotlib.patches import Patch

    rows = np.flatnonzero(compare_with_mean(district_map) == NOT_DISTINGUISHED)
    if not len(rows):
        return []
    dots: dict[str, Any] = {"facecolor": "none", "edgecolor": _DOT_COLOUR, "hatch": "....", "linewidth": 0.0}
    paths = [polygon_path(shape) for shape in side_by_side(district_map.districts.geometry.iloc[rows])]
    axes.add_collection(PathCollection(paths, zorder=2.05, **dots))
    level = percent_text(district_map.level)
    words = textwrap.fill(f"{level} interval holds the region's mean  ({len(rows):,})", 34)
    return [Patch(label=words, **dots | {"facecolor": _HATCH_COLOUR})]


def _new_insets(axes: "Axes", district_map: DistrictMap) -> "list[Axes]":
    """Make axes, where the map is empty, for islands and cities that are too small to see, and frame these on the map."""
    from matplotlib.patches import Rectangle

    insets = []
    (west, east), (south, north) = axes.get_xlim(), axes.get_ylim()
    for inset in find_insets(district_map.districts, (west, south, east, north), _squeeze(south, north)):
        part = axes.inset_axes(inset.place, zorder=3)
        left, bottom, right, top = inset.bounds
        part.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[], aspect="auto", facecolor="white")
        for spine in part.spines.values():
            spine.set(color=GREY, linewidth=0.6)
        part.set_title(one_line(inset.title), fontsize=_NAME_POINTS, color=INK, pad=2)
        frame = Rectangle(
            (left, bottom), right - left, top - bottom, fill=False, edgecolor=GREY, linewidth=0.6, zorder=3
        )
        axes.add_patch(frame)
        insets.append(part)
    return insets


def _draw_sites(axes: "Axes", district_map: DistrictMap) -> list["Artist"]:
    from matplotlib.lines import Line2D

    where = lonlat(district_map.sites.geometry)
    where[:, 0] = running_longitudes(where[:, 0], district_map.districts.geometry)
    surveyed = district_map.sites["surveyed"].to_numpy(bool)
    kinds = [(other_sites_words(district_map), ~surveyed, "white", 2.6), ("Survey place", surveyed, INK, 2.4)]
    handles: list[Artist] = []
    for label, rows, colour, size in kinds:
        if not rows.any():
            continue
        mark: dict[str, Any] = {
            "marker": "o",
            "linestyle": "none",
            "color": colour,
            "markeredgecolor": INK,
            "markeredgewidth": 0.5,
        }
        axes.plot(*where[rows].T, markersize=size, zorder=3, **mark)
        handles.append(Line2D([], [], markersize=4, label=f"{label}  ({rows.sum():,})", **mark))
    return handles


def _draw_names(axes: "Axes", district_map: DistrictMap) -> None:
    """Name districts from the roomiest to the narrowest, each where its name fits and meets no other."""
    from matplotlib.patheffects import withStroke

    axes.apply_aspect()
    circles = [largest_circle(shape) for shape in side_by_side(district_map.districts.geometry)]
    points_per_pixel = 72 / axes.figure.dpi
    taken: list[shapely.Geometry] = []
    for row in sorted(range(len(circles)), key=lambda row: -circles[row][1]):
        (lon, lat), radius = circles[row]
        name = one_line(str(district_map.districts["district"].iloc[row]))
        (x, y), (_, top) = axes.transData.transform([(lon, lat), (lon, lat + radius)]) * points_per_pixel
        half_width, half_height = len(name) * _NAME_POINTS * 0.29 + 1, _NAME_POINTS * 0.6
        box = shapely.box(x - half_width, y - half_height, x + half_width, y + half_height)
        if 2 * half_width > 4 * (top - y) or any(box.intersects(other) for other in taken):
            continue
        taken.append(box)
        halo = [withStroke(linewidth=1.6, foreground="white")]
        axes.text(
            lon, lat, name, ha="center", va="center", fontsize=_NAME_POINTS, color=INK, path_effects=halo, zorder=5,
            clip_on=True,
        )  # fmt: skip


def _draw_north_arrow(axes: "Axes") -> None:
    """Draw an arrow to the north below the legend, where it covers no district."""
    arrow: dict[str, Any] = {"arrowstyle": "-|>", "color": INK, "lw": 1.4, "shrinkA": 0, "shrinkB": 0}
    axes.annotate(
        "", xy=(1.04, 0.11), xytext=(1.04, 0.02), xycoords="axes fraction", textcoords="axes fraction",
        arrowprops=arrow, annotation_clip=False,
    )  # fmt: skip
    axes.text(1.04, 0.115, "N", transform=axes.transAxes, fontsize=9, fontweight="bold", ha="center", va="bottom")


def _write_words(axes: "Axes", district_map: DistrictMap, handles: list, title: tuple[str, str]) -> None:
    """Write title and unit above the map, the legend beside it, and how it was made below it."""
    made = district_map.provenance
    axes.set_title(one_line(district_map.title), loc="left", fontsize=13, fontweight="bold", pad=20, wrap=True)
    mark = "SIMULATED survey or imagery. " if made.simulated else ""
    axes.text(
        0,
        1.012,
        f"{mark}{district_map.indicator.meaning}",
        transform=axes.transAxes,
        fontsize=8.5,
        color=GREY,
        va="bottom",
    )
    head = (
        f"{textwrap.fill(one_line(title[0]), 32)}\n{textwrap.fill(one_line(title[1]), 38)}\n({_counted(district_map)})"
    )
    legend = axes.legend(
        handles=handles, title=head, loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, alignment="left",
        fontsize=8.5, title_fontsize=8.5, handlelength=1.6, handleheight=1.0, labelspacing=0.5, borderaxespad=0,
    )  # fmt: skip
    legend.get_title().set_linespacing(1.3)
    words = _notes(district_map, 100)
    axes.text(0, -0.015, words, transform=axes.transAxes, fontsize=6.5, color=GREY, va="top", linespacing=1.35)


def _counted(district_map: DistrictMap) -> str:
    return f"number of {area_noun(district_map.districts)}s"


def _notes(district_map: DistrictMap, width: int) -> str:
    """Return how the map was made, in lines of so many characters."""
    made, level, language = district_map.provenance, percent_text(district_map.level), map_language(district_map)
    lines = [
        language.of(district_map.estimator_about),
        f"Model: {made.model}; out of fold at surveyed clusters{_score(made.metrics)}.",
        f"Not supported: {language.of(district_map.support)}." if not district_map.districts["supported"].all() else "",
        f"Intervals of {level} and ranks are in the table and on the page. Boundaries: {made.boundaries}.",
        f"geolive {made.version}, {made.made.isoformat()}.",
    ]
    return "\n".join(textwrap.fill(one_line(line), width) for line in lines if line)


def _write_words_at(
    axes: "Axes", district_map: DistrictMap, handles: list, title: tuple[str, str], size: PictureSize
) -> None:
    """Write title, unit, legend and notes, and draw the north arrow, at their places on a picture of a set size."""
    figure = axes.get_figure(root=True)
    assert figure is not None, "the axes are on a figure"
    letters = size.letters
    mark = "SIMULATED survey or imagery. " if district_map.provenance.simulated else ""
    head = textwrap.fill(one_line(district_map.title), size.title_width)
    below = textwrap.fill(f"{mark}{district_map.indicator.meaning}", int(1.5 * size.title_width))
    figure.text(*size.title, head, fontsize=13 * letters, fontweight="bold", va="top")
    high = (head.count("\n") + 1) * 13 * letters * 1.45 / 72 / size.inches[1]
    figure.text(size.title[0], size.title[1] - high, below, fontsize=8.5 * letters, color=GREY, va="top")
    words = (
        f"{textwrap.fill(one_line(title[0]), 42)}\n{textwrap.fill(one_line(title[1]), 46)} ({_counted(district_map)})"
    )
    legend = figure.legend(
        handles=handles, title=words, loc="upper left", bbox_to_anchor=size.legend, frameon=False, alignment="left",
        fontsize=8.5 * letters, title_fontsize=8.5 * letters, handlelength=1.6, handleheight=1.0, labelspacing=0.5,
        borderaxespad=0, borderpad=0, ncols=size.legend_columns,
    )  # fmt: skip
    legend.get_title().set_linespacing(1.3)
    notes = _notes(district_map, size.notes_width)
    figure.text(*size.notes, notes, fontsize=max(6 * letters, 4.5), color=GREY, va="bottom", linespacing=1.3)
    arrow: dict[str, Any] = {"arrowstyle": "-|>", "color": INK, "lw": 1.4, "shrinkA": 0, "shrinkB": 0}
    x, y = size.arrow
    axes.annotate(
        "", xy=(x, y + 0.06), xytext=(x, y), xycoords="figure fraction", arrowprops=arrow, annotation_clip=False
    )
    figure.text(x, y + 0.062, "N", fontsize=9 * letters, fontweight="bold", ha="center", va="bottom")


def _score(metrics: dict[str, float]) -> str:
    for name, words in (("r2", "R²"), ("accuracy", "accuracy")):
        if np.isfinite(metrics.get(name, np.nan)):
            return f" {words} {metrics[name]:.2f}"
    return " not measured"


def _mark_points(axes: "Axes") -> float:
    """Return a size of letters at which the mark spans most of the map."""
    axes.apply_aspect()
    box = axes.get_window_extent()
    return float(np.clip(box.width / axes.figure.dpi * 11.5, 12, 90))
