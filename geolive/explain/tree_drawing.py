"""The readable tree as a picture: by dtreeviz where it and graphviz's `dot` are there, else by scikit-learn."""

import importlib.util
import re
import shutil
import tempfile
import warnings
from pathlib import Path

import numpy as np

from geolive import svg_plots
from geolive.explain.dependence import SmallTree
from geolive.map_plots import plain_matplotlib, short

INSTALL = "pip install 'geolive[trees]'"
PACKAGE = "graphviz"  # Debian's
SIZE = (13.0, 5.6)
_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_ELEMENTS = {"svg", "g", "defs", "clipPath", "path", "polygon", "rect", "text", "use"}
_ATTRIBUTES = {
    "class", "clip-path", "d", "fill", "font-family", "font-size", "height", "id", "points", "preserveAspectRatio", "stroke",
    "stroke-width", "style", "text-anchor", "transform", "version", "viewBox", "width", "x", "y", _LINK,
}  # fmt: skip


def drawn_tree(small: SmallTree, target: str, simulated: bool) -> tuple[str, str]:
    """A tree as SVG, and why it is drawn plainly; no reason where dtreeviz drew it.

    Parameters
    ----------
    small : SmallTree
    target : str
        What it predicts.
    simulated : bool

    Returns
    -------
    svg : str
        Drawing elements and text only, without references to anything outside.
    reason : str

    Examples
    --------
    >>> from geolive.explain.dependence import small_tree
    >>> numbers = np.arange(40.0)[:, None]
    >>> svg, _ = drawn_tree(small_tree(numbers[:, 0], numbers, np.arange(40) % 2, ["<b>"]), "pov", simulated=True)
    >>> svg[:4], "<b>" in svg
    ('<svg', False)
    """
    if importlib.util.find_spec("dtreeviz") is None:
        return _plain(small, simulated), f"dtreeviz draws it with the places' values; install it with: {INSTALL}"
    if shutil.which("dot") is None:
        return _plain(
            small, simulated
        ), f"dtreeviz would draw it, and needs the program dot: Debian's package {PACKAGE}"
    try:
        return _by_dtreeviz(small, target, simulated), ""
    except Exception as error:  # whatever dtreeviz, graphviz or a broken installation of dot say
        return _plain(small, simulated), f"dtreeviz could not draw it here ({type(error).__name__})"


def clean_svg(text: str) -> str:
    """A drawing with known elements and attributes only; links lead nowhere but within it.

    Raises
    ------
    ValueError
        It is no SVG.

    Examples
    --------
    >>> clean_svg('<svg xmlns="http://www.w3.org/2000/svg" onload="x()"><script>x()</script><text x="1">a &lt; b</text></svg>')
    '<svg xmlns="http://www.w3.org/2000/svg"><text x="1">a &lt; b</text></svg>'
    """
    from xml.etree import ElementTree

    if "<!ENTITY" in text:
        raise ValueError("an SVG with entities")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"no SVG: {error}") from None
    _clean(root)
    ElementTree.register_namespace("", _SVG[1:-1])
    ElementTree.register_namespace("xlink", _LINK[1 : _LINK.index("}")])
    return ElementTree.tostring(root, encoding="unicode")


def _clean(element) -> None:
    for name, value in list(element.attrib.items()):
        outside = (name == _LINK and not value.startswith("#")) or re.search(r"url\((?!['\"]?#)", value)
        if name not in _ATTRIBUTES or outside:
            del element.attrib[name]
    for child in list(element):
        if child.tag.removeprefix(_SVG) in _ELEMENTS and child.tag.startswith(_SVG):
            _clean(child)
        else:
            element.remove(child)


def _by_dtreeviz(small: SmallTree, target: str, simulated: bool) -> str:
    import matplotlib

    # it draws each node into a file of its own, and asks for a folder by no other way
    before, state = tempfile.tempdir, np.random.get_state()  # noqa: NPY002
    look = {"svg.fonttype": "none", "svg.hashsalt": "geolive"}
    with tempfile.TemporaryDirectory() as folder, plain_matplotlib(), matplotlib.rc_context(look):
        tempfile.tempdir = folder
        # points are spread by numpy's global generator
        np.random.seed(0)  # noqa: NPY002
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import dtreeviz

                names = [short(name, 26) for name in small.names]
                model = dtreeviz.model(
                    small.tree, small.numbers, small.predicted, feature_names=names, target_name=target
                )
                model.view(fontname="DejaVu Sans").save(str(Path(folder) / "tree.svg"))
            text = (Path(folder) / "tree.svg").read_text(encoding="utf-8")
        finally:
            tempfile.tempdir = before
            np.random.set_state(state)  # noqa: NPY002
    return _marked(clean_svg(text)) if simulated else clean_svg(text)


def _marked(svg: str) -> str:
    """SIMULATED across a drawing, as it stands across matplotlib's."""
    left, top, width, height = (float(number) for number in re.search(r'viewBox="([^"]+)"', svg)[1].split())
    x, y = left + width / 2, top + height / 2
    letters = (
        f'<text x="{x:.1f}" y="{y:.1f}" transform="rotate(-20 {x:.1f} {y:.1f})" text-anchor="middle" '
        f'font-family="DejaVu Sans, sans-serif" font-weight="bold" font-size="{width / 16:.1f}" fill="#b3261e" '
        'fill-opacity="0.12" stroke="#b3261e" stroke-opacity="0.7">SIMULATED</text>'
    )
    return svg.removesuffix("</svg>") + letters + "</svg>"


def _plain(small: SmallTree, simulated: bool) -> str:
    def draw(axes) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from sklearn.tree import plot_tree

        FigureCanvasAgg(axes.figure)  # it measures its boxes as it draws them
        names = [short(name, 22) for name in small.names]
        plot_tree(small.tree, feature_names=names, impurity=False, rounded=True, precision=2, fontsize=7, ax=axes)

    return svg_plots.svg_plot(draw, simulated, SIZE)
