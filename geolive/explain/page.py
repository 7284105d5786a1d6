"""The page that explains a model: one HTML file that works without a network, and the tables behind it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import geolive
from geolive import svg_plots
from geolive.explain.explanation import Explanation, kind_of
from geolive.explain.gallery import with_minus
from geolive.explain.occlusion import weightiest
from geolive.explain.tree_drawing import draw_tree
from geolive.extras import require_extra
from geolive.files import new_folder, today, write_csv
from geolive.indicators import MEANS_OF_AREAS
from geolive.indicators import indicator as find_indicator
from geolive.map_plots import short
from geolive.model_inputs import parse_inputs
from geolive.pages import page_templates
from geolive.wording import significant

SHOWN = 15
PHOTOS, OBJECTS = 4, 8


def write_page(explanation: Explanation, folder: str | Path) -> list[str]:
    """Write `explain.html` and its tables to a new folder, whole or not at all.

    Parameters
    ----------
    explanation : Explanation
    folder : str or Path
        Must not exist, or be empty.

    Returns
    -------
    list of str
        Names of the files: `importance.csv` where inputs have an importance, `photos.csv` and `objects.csv` where photos and
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
    >>> explanation = explain(dataset, train(dataset, Forest(n_estimators=5), "pov"))
    >>> write_page(explanation, Path(tempfile.mkdtemp()) / "why")
    ['explain.html', 'importance.csv']
    """
    require_extra("plots")
    page = page_templates("geolive.explain").get_template("explain.html").render(_context(explanation))
    tables: dict[str, Any] = {
        "importance.csv": None if explanation.importance is None else explanation.importance.drop(columns="columns"),
        "photos.csv": explanation.weights and explanation.weights.photos,
        "objects.csv": explanation.weights and explanation.weights.objects,
    }
    tables = {name: table for name, table in tables.items() if table is not None}
    with new_folder(folder) as temporary:
        (temporary / "explain.html").write_text(page, encoding="utf-8", errors="replace")
        for name, table in tables.items():
            write_csv(table, temporary / name)
    return ["explain.html", *tables]


def _context(explanation: Explanation) -> dict[str, Any]:
    dataset, trained, gallery = explanation.dataset, explanation.trained, explanation.gallery
    card = trained.card
    simulated = bool(dataset.simulated or card.simulated)
    unit = find_indicator(card.indicator).unit if card.task == "regression" else "probability of label 1"
    unit = unit or card.indicator
    svgs = _drawn(explanation, simulated, unit)
    return {
        "title": f"What the model uses: {card.indicator}, {card.model}",
        "kind": kind_of(trained.model),
        "objects_only": parse_inputs(trained.model.inputs) == ("objects",),
        "inputs": parse_inputs(trained.model.inputs),
        "simulated": simulated,
        "means_of_areas": MEANS_OF_AREAS,
        "version": geolive.__version__,
        "n": len(trained.residuals),
        "folds": card.folds,
        "svgs": svgs,
        "shown": 0 if explanation.importance is None else min(SHOWN, len(explanation.importance)),
        "groups": 0 if explanation.importance is None else len(explanation.importance),
        "names": list(explanation.dependence),
        "unit": unit,
        "fidelity": explanation.tree and with_minus(f"{explanation.tree.fidelity:.2f}"),
        "truth": explanation.truth
        and [with_minus(f"{part:.2f}" if isinstance(part, float) else f"{part}") for part in explanation.truth],
        "weights": _weights(explanation),
        "gallery": gallery,
        "pictures": {} if gallery is None else gallery.pictures,
        "notes": explanation.notes,
        "made": today().isoformat(),
        "source": dataset.source,
    }


def _drawn(explanation: Explanation, simulated: bool, unit: str) -> dict[str, list[str]]:
    """Draw the pictures of each section, with ids that are unique in the page."""
    svgs: dict[str, list[str]] = {"importance": [], "dependence": [], "tree": []}
    if explanation.importance is not None:
        table = explanation.importance.head(SHOWN)
        svgs["importance"] = [svg_plots.svg_plot(_importance_plot(table), simulated, (7.2, 1.0 + 0.27 * len(table)))]
    for name, curve in explanation.dependence.items():
        svgs["dependence"].append(svg_plots.svg_plot(_dependence_plot(name, curve, unit), simulated))
    if explanation.tree:
        svgs["tree"] = [draw_tree(explanation.tree, simulated)]
    number = 0
    for section, drawn in svgs.items():
        svgs[section] = [svg_plots.with_unique_ids(svg, number + i + 1) for i, svg in enumerate(drawn)]
        number += len(drawn)
    return svgs


def _weights(explanation: Explanation) -> list[dict[str, Any]]:
    """Return the facts about the clusters with the highest, median and lowest prediction."""
    if explanation.weights is None:
        return []
    value = explanation.trained.residuals.set_index("unique_cluster")["value"]
    places = []
    for word, cluster in explanation.weights.shown.items():
        photos = weightiest(explanation.weights.photos, cluster, PHOTOS)
        own = explanation.weights.photos[explanation.weights.photos["unique_cluster"] == cluster]
        objects = (
            None if explanation.weights.objects is None else weightiest(explanation.weights.objects, cluster, OBJECTS)
        )
        places.append(
            {
                "word": word,
                "cluster": cluster,
                "n": len(own),
                "prediction": with_minus(significant(own["cluster_prediction"].iloc[0], 3)),
                "value": with_minus(significant(value[cluster], 3)),
                "photos": _rows(photos, "key", "prediction"),
                "objects": [] if objects is None else _rows(objects, "object", "count"),
            }
        )
    return places


def _rows(table: pd.DataFrame, name: str, more: str) -> list[tuple[str, str, str]]:
    figures = table[more] if more in table else pd.Series(np.nan, index=table.index)
    return [
        (
            short(str(label), 46),
            "" if np.isnan(figure) else with_minus(significant(figure, 3)),
            with_minus(significant(change, 2, "+")),
        )
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
