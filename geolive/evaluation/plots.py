"""The report's plots, as SVG text: each with axes and units, and SIMULATED across it where the data are."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from geolive.bootstrap import wilson_interval
from geolive.evaluation.cross_validation import Predicted
from geolive.evaluation.ranking import Ranking
from geolive.evaluation.tasks import EvaluationTask
from geolive.indicators import indicator as find_indicator
from geolive.map_plots import (
    GREY,
    INK,
    draw_borders,
    draw_scale_bar,
    frame_map,
    region_view,
    short,
)
from geolive.metrics import NAMES
from geolive.svg_plots import COLOURS, SIZE
from geolive.tables import lonlat

LOWEST_R2 = -0.3
MOST_POINTS = 4000
_BINS = 10
_SHAPES = ("o", "s", "^", "D", "v", "P")


def intervals_plot(
    table: pd.DataFrame,
    metric: str,
    rankings: dict[str, Ranking],
    letters: int = 40,
    signs: dict[str, str] | None = None,
) -> Callable:
    """Draw each model's figure with its interval, in the order of the table: a colour and a shape for each split.

    Parameters
    ----------
    table : DataFrame
        `model`, `split`, `value`, `lower`, `upper`.
    metric : str
    rankings : dict of str to Ranking
        By split: markers of models that differ significantly from the best are hollow.
    letters : int
        Longest name of a model.
    signs : dict of str to str, optional
        What follows the names of some models.
    """

    def draw(axes) -> None:
        models, splits = (list(dict.fromkeys(table[column])) for column in ("model", "split"))
        known = table["value"].to_numpy(float)
        # chance is so far below 0 that the others would be squeezed
        left = LOWEST_R2 if metric == "r2" and np.nanmin(known, initial=0) < LOWEST_R2 else -np.inf
        for i, split in enumerate(splits):
            part = table[table["split"] == split].set_index("model").reindex(models)
            y = np.arange(len(models)) + (i - (len(splits) - 1) / 2) * min(0.7 / len(splits), 0.25)
            value, low, high = (part[c].to_numpy(float) for c in ("value", "lower", "upper"))
            colour, shape = COLOURS[i % len(COLOURS)], _SHAPES[i % len(_SHAPES)]
            axes.hlines(y, np.fmin(low, value), np.fmax(high, value), color=colour, lw=1.6)
            ranking = rankings[split]
            apart = np.array([name != ranking.best and name not in ranking.level for name in models])
            seen = value >= left
            style: dict[str, Any] = {"ls": "", "marker": shape, "color": colour, "mew": 1.4}
            axes.plot(value[~apart & seen], y[~apart & seen], ms=6, **style, label=split)
            axes.plot(value[apart & seen], y[apart & seen], ms=5.5, **style, mfc="white")
            away = np.isfinite(value) & ~seen
            axes.plot(np.full(away.sum(), left), y[away], ls="", marker="<", color=colour, ms=6, clip_on=False)
        names = [short(name, letters) + (signs or {}).get(name, "") for name in models]
        axes.set_yticks(np.arange(len(models)), names)
        axes.set_ylim(len(models) - 0.4, -0.6)
        axes.axvline(0.0 if metric == "r2" else 0.5, color=GREY, lw=0.8, ls=":")
        if np.isfinite(left):
            axes.set_xlim(left=left)
        axes.set_xlabel(f"{NAMES[metric]} (out of fold, 95 % interval)")
        axes.grid(axis="x", color="#e3e6e8", lw=0.5)
        axes.set_axisbelow(True)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, fontsize=9)

    return draw


def scatter_plot(task: EvaluationTask, predicted: Predicted) -> Callable:
    """Draw measured against predicted values, with a point for each cluster."""
    known = np.flatnonzero(np.isfinite(predicted.values[0]))
    shown = np.sort(np.random.default_rng(0).permutation(known)[:MOST_POINTS])
    unit = find_indicator(task.indicator).unit

    def draw(axes) -> None:
        p, y = predicted.values[0][shown], task.values[shown]
        axes.plot(p, y, ".", color=COLOURS[0], alpha=0.45, ms=4, mew=0, rasterized=True)
        ends = [min(p.min(), y.min()), max(p.max(), y.max())]
        axes.plot(ends, ends, color=GREY, lw=1, ls="--")
        axes.set_xlabel(f"predicted {task.indicator} ({short(unit, 40)})")
        axes.set_ylabel(f"measured {task.indicator} ({short(unit, 40)})")

    return draw


def reliability_plot(task: EvaluationTask, predicted: Predicted) -> Callable:
    """Draw the share of label 1 by predicted probability, in ten bins of equal numbers, with Wilson intervals."""
    known = np.isfinite(predicted.values[0])
    p, y = predicted.values[0][known], task.values[known]

    def draw(axes) -> None:
        order = np.argsort(p, kind="stable")
        bins = np.array_split(order, min(_BINS, max(len(order) // 10, 1)))
        centre = np.array([p[rows].mean() for rows in bins])
        share = np.array([y[rows].mean() for rows in bins])
        lower, upper = wilson_interval(share, np.array([len(rows) for rows in bins]))
        axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--")
        # rounding may put an end of an interval a hair inside the share itself
        ends = np.maximum([share - lower, upper - share], 0)
        axes.errorbar(centre, share, ends, fmt="o-", color=COLOURS[0], ms=4, lw=1.2, elinewidth=1)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel("predicted probability of label 1")
        axes.set_ylabel("share of clusters with label 1")

    return draw


def folds_map(task: EvaluationTask) -> Callable:
    """Draw which fold each cluster is tested in."""
    folds, where = task.folds(), lonlat(task.clusters.geometry)

    def draw(axes) -> None:
        _map(axes, where)
        size = _size(len(where))
        axes.plot(*where[folds < 0].T, ".", color="#c9ced3", ms=size, mew=0, zorder=3, rasterized=True)
        for fold in range(folds.max() + 1):
            colour = COLOURS[fold % len(COLOURS)]
            # the official split has one fold, so it gets the name of what it is
            name = "tested" if folds.max() == 0 else f"fold {fold + 1}"
            axes.plot(*where[folds == fold].T, ".", color=colour, ms=size, mew=0, zorder=4, label=name, rasterized=True)
        _legend(axes)

    return draw


def residuals_map(task: EvaluationTask, predicted: Predicted) -> Callable:
    """Draw measured less predicted at each cluster."""
    known = np.isfinite(predicted.values[0])
    residual, everywhere = (
        (task.values - predicted.values[0])[known],
        lonlat(task.clusters.geometry),
    )
    where = everywhere[known]
    unit = find_indicator(task.indicator).unit if task.task == "regression" else "label less probability"

    def draw(axes) -> None:
        # one view for all maps of a dataset, so that its borders are looked up once
        _map(axes, everywhere)
        most = np.quantile(np.abs(residual), 0.98) or 1.0
        points = axes.scatter(
            *where.T, c=residual, cmap="RdBu_r", vmin=-most, vmax=most, s=_size(len(where)) ** 2 * 0.6, lw=0.15,
            edgecolors=INK, zorder=4, rasterized=True,
        )  # fmt: skip
        bar = axes.figure.colorbar(points, ax=axes, shrink=0.75, extend="both", pad=0.02)
        bar.set_label(f"measured less predicted ({short(unit, 40)})", fontsize=8)
        bar.ax.tick_params(labelsize=8)

    return draw


def curves_plot(shown: list[Predicted], task: str) -> Callable:
    """Draw the loss after each epoch, a panel a network: the mean over folds, and their range."""
    words = "squared error / variance" if task == "regression" else "cross-entropy, nats"

    def draw(axes) -> None:
        from matplotlib.ticker import MaxNLocator

        # what goes across the plot goes across all panels
        figure = axes.figure
        axes.set_position((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_zorder(1)
        panels = figure.subplots(-(-len(shown) // 2), 2, sharex=True, sharey=True, squeeze=False).ravel()
        for panel, predicted in zip(panels, shown, strict=False):
            for part, colour in (("train", COLOURS[0]), ("validation", COLOURS[1])):
                losses = _by_epoch([curve[part] for curve in predicted.curves if curve[part]])
                if not len(losses):
                    continue
                epochs = np.arange(1, losses.shape[1] + 1)
                panel.fill_between(epochs, np.nanmin(losses, 0), np.nanmax(losses, 0), color=colour, alpha=0.2, lw=0)
                name = "training" if part == "train" else "held out"
                panel.plot(epochs, np.nanmean(losses, 0), color=colour, lw=1.3, label=name)
            panel.set_title(short(predicted.model, 34), fontsize=7.5)
            panel.tick_params(labelsize=7.5)
            panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            panel.grid(color="#e3e6e8", lw=0.5)
        for panel in panels[len(shown) :]:
            panel.set_axis_off()
        figure.supxlabel("epoch", fontsize=9)
        figure.supylabel(f"loss ({words})", fontsize=9)
        handles = {
            name: line for panel in panels for line, name in zip(*panel.get_legend_handles_labels(), strict=True)
        }
        figure.legend(handles.values(), handles, loc="outside upper center", ncols=2, frameon=False, fontsize=8)

    return draw


def _by_epoch(losses: list[list[float]]) -> np.ndarray:
    """Make an array with a row for each training and a column for each epoch; NaN after a training that stopped early."""
    longest = max(map(len, losses), default=0)
    return np.array([[*one, *[np.nan] * (longest - len(one))] for one in losses])


def _map(axes, where: np.ndarray) -> None:
    view = region_view(where, SIZE[0] / SIZE[1])
    axes.set_facecolor("#f4f5f3")
    draw_borders(axes, view)
    for border in axes.collections:
        # as lines, the borders of a country weigh a megabyte a map
        border.set_rasterized(True)
    frame_map(axes, view)
    draw_scale_bar(axes, view)
    axes.set_xlabel("longitude")
    axes.set_ylabel("latitude")


def _size(n: int) -> float:
    return float(np.clip(150 / np.sqrt(max(n, 1)), 2.5, 8))


def _legend(axes) -> None:
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=5, frameon=False, fontsize=8, handlelength=1.2,
        columnspacing=1.0, markerscale=1.6,
    )  # fmt: skip
