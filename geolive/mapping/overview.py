"""A picture of a dataset: its survey points coloured by an indicator, its images as dots, and borders where they are known."""

import contextlib
import textwrap
import warnings
from pathlib import Path

import numpy as np
import shapely

import geolive
from geolive.clusters import EARTH_RADIUS_KM
from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.files import replacing
from geolive.indicators import MEANS_OF_AREAS, NOT_SUPPORTED_COLOUR, class_breaks, class_colours, class_of
from geolive.indicators import indicator as find_indicator
from geolive.mapping.styles import class_labels
from geolive.regions import INDIA_SOURCE, read_districts
from geolive.tables import lonlat

SIZE_INCHES, DOTS_PER_INCH = (10.0, 7.0), 120
_MAP = (0.055, 0.075, 0.66, 0.81)
_MOST_DISTRICTS = 250
_INK, _GREY, _IMAGES, _PLAIN = "#24292f", "#6b7480", "#5f7d95", "#d1495b"
_LEAST_DEGREES = 0.01


def draw_overview(
    dataset: Dataset, path: str | Path, indicator: str | None = None, boundaries: str | Path | None = None
) -> Path:
    """Draw where a dataset's survey points and images are, as a PNG.

    Parameters
    ----------
    dataset : Dataset
        With clusters, images or both.
    path : str or Path
        The `.png` to write; it must not exist.
    indicator : str, optional
        Colours the survey points; the dataset's first one without it.
    boundaries : str or Path, optional
        A file of districts whose borders to draw in place of India's.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        The dataset is empty or has no such indicator, `path` exists or is no .png, or matplotlib is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from geolive.sources.sample import make_sample
    >>> draw_overview(make_sample("goa", seed=0).dataset, Path(tempfile.mkdtemp()) / "goa.png").name
    'goa.png'
    """
    path = check_picture(path)
    if indicator is not None:
        dataset.labelled(indicator)
    elif dataset.indicators:
        indicator = dataset.indicators[0]
    if not len(dataset.clusters) and not len(dataset.images):
        raise InputError(f"{dataset.name}: has neither clusters nor images; there is nothing to draw")
    with _plain_matplotlib() as figure_class:
        figure = figure_class(figsize=SIZE_INCHES, dpi=DOTS_PER_INCH, facecolor="white")
        axes = figure.add_axes(_MAP, facecolor="#f4f5f3")
        shift = _shift(dataset)
        places = [_wrapped(lonlat(table.geometry), shift) for table in (dataset.clusters, dataset.images)]
        view = _view(np.concatenate(places), SIZE_INCHES[0] * _MAP[2] / (SIZE_INCHES[1] * _MAP[3]))
        lines = _draw_borders(axes, view, boundaries)
        entries = _draw_images(axes, view, places[1]) + _draw_clusters(axes, dataset, places[0], indicator)
        _frame(axes, view)
        _scale_bar(axes, view)
        _write_beside(figure, dataset, indicator, [*entries, *lines], _source_of(lines, boundaries))
        if dataset.simulated:
            _mark_simulated(axes)
        about = {
            "Title": _one_line(f"Overview of {dataset.source}"),
            "Description": "SIMULATED survey or imagery" if dataset.simulated else "Survey points and images",
            "Software": f"geolive {geolive.__version__}",
        }
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png", metadata=about)
    return path


def check_picture(path: str | Path) -> Path:
    """Raise where no picture can be drawn to a path, before long work is done in vain.

    Raises
    ------
    InputError
        It is no .png, it exists, or matplotlib is not installed.

    Examples
    --------
    >>> check_picture("map.jpg")
    Traceback (most recent call last):
    geolive.errors.InputError: map.jpg: pictures are written as .png; give a name that ends so
    """
    import importlib.util

    path = Path(path)
    if path.suffix.lower() != ".png":
        raise InputError(f"{path}: pictures are written as .png; give a name that ends so")
    if path.exists():
        raise InputError(f"{path}: exists already and nothing is overwritten; choose another --map, or remove it first")
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError("pictures need matplotlib; install it with: pip install matplotlib")
    return path


@contextlib.contextmanager
def _plain_matplotlib():
    """matplotlib's figures, drawing names from data as plain text: "$" begins no formula, an unknown sign is no warning."""
    import matplotlib
    from matplotlib.figure import Figure

    look = {"text.parse_math": False, "font.family": "DejaVu Sans", "font.size": 9, "text.color": _INK}
    with matplotlib.rc_context(look), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield Figure


def _shift(dataset: Dataset) -> bool:
    """Whether the data lie across the antimeridian."""
    lon = np.concatenate([lonlat(table.geometry)[:, 0] for table in (dataset.clusters, dataset.images)])
    return bool(np.ptp(lon) > 180 and np.ptp(lon % 360) < np.ptp(lon))


def _wrapped(where: np.ndarray, shift: bool) -> np.ndarray:
    return np.column_stack([where[:, 0] % 360, where[:, 1]]) if shift else where


