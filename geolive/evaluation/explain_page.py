"""The page that says what a model looks at: one HTML file that needs no network."""

from pathlib import Path

import numpy as np

import geolive
from geolive.dataset import Dataset
from geolive.evaluation import plots
from geolive.evaluation.explain import Explanation
from geolive.figures import need_matplotlib, short
from geolive.files import new_folder, today
from geolive.indicators import MEANS_OF_AREAS
from geolive.indicators import indicator as find_indicator
from geolive.models.training import Trained

SHOWN = 15


def write_explanation(dataset: Dataset, trained: Trained, found: Explanation, folder: str | Path) -> list[str]:
    """Write `explain.html` and `importance.csv` to a new folder, whole or not at all.

    Parameters
    ----------
    dataset : Dataset
    trained : Trained
    found : Explanation
        Of that model.
    folder : str or Path
        Must not exist, or be empty.

    Returns
    -------
    list of str
        The names of the files.

    Raises
    ------
    InputError
        The folder is not free, or matplotlib is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from geolive.evaluation.explain import explain_forest
    >>> from geolive.models.clusterwise import Forest
    >>> from geolive.models.training import train
    >>> from geolive.sources.sample import make_sample
    >>> dataset = make_sample("bihar", seed=0, n_clusters=60, n_sites=10).dataset
    >>> trained = train(dataset, lambda: Forest(trees=5), "pov")
    >>> write_explanation(dataset, trained, explain_forest(dataset, trained), Path(tempfile.mkdtemp()) / "why")
    ['explain.html', 'importance.csv']
    """
    from jinja2 import Environment, PackageLoader

    need_matplotlib()
    environment = Environment(
        loader=PackageLoader("geolive.evaluation"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.get_template("explain.html").render(_context(dataset, trained, found))
    with new_folder(folder) as temporary:
        (temporary / "explain.html").write_text(page, encoding="utf-8", errors="replace")
        table = found.importance.drop(columns="classes")
        table.to_csv(temporary / "importance.csv", index=False, lineterminator="\n")
    return ["explain.html", "importance.csv"]


def _context(dataset: Dataset, trained: Trained, found: Explanation) -> dict:
    card = trained.card
    simulated = bool(dataset.simulated or card["simulated"])
    unit = find_indicator(card["indicator"]).unit if card["task"] == "regression" else "probability of label 1"
    unit = unit or card["indicator"]
    height = 1.0 + 0.27 * min(SHOWN, len(found.importance))
    drawn = {
        "importance": [(_importance_plot(found), (7.2, height))],
        "dependence": [(_dependence_plot(name, curve, unit), plots.SIZE) for name, curve in found.dependence.items()],
        "tree": [(_tree_plot(found), (13.0, 5.6))],
    }
    number, svgs = 0, {}
    for section, pictures in drawn.items():
        svgs[section] = []
        for draw, size in pictures:
            number += 1
            svgs[section].append(plots.apart(plots.drawn(draw, simulated, size), number))
    return {
        "title": f"What {card['model']} looks at: {card['indicator']}",
        "simulated": simulated,
        "means_of_areas": MEANS_OF_AREAS,
        "version": geolive.__version__,
        "n": len(trained.residuals),
        "folds": card["folds"],
        "svgs": svgs,
        "shown": min(SHOWN, len(found.importance)),
        "groups": len(found.importance),
        "names": list(found.dependence),
        "unit": unit,
        "fidelity": f"{found.fidelity:.2f}".replace("-", "\N{MINUS SIGN}"),
        "truth": found.truth and (f"{found.truth[0]:.2f}".replace("-", "\N{MINUS SIGN}"), *found.truth[1:]),
        "made": today().isoformat(),
        "source": dataset.source,
    }


def _importance_plot(found: Explanation):
    table = found.importance.head(SHOWN)

    def draw(axes) -> None:
        y = np.arange(len(table))
        axes.hlines(y, table["lower"], table["upper"], color=plots.COLOURS[0], lw=1.6)
        axes.plot(table["value"], y, "o", color=plots.COLOURS[0], ms=4.5)
        axes.set_yticks(y, [short(name, 46) for name in table["group"]])
        axes.set_ylim(len(table) - 0.4, -0.6)
        axes.axvline(0, color="#6b7480", lw=0.8, ls=":")
        axes.set_xlabel("growth of the squared error / variance of the values")

    return draw


def _dependence_plot(name: str, curve: np.ndarray, unit: str):
    def draw(axes) -> None:
        axes.plot(*curve.T, "-o", color=plots.COLOURS[0], ms=3)
        axes.set_xlabel(f"{short(name, 40)}, objects a place")
        axes.set_ylabel(f"mean prediction ({short(unit, 40)})")
        axes.grid(color="#e3e6e8", lw=0.5)

    return draw


def _tree_plot(found: Explanation):
    def draw(axes) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from sklearn.tree import plot_tree

        FigureCanvasAgg(axes.figure)  # it measures its boxes as it draws them
        names = [short(name, 22) for name in found.names]
        plot_tree(found.tree, feature_names=names, impurity=False, rounded=True, precision=2, fontsize=7, ax=axes)

    return draw
