"""The page that says what a model looks at: one HTML file that needs no network, and the tables behind it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import geolive
from geolive import svg_plots
from geolive.dataset import Dataset
from geolive.explain.explanation import Explanation, kind_of
from geolive.explain.gallery import Gallery, signed
from geolive.explain.occlusion import weightiest
from geolive.explain.tree_drawing import draw_tree
from geolive.files import new_folder, today
from geolive.indicators import MEANS_OF_AREAS
from geolive.indicators import indicator as find_indicator
from geolive.map_plots import require_matplotlib, short
from geolive.models.trained_model import TrainedModel

SHOWN = 15
PHOTOS, OBJECTS = 4, 8


def write_explanation(
    dataset: Dataset, trained: TrainedModel, found: Explanation, folder: str | Path, gallery: Gallery | None = None
) -> list[str]:
    """Write `explain.html` and its tables to a new folder, whole or not at all.

    Parameters
    ----------
    dataset : Dataset
    trained : TrainedModel
    found : Explanation
        Of that model.
    folder : str or Path
        Must not exist, or be empty.
    gallery : Gallery, optional
        Photos to show; without it the page has none.

    Returns
    -------
    list of str
        The names of the files: `importance.csv` where inputs have an importance, `photos.csv` and `objects.csv` where photos and
        their inputs have weights.

    Raises
    ------
    InputError
        The folder is not free, or matplotlib is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from geolive.explain.explanation import explain
    >>> from geolive.models.clusterwise import Forest
    >>> from geolive.models.training import train
    >>> from geolive.simulation.sample import make_sample
    >>> dataset = make_sample("bihar", seed=0, n_clusters=60, n_sites=10)
    >>> trained = train(dataset, Forest(n_estimators=5), "pov")
    >>> write_explanation(dataset, trained, explain(dataset, trained), Path(tempfile.mkdtemp()) / "why")
    ['explain.html', 'importance.csv']
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader

    require_matplotlib()
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("geolive.explain"), PackageLoader("geolive")]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("explain.html").render(_context(dataset, trained, found, gallery))
    tables = {
        "importance.csv": None if found.importance is None else found.importance.drop(columns="columns"),
        "photos.csv": found.weights and found.weights.photos,
        "objects.csv": found.weights and found.weights.objects,
    }
    tables = {name: table for name, table in tables.items() if table is not None}
    with new_folder(folder) as temporary:
        (temporary / "explain.html").write_text(page, encoding="utf-8", errors="replace")
        for name, table in tables.items():
            table.to_csv(temporary / name, index=False, lineterminator="\n", errors="replace")
    return ["explain.html", *tables]


def _context(dataset: Dataset, trained: TrainedModel, found: Explanation, gallery: Gallery | None) -> dict:
    card = trained.card
    simulated = bool(dataset.simulated or card.simulated)
    unit = find_indicator(card.indicator).unit if card.task == "regression" else "probability of label 1"
    unit = unit or card.indicator
    svgs = _drawn(found, simulated, unit)
    return {
        "title": f"What {card.model} looks at: {card.indicator}",
        "kind": kind_of(trained),
        "vertices": trained.model.vertices,
        "simulated": simulated,
        "means_of_areas": MEANS_OF_AREAS,
        "version": geolive.__version__,
        "n": len(trained.residuals),
        "folds": card.folds,
        "svgs": svgs,
        "shown": 0 if found.importance is None else min(SHOWN, len(found.importance)),
        "groups": 0 if found.importance is None else len(found.importance),
        "names": list(found.dependence),
        "unit": unit,
        "fidelity": found.tree and signed(found.tree.fidelity, ".2f"),
        "truth": found.truth and [signed(part, ".2f" if isinstance(part, float) else "d") for part in found.truth],
        "weights": _weights(trained, found),
        "gallery": gallery,
        "pictures": {} if gallery is None else gallery.pictures,
        "notes": found.notes,
        "made": today().isoformat(),
        "source": dataset.source,
    }


def _drawn(found: Explanation, simulated: bool, unit: str) -> dict[str, list[str]]:
    """The pictures of each section, with ids that are unique in the page."""
    svgs: dict[str, list[str]] = {"importance": [], "dependence": [], "tree": []}
    if found.importance is not None:
        table = found.importance.head(SHOWN)
        svgs["importance"] = [svg_plots.svg_plot(_importance_plot(table), simulated, (7.2, 1.0 + 0.27 * len(table)))]
    for name, curve in found.dependence.items():
        svgs["dependence"].append(svg_plots.svg_plot(_dependence_plot(name, curve, unit), simulated))
    if found.tree:
        svgs["tree"] = [draw_tree(found.tree, simulated)]
    number = 0
    for section, drawn in svgs.items():
        svgs[section] = [svg_plots.with_unique_ids(svg, number + i + 1) for i, svg in enumerate(drawn)]
        number += len(drawn)
    return svgs


def _weights(trained: TrainedModel, found: Explanation) -> list[dict]:
    """What the page says of the clusters with the highest, median and lowest prediction."""
    if found.weights is None:
        return []
    value = trained.residuals.set_index("unique_cluster")["value"]
    told = []
    for word, cluster in found.weights.shown.items():
        photos = weightiest(found.weights.photos, cluster, PHOTOS)
        own = found.weights.photos[found.weights.photos["unique_cluster"] == cluster]
        objects = None if found.weights.objects is None else weightiest(found.weights.objects, cluster, OBJECTS)
        told.append(
            {
                "word": word,
                "cluster": cluster,
                "n": len(own),
                "prediction": signed(own["cluster_prediction"].iloc[0], ".3g"),
                "value": signed(value[cluster], ".3g"),
                "photos": _rows(photos, "key", "prediction"),
                "objects": [] if objects is None else _rows(objects, "object", "count"),
            }
        )
    return told


def _rows(table: pd.DataFrame, name: str, more: str) -> list[tuple[str, str, str]]:
    figures = table[more] if more in table else pd.Series(np.nan, index=table.index)
    return [
        (short(str(label), 46), "" if np.isnan(figure) else signed(figure, ".3g"), signed(change, "+.2g"))
        for label, figure, change in zip(table[name], figures, table["change"], strict=True)
    ]


def _importance_plot(table: pd.DataFrame) -> Callable:
    def draw(axes) -> None:
        y = np.arange(len(table))
        axes.hlines(y, table["lower"], table["upper"], color=svg_plots.COLOURS[0], lw=1.6)
        axes.plot(table["value"], y, "o", color=svg_plots.COLOURS[0], ms=4.5)
        axes.set_yticks(y, [short(name, 46) for name in table["group"]])
        axes.set_ylim(len(table) - 0.4, -0.6)
        axes.axvline(0, color="#6b7480", lw=0.8, ls=":")
        axes.set_xlabel("growth of the squared error / variance of the values")

    return draw


def _dependence_plot(name: str, curve: np.ndarray, unit: str) -> Callable:
    def draw(axes) -> None:
        axes.plot(*curve.T, "-o", color=svg_plots.COLOURS[0], ms=3)
        axes.set_xlabel(f"{short(name, 40)} of a place")
        axes.set_ylabel(f"mean prediction ({short(unit, 40)})")
        axes.grid(color="#e3e6e8", lw=0.5)

    return draw