def _view(where: np.ndarray, shape: float) -> tuple[float, float, float, float]:
    """West, south, east, north of a map of that width per height, in degrees, with room around the data."""
    (west, south), (east, north) = where.min(axis=0), where.max(axis=0)
    lon, lat = (west + east) / 2, (south + north) / 2
    squeeze = max(np.cos(np.radians(lat)), 0.05)
    height = max(north - south, (east - west) * squeeze / shape, _LEAST_DEGREES) * 1.12
    width = height * shape / squeeze
    return lon - width / 2, lat - height / 2, lon + width / 2, lat + height / 2


def _draw_borders(axes, view, boundaries) -> list:
    from matplotlib.collections import LineCollection
    from matplotlib.lines import Line2D

    # as the source has them: to clean the borders of a whole country takes longer than all the rest of the picture
    districts = read_districts(boundaries)
    districts = districts[shapely.intersects(districts.geometry.values, shapely.box(*view))]
    if districts.empty:
        return []
    finest = (view[2] - view[0]) / 1500
    shapes = shapely.simplify(districts.geometry.values, finest)
    axes.add_collection(_filled(shapes, "white"))
    drawn = []
    if len(districts) <= _MOST_DISTRICTS:
        axes.add_collection(LineCollection(_rings(shapes), colors="#c5cbd1", linewidths=0.6, zorder=2))
        drawn.append((Line2D([], [], color="#c5cbd1", lw=0.9), "District"))
    states = districts["state"].to_numpy()
    if (states != "").any():
        # slivers between uncleaned neighbours are closed by as much as the eye does not see
        wide = [shapely.union_all(shapely.buffer(shapes[states == name], finest)) for name in np.unique(states)]
        merged = shapely.simplify(shapely.buffer(wide, -finest), finest / 2)
        outer = [ring for ring in _rings(merged, holes=False) if np.ptp(ring, axis=0).max() > 8 * finest]
        axes.add_collection(LineCollection(outer, colors="#838c96", linewidths=1.0, zorder=2))
        drawn.append((Line2D([], [], color="#838c96", lw=1.2), "State"))
    return drawn


def _filled(shapes: np.ndarray, colour: str):
    from matplotlib.collections import PolyCollection

    return PolyCollection(_rings(shapes, holes=False), facecolors=colour, edgecolors="none", zorder=1)


def _rings(shapes: np.ndarray, holes: bool = True) -> list[np.ndarray]:
    polygons = [part for part in shapely.get_parts(shapes, return_index=False) if part.geom_type == "Polygon"]
    rings = [ring for part in polygons for ring in (part.exterior, *(part.interiors if holes else ()))]
    return [shapely.get_coordinates(ring) for ring in rings if not ring.is_empty]


def _draw_images(axes, view, where: np.ndarray) -> list:
    from matplotlib.lines import Line2D

    if not len(where):
        return []
    # dots nearer than a third of a pixel are one to the eye
    cell = (view[2] - view[0]) / (3 * SIZE_INCHES[0] * DOTS_PER_INCH)
    seen = np.unique(np.round((where - view[:2]) / cell).astype(np.int64), axis=0) * cell + view[:2]
    size = 6.0 if len(seen) < 500 else 3.0 if len(seen) < 2_000 else 1.6
    axes.plot(*seen.T, ".", color=_IMAGES, markersize=size, markeredgewidth=0, zorder=3)
    mark = Line2D([], [], marker=".", ls="", color=_IMAGES, markersize=6, markeredgewidth=0)
    return [(mark, f"{_count(len(where), 'image')}")]


def _draw_clusters(axes, dataset: Dataset, where: np.ndarray, indicator: str | None) -> list:
    from matplotlib.lines import Line2D

    if not len(where):
        return []
    size = float(np.clip(900 / np.sqrt(len(where)), 10, 60))
    edge = {"linewidths": 0.6 if len(where) < 1_000 else 0.3, "edgecolors": _INK, "zorder": 4}

    def mark(colour):
        return Line2D([], [], marker="o", ls="", color=colour, markersize=7, markeredgecolor=_INK, markeredgewidth=0.6)

    if indicator is None:
        axes.scatter(*where.T, s=size, c=_PLAIN, **edge)
        return [(mark(_PLAIN), _count(len(where), "survey cluster"))]
    values = dataset.clusters[indicator].to_numpy(float)
    breaks = class_breaks(values)
    labels = class_labels(breaks)
    colours = class_colours(find_indicator(indicator).colours, len(labels))[: len(labels)]
    number = class_of(values, breaks)
    missing = number < 0
    axes.scatter(*where[missing].T, s=size * 0.6, c=NOT_SUPPORTED_COLOUR, **edge)
    # the same order everywhere, so that no class lies always on top of another
    order = np.random.default_rng(0).permutation(np.flatnonzero(~missing))
    axes.scatter(*where[order].T, s=size, c=[colours[i] for i in number[order]], **edge)
    entries = [
        (mark(colour), f"{label}  ({(number == i).sum():,})")
        for i, (colour, label) in enumerate(zip(colours, labels, strict=True))
    ]
    return [*entries, *([(mark(NOT_SUPPORTED_COLOUR), f"No value  ({missing.sum():,})")] if missing.any() else [])]


