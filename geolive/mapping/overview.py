"""Draw a dataset: survey points coloured by an indicator, images as dots, and borders where they are known."""

import textwrap
from pathlib import Path

import numpy as np

import geolive
from geolive.antimeridian import running_longitudes
from geolive.boundary_files import Boundaries
from geolive.dataset import Dataset
from geolive.errors import InputError
from geolive.extras import require_extra
from geolive.files import replacing
from geolive.indicators import MEANS_OF_AREAS, NOT_SUPPORTED_COLOUR, class_breaks, class_colours, class_labels, class_of
from geolive.indicators import indicator as find_indicator
from geolive.map_plots import (
    GREY,
    INK,
    draw_borders,
    draw_scale_bar,
    frame_map,
    mark_simulated,
    one_line,
    plain_matplotlib,
    region_view,
    short,
)
from geolive.regions import INDIA_SOURCE

SIZE_INCHES, DOTS_PER_INCH = (10.0, 7.0), 120
_MAP = (0.055, 0.075, 0.66, 0.81)
_IMAGES, _PLAIN = "#5f7d95", "#d1495b"


def draw_overview(
    dataset: Dataset,
    path: str | Path,
    indicator: str | None = None,
    boundaries: Boundaries | None = None,
    *,
    name_column: str | None = None,
    id_column: str | None = None,
) -> Path:
    """Draw the positions of a dataset's survey points and images as a PNG.

    Parameters
    ----------
    dataset : Dataset
        With clusters, images or both.
    path : str or Path
        The `.png` to write; it must not exist.
    indicator : str, optional
        The indicator that colours the survey points; by default the dataset's first.
    boundaries : str, Path or BoundaryFile, optional
        A file of districts whose borders are drawn in place of India's.
    name_column, id_column : str, optional
        Columns of `boundaries` with the districts' names and unique ids; see `geolive.find_region`.

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
    >>> from geolive.simulation.sample import make_sample
    >>> draw_overview(make_sample("goa"), Path(tempfile.mkdtemp()) / "goa.png").name
    'goa.png'
    """
    path = check_picture(path)
    if indicator is not None:
        dataset.labelled(indicator)
    elif dataset.indicators:
        indicator = dataset.indicators[0]
    if not len(dataset.clusters) and not len(dataset.images):
        raise InputError(f"{dataset.name}: has neither clusters nor images; there is nothing to draw")
    with plain_matplotlib() as figure_class:
        figure = figure_class(figsize=SIZE_INCHES, dpi=DOTS_PER_INCH, facecolor="white")
        axes = figure.add_axes(_MAP, facecolor="#f4f5f3")
        places = _places_side_by_side(dataset)
        shape = SIZE_INCHES[0] * _MAP[2] / (SIZE_INCHES[1] * _MAP[3])
        columns = {"name_column": name_column, "id_column": id_column}
        view = region_view(np.concatenate(places), shape, boundaries, **columns)
        lines = draw_borders(axes, view, boundaries, **columns)
        entries = _draw_images(axes, view, places[1]) + _draw_clusters(axes, dataset, places[0], indicator)
        frame_map(axes, view)
        draw_scale_bar(axes, view)
        _write_beside(figure, dataset, indicator, [*entries, *lines], _source_of(lines, boundaries))
        if dataset.simulated:
            mark_simulated(axes)
        about = {
            "Title": one_line(f"Overview of {dataset.source}"),
            "Description": "SIMULATED survey or imagery" if dataset.simulated else "Survey points and images",
            "Software": f"geolive {geolive.__version__}",
        }
        with replacing(path) as temporary:
            figure.savefig(temporary, format="png", metadata=about)
    return path


def check_picture(path: str | Path) -> Path:
    """Check that a picture can be drawn to a path, before long work begins.

    Raises
    ------
    InputError
        The name does not end in .png, the file exists, or matplotlib is not installed.

    Examples
    --------
    >>> check_picture("map.jpg")
    Traceback (most recent call last):
    geolive.errors.InputError: map.jpg: pictures are written as .png; give a name that ends so
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise InputError(f"{path}: pictures are written as .png; give a name that ends so")
    if path.exists():
        raise InputError(
            f"{path}: exists already, and geolive overwrites nothing; choose another name, or remove it first"
        )
    require_extra("plots")
    return path


def _places_side_by_side(dataset: Dataset) -> list[np.ndarray]:
    """Return the positions of clusters and of images; where they lie across 180°, longitudes run on beyond it."""
    tables = [dataset.clusters.geometry, dataset.images.geometry]
    every = np.concatenate([geometry.to_numpy() for geometry in tables])
    return [
        np.column_stack([running_longitudes(geometry.x.to_numpy(float), every), geometry.y.to_numpy(float)])
        for geometry in tables
    ]


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
    edge = {"linewidths": 0.6 if len(where) < 1_000 else 0.3, "edgecolors": INK, "zorder": 4}

    def mark(colour):
        return Line2D([], [], marker="o", ls="", color=colour, markersize=7, markeredgecolor=INK, markeredgewidth=0.6)

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


def _write_beside(figure, dataset: Dataset, indicator: str | None, entries: list, borders: str) -> None:
    title = dataset.path.resolve().name if dataset.path else dataset.source
    kinds = {"survey cluster": len(dataset.clusters), "image": len(dataset.images)}
    counts = [_count(n, kind) for kind, n in kinds.items() if n]
    figure.text(0.055, 0.945, short(title, 80), fontsize=15, fontweight="bold")
    caption = " and ".join(counts) + (" · SIMULATED survey or imagery" if dataset.simulated else "")
    figure.text(0.055, 0.91, caption, fontsize=10, color="#b3261e" if dataset.simulated else GREY)
    left, top = _MAP[0] + _MAP[2] + 0.025, _MAP[1] + _MAP[3]
    if indicator is not None and len(dataset.clusters):
        shown = find_indicator(indicator)
        head = textwrap.fill(short(shown.legend_title, 120), 30)
        figure.text(left, top, head, fontsize=10, fontweight="bold", va="top", linespacing=1.25)
        top -= 0.006 + 0.027 * (head.count("\n") + 1)
        unit = textwrap.fill(short(shown.unit, 120), 36)
        figure.text(left, top, f"{unit}\n(number of clusters)", fontsize=8.5, color=GREY, va="top", linespacing=1.3)
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
    notes = [f"Source: {short(dataset.source, 140)}", borders, MEANS_OF_AREAS if indicator else ""]
    words = "\n\n".join(textwrap.fill(one_line(line), 42) for line in notes if line)
    figure.text(left, _MAP[1], words, fontsize=7, color=GREY, va="bottom", linespacing=1.35)


def _source_of(lines: list, boundaries: Boundaries | None) -> str:
    if not lines:
        return "The borders of this area are not known; they can be drawn from a file of districts."
    return (
        f"Borders: districts as in {Path(str(boundaries)).name}"
        if boundaries
        else f"Borders: {INDIA_SOURCE.removesuffix(', cleaned by geolive')}"
    )


def _count(n: int, word: str) -> str:
    return f"{n:,} {word}{'' if n == 1 else 's'}"
