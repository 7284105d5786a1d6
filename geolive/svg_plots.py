"""Plots as SVG text for pages: equal data give equal bytes, and plots of simulated data have SIMULATED across them."""

import re
from collections.abc import Callable

from geolive.map_plots import mark_simulated, plain_matplotlib
from geolive.svg_minify import minify_svg

SIZE = (4.6, 3.7)
# the colours of Okabe and Ito, which colour-blind readers can distinguish
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999", "#8c510a", "#5e4fa2")
_LETTERS = 30


def svg_plot(draw: Callable, simulated: bool, size: tuple[float, float] = SIZE) -> str:
    """Draw a plot as SVG text.

    Parameters
    ----------
    draw : callable
        Called with matplotlib's axes.
    simulated : bool
        Whether to write SIMULATED across it.
    size : tuple of float
        Width and height in inches.

    Examples
    --------
    >>> svg_plot(lambda axes: axes.plot([0, 1]), simulated=True)[:4]
    '<svg'
    """
    import io

    import matplotlib

    with plain_matplotlib() as figure_class, matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "geolive"}):
        figure = figure_class(figsize=size, dpi=140, layout="constrained")
        axes = figure.add_subplot()
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        draw(axes)
        if simulated:
            mark_simulated(axes, _LETTERS)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = file.getvalue()
    return minify_svg(text[text.index("<svg") :])


def with_unique_ids(svg: str, number: int) -> str:
    """Give a plot ids of its own, because ids must be unique within a page.

    Examples
    --------
    >>> with_unique_ids('<g id="a"/><use xlink:href="#a"/>', 3)
    '<g id="p3-a"/><use xlink:href="#p3-a"/>'
    """
    svg = re.sub(r'\bid="([^"]+)"', rf'id="p{number}-\1"', svg)
    return re.sub(r'(xlink:href="#|url\(#)', rf"\1p{number}-", svg)
