"""Learning curves as a picture."""

from collections.abc import Sequence
from pathlib import Path

from geolive.errors import InputError
from geolive.extras import require_extra
from geolive.files import replacing
from geolive.models.trainer import Curve


def draw_curves(curves: dict[str, Curve | Sequence[Curve]], path: str | Path, simulated: bool) -> Path:
    """Draw the loss of each epoch, on training places and on held-out places, to a .png, .svg or .pdf file.

    Parameters
    ----------
    curves : dict of str to Curve or sequence of Curve
        Curves by the title of their panel.
    path : str or Path
    simulated : bool
        Whether to write on the picture that the data are simulated.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        Matplotlib is not installed, the file exists, or its name has another ending.

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
    for panel, (title, of_panel) in zip(panels, curves.items(), strict=True):
        for curve in [of_panel] if isinstance(of_panel, Curve) else of_panel:
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
    """Raise where learning curves cannot be drawn to a file; called before a long training starts.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_curves("curves.bmp")
    Traceback (most recent call last):
    geolive.errors.InputError: curves='curves.bmp': must end in .png, .svg or .pdf
    """
    if Path(path).suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InputError(f"curves={str(path)!r}: must end in .png, .svg or .pdf")
    if Path(path).exists():
        raise InputError(f"curves={str(path)!r}: exists already, and geolive overwrites nothing; choose another name")
    require_extra("plots")
