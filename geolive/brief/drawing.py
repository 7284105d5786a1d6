"""Pictures of a brief, drawn where they belong: as SVG for a page, or on a part of a PDF's page."""

import io
from typing import TYPE_CHECKING, Any

from geolive.brief.document import Picture
from geolive.map_plots import mark_simulated, plain_matplotlib
from geolive.svg_minify import minify_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Box = tuple[float, float, float, float]
_LETTERS = 34


def axes_box(picture: Picture) -> Box:
    """Return where the axes of a picture must be, so that its words fit: left, bottom, width, height, as shares of its size.

    Examples
    --------
    >>> left, bottom, width, height = axes_box(Picture(lambda axes: axes.set_xlabel("x"), (4, 3), ""))
    >>> bool(0 < left < 0.2 and 0.5 < width < 1)
    True
    """
    with plain_matplotlib() as figure_class:
        figure = figure_class(figsize=picture.size, layout="constrained")
        axes = figure.add_subplot()
        picture.draw(axes)
        figure.draw_without_rendering()
        box = axes.get_position()
    return box.x0, box.y0, box.width, box.height


def draw_on(figure: "Figure", picture: Picture, left: float, bottom: float) -> Any:
    """Draw a picture on a figure, at a place in inches from the lower left corner; return its axes."""
    x, y, width, height = axes_box(picture)
    page_width, page_height = figure.get_size_inches()
    wide, high = picture.size
    place = ((left + x * wide) / page_width, (bottom + y * high) / page_height)
    axes = figure.add_axes((*place, width * wide / page_width, height * high / page_height))
    picture.draw(axes)
    if picture.simulated:
        mark_simulated(axes, _LETTERS)
    return axes


def svg_of(picture: Picture) -> str:
    """Draw a picture as an `svg` element for a page; equal pictures give equal text.

    Examples
    --------
    >>> svg_of(Picture(lambda axes: axes.plot([0, 1]), (3, 2), "A line."))[:4]
    '<svg'
    """
    import matplotlib

    settings: Any = {"svg.fonttype": "path", "svg.hashsalt": "geolive"}
    with plain_matplotlib() as figure_class, matplotlib.rc_context(settings):
        figure = figure_class(figsize=picture.size)
        draw_on(figure, picture, 0, 0)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = file.getvalue()
    return minify_svg(text[text.index("<svg") :])
