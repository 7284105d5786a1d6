"""Plots as SVG text and PDF files: equal data give equal bytes, and plots of simulated data have SIMULATED across them."""

import re
from collections.abc import Callable
from typing import Any

from geolive.map_plots import mark_simulated, plain_matplotlib
from geolive.svg_minify import minify_svg

SIZE = (4.6, 3.7)
# the colours of Okabe and Ito, which colour-blind readers can distinguish
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999", "#8c510a", "#5e4fa2")
_LETTERS = 30
# equal data give equal bytes
_UNDATED = {
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


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
    return _saved(draw, simulated, size, ("svg",))[0]


def svg_and_pdf_plot(draw: Callable, simulated: bool, size: tuple[float, float] = SIZE) -> tuple[str, bytes]:
    """Draw a plot as SVG text and as a PDF file with its fonts inside.

    Parameters
    ----------
    draw, simulated, size
        As for `svg_plot`.

    Examples
    --------
    >>> svg_and_pdf_plot(lambda axes: axes.plot([0, 1]), simulated=True)[1][:5]
    b'%PDF-'
    """
    svg, pdf = _saved(draw, simulated, size, ("svg", "pdf"))
    return svg, pdf.encode("latin-1")


def _saved(draw: Callable, simulated: bool, size: tuple[float, float], kinds: tuple[str, ...]) -> list[str]:
    """Draw a plot once and save it in several formats; bytes come as latin-1 text."""
    import io

    import matplotlib

    look: Any = {"svg.fonttype": "none", "svg.hashsalt": "geolive", "pdf.fonttype": 42}
    with plain_matplotlib() as figure_class, matplotlib.rc_context(look):
        figure = figure_class(figsize=size, dpi=140, layout="constrained")
        axes = figure.add_subplot()
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        draw(axes)
        if simulated:
            mark_simulated(axes, _LETTERS)
        saved = []
        for kind in kinds:
            file = io.BytesIO()
            figure.savefig(file, format=kind, metadata=_UNDATED[kind])
            saved.append(file.getvalue().decode("utf-8" if kind == "svg" else "latin-1"))
            # all formats have the layout of the first
            figure.set_layout_engine("none")
    return [
        minify_svg(text[text.index("<svg") :]) if kind == "svg" else text
        for kind, text in zip(kinds, saved, strict=True)
    ]


def with_unique_ids(svg: str, number: int | str) -> str:
    """Give a plot ids of its own, because ids must be unique within a page.

    Examples
    --------
    >>> with_unique_ids('<g id="a"/><use xlink:href="#a"/>', 3)
    '<g id="p3-a"/><use xlink:href="#p3-a"/>'
    """
    svg = re.sub(r'\bid="([^"]+)"', rf'id="p{number}-\1"', svg)
    return re.sub(r'(xlink:href="#|url\(#)', rf"\1p{number}-", svg)