def _frame(axes, view) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_xlim(view[0], view[2])
    axes.set_ylim(view[1], view[3])
    for axis, limit, ends in ((axes.xaxis, 180, "WE"), (axes.yaxis, 90, "SN")):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(FuncFormatter(lambda x, _, limit=limit, ends=ends: _degrees(x, limit, ends)))
    axes.tick_params(length=3, color=_GREY, labelcolor=_GREY, labelsize=8)
    axes.tick_params(axis="y", labelrotation=90)
    for label in axes.get_yticklabels():
        label.set_va("center")
    axes.grid(color="#e3e6e8", linewidth=0.5, zorder=1.5)
    axes.set_axisbelow(False)
    for spine in axes.spines.values():
        spine.set_color("#aab2bb")


def _degrees(x: float, limit: float, ends: str) -> str:
    x = (x + limit) % (2 * limit) - limit if limit == 180 else x
    return f"{abs(x):.4f}".rstrip("0").rstrip(".") + "°" + ("" if abs(x) < 1e-9 else ends[int(x > 0)])


def _scale_bar(axes, view) -> None:
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
    line = {"color": _INK, "transform": axes.transAxes, "zorder": 6, "solid_capstyle": "butt"}
    axes.plot([x, x + share], [y, y], lw=2.5, **line)
    backed = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.5}
    axes.text(x, y + 0.018, words, transform=axes.transAxes, fontsize=8, zorder=6, bbox=backed)


def _write_beside(figure, dataset: Dataset, indicator: str | None, entries: list, borders: str) -> None:
    title = dataset.path.resolve().name if dataset.path else dataset.source
    kinds = {"survey cluster": len(dataset.clusters), "image": len(dataset.images)}
    counts = [_count(n, kind) for kind, n in kinds.items() if n]
    figure.text(0.055, 0.945, _short(title, 80), fontsize=15, fontweight="bold")
    said = " and ".join(counts) + (" · SIMULATED survey or imagery" if dataset.simulated else "")
    figure.text(0.055, 0.91, said, fontsize=10, color="#b3261e" if dataset.simulated else _GREY)
    left, top = _MAP[0] + _MAP[2] + 0.025, _MAP[1] + _MAP[3]
    if indicator is not None and len(dataset.clusters):
        shown = find_indicator(indicator)
        head = textwrap.fill(_short(shown.legend_title, 120), 30)
        figure.text(left, top, head, fontsize=10, fontweight="bold", va="top", linespacing=1.25)
        top -= 0.006 + 0.027 * (head.count("\n") + 1)
        unit = textwrap.fill(_short(shown.unit, 120), 36)
        figure.text(left, top, f"{unit}\n(number of clusters)", fontsize=8.5, color=_GREY, va="top", linespacing=1.3)
        top -= 0.025 * (unit.count("\n") + 2)
    # survey classes first, as the reader looks from the largest marks to the finest lines
    ordered = sorted(entries, key=lambda entry: entry[0].get_marker() != "o")
    handles, labels = zip(*ordered, strict=True)
    figure.legend(
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(left - 0.008, top),
        frameon=False,
        fontsize=9,
        handlelength=1.4,
        borderaxespad=0,
        borderpad=0.2,
        labelspacing=0.55,
    )
    notes = [f"Source: {_short(dataset.source, 140)}", borders, MEANS_OF_AREAS if indicator else ""]
    words = "\n\n".join(textwrap.fill(_one_line(line), 42) for line in notes if line)
    figure.text(left, _MAP[1], words, fontsize=7, color=_GREY, va="bottom", linespacing=1.35)


def _source_of(lines: list, boundaries: str | Path | None) -> str:
    if not lines:
        return "Borders of this area are not known; name a file of districts with --boundaries."
    return (
        f"Borders: districts as in {Path(boundaries).name}"
        if boundaries
        else f"Borders: {INDIA_SOURCE.removesuffix(', cleaned by geolive')}"
    )


def _mark_simulated(axes) -> None:
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import PathPatch
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D, ScaledTranslation

    letters = TextPath((0, 0), "SIMULATED", size=70, prop=FontProperties(family="DejaVu Sans", weight="bold"))
    box = letters.get_extents()
    turned = Affine2D().translate(-box.width / 2, -box.height / 2).rotate_deg(32).scale(1 / 72)
    place = turned + axes.figure.dpi_scale_trans + ScaledTranslation(0.5, 0.5, axes.transAxes)
    # the outline shows even where marks lie close together
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


def _count(n: int, word: str) -> str:
    return f"{n:,} {word}{'' if n == 1 else 's'}"


def _one_line(text: str) -> str:
    """Text without line breaks and signs that no font draws."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))


def _short(text: str, most: int) -> str:
    text = _one_line(text)
    return text if len(text) <= most else text[: most - 1] + "…"
