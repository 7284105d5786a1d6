"""Learning curves as a picture."""

from collections.abc import Sequence
from pathlib import Path

from geolive.errors import InputError
from geolive.files import replacing
from geolive.models.trainer import Curve


def draw_curves(curves: dict[str, Curve | Sequence[Curve]], path: str | Path, simulated: bool) -> Path:
    """Draw the loss of each epoch, and that at places held out, to a .png, .svg or .pdf file.

    Parameters
    ----------
    curves : dict of str to Curve or sequence of Curve
        By what is to stand above each panel; a stacked network has several.
    path : str or Path
    simulated : bool
        Whether the data are simulated, which is then written on the picture.

    Raises
    ------
    InputError
        Matplotlib is not there, or the file's name has another ending.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "curves.png"
    >>> draw_curves({"all places": Curve([1.0, 0.5], [1.0, 0.8], 2)}, path, simulated=True).stat().st_size > 1000
    True
    """
    check_curves(path)
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * len(curves), 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(curves), sharey=True, squeeze=False)[0]
    for panel, (title, found) in zip(panels, curves.items(), strict=True):
        for curve in [found] if isinstance(found, Curve) else found:
            epochs = range(1, len(curve.train) + 1)
            panel.plot(epochs, curve.train, color="tab:blue", label="training places")
            if curve.validation:
                panel.plot(epochs, curve.validation, color="tab:orange", label="places held out")
                panel.axvline(curve.best, color="0.6", linewidth=0.8, linestyle=":", label="weights kept")
        panel.set(title=title, xlabel="epoch")
    panels[0].set_ylabel("loss")
    handles, labels = panels[0].get_legend_handles_labels()
    by_label = dict(zip(labels, handles, strict=True))
    panels[0].legend(by_label.values(), by_label.keys(), frameon=False)
    if simulated:
        figure.suptitle("SIMULATED data", color="tab:red", fontweight="bold")
    with replacing(path) as temporary, matplotlib.rc_context({"svg.hashsalt": "geolive"}):
        dated = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
        figure.savefig(temporary, dpi=120, metadata=dated[Path(path).suffix[1:].lower()])
    return Path(path)


def check_curves(path: str | Path) -> None:
    """Raise InputError where learning curves cannot be drawn to that file, so that long work is not started in vain."""
    import importlib.util

    if Path(path).suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InputError(f"--curves {path}: must end in .png, .svg or .pdf")
    if Path(path).exists():
        raise InputError(f"--curves {path}: exists already and nothing is overwritten; choose another name")
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError("--curves: drawing needs matplotlib; install it with: pip install 'geolive[plots]'")
