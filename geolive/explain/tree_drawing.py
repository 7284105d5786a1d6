"""The small tree as a picture, by scikit-learn's `plot_tree`."""

from geolive import svg_plots
from geolive.explain.dependence import SmallTree
from geolive.map_plots import short

SIZE = (13.0, 4.6)
_MINUS = "\N{MINUS SIGN}"


def draw_tree(small: SmallTree, simulated: bool) -> str:
    """Draw a small tree as SVG; boxes are darker where the mean prediction is higher.

    Parameters
    ----------
    small : SmallTree
    simulated : bool
        Whether to write SIMULATED across the picture.

    Returns
    -------
    str
        SVG. Names of inputs appear as text only, whatever characters they have.

    Examples
    --------
    >>> import numpy as np
    >>> from geolive.explain.dependence import small_tree
    >>> numbers = np.arange(40.0)[:, None]
    >>> svg = draw_tree(small_tree(numbers[:, 0], numbers, np.arange(40) % 2, ["<b>"]), simulated=True)
    >>> svg[:4], "<b>" in svg
    ('<svg', False)
    """

    def draw(axes) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from sklearn.tree import plot_tree

        FigureCanvasAgg(axes.figure)  # plot_tree measures its boxes while it draws them
        names = [short(name, 24) for name in small.names]
        boxes = plot_tree(
            small.tree, feature_names=names, impurity=False, filled=True, rounded=True, precision=2, fontsize=9, ax=axes
        )  # fmt: skip
        for box in boxes:
            box.set_text(_in_words(box.get_text()))

    return svg_plots.svg_plot(draw, simulated, SIZE)


def _in_words(text: str) -> str:
    """Rewrite the text that scikit-learn puts into a box, or beside an arrow, in the words of the page."""
    if text.strip() in ("True", "False"):
        return {"True": "yes   ", "False": "   no"}[text.strip()]
    *question, places, mean = text.split("\n")
    number = mean.removeprefix("value = ").replace("-", _MINUS)
    lines = [line.replace(" <= ", " ≤ ") + "?" for line in question]
    return "\n".join([*lines, f"{places.removeprefix('samples = ')} places", f"mean {number}"])
