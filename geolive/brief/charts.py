"""The charts of a brief: districts ranked with their intervals, and what survey, model and composite say."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from geolive.map_plots import GREY, INK, short
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.region_mean import ABOVE, BELOW, COMPARED_COLOURS, NOT_DISTINGUISHED, region_mean

# colours that colour-blind readers can distinguish (Okabe and Ito 2008), and marks that differ without colour
ESTIMATES = {
    "direct": ("the survey alone", "#009e73", "s"),
    "predicted": ("the model alone", "#d55e00", "^"),
    "": ("the map's value", "#0072b2", "o"),
}
_GRID = "#e3e6e8"
_ROW_INCHES, _EDGE_INCHES = 0.18, 0.7


def chart_height(rows: int) -> float:
    """Return the height in inches of a chart with so many districts.

    Examples
    --------
    >>> chart_height(10) < chart_height(20)
    True
    """
    return rows * _ROW_INCHES + _EDGE_INCHES


def first_and_last(table: pd.DataFrame, most: int = 10) -> list[pd.DataFrame]:
    """Return the first and the last districts of a ranking, or all in one part where there are few.

    Examples
    --------
    >>> [len(part) for part in first_and_last(pd.DataFrame({"a": range(34)}))]
    [10, 10]
    >>> [len(part) for part in first_and_last(pd.DataFrame({"a": range(20)}))]
    [20]
    """
    return [table] if len(table) <= 2 * most else [table.head(most), table.tail(most)]


def draw_map(district_map: DistrictMap, axes: Any, show: str = "value") -> None:
    """Draw a map with its legend, scale bar and north arrow; its title and notes stand in the text of the brief."""
    district_map.plot(axes, show=show)
    axes.set_title("", loc="left")
    for text in list(axes.texts):
        # above and below the map
        if text.get_transform() is axes.transAxes and not 0 <= text.get_position()[1] <= 1:
            text.remove()


def ranking_chart(district_map: DistrictMap, table: pd.DataFrame) -> Callable[[Any], None]:
    """Return a function that draws districts with their values and intervals, against the region's mean.

    Parameters
    ----------
    district_map : DistrictMap
    table : DataFrame
        As `geolive.brief.sentences.ranked` returns it.
    """
    name, mean = district_map.indicator.name, region_mean(district_map)
    colours = COMPARED_COLOURS[::-1] if district_map.indicator.direction == "higher is worse" else COMPARED_COLOURS
    # grey is too light for a line
    of_side = {BELOW: colours[0], NOT_DISTINGUISHED: GREY, ABOVE: colours[2]}
    marks = {BELOW: "v", NOT_DISTINGUISHED: "o", ABOVE: "^"}

    def draw(axes: Any) -> None:
        y, labels = _rows(axes, first_and_last(table))
        for row, at in zip(labels, y, strict=True):
            value, lower, upper = (float(row[column]) for column in (name, f"{name}_lower", f"{name}_upper"))
            colour = of_side[int(row["compared"])] if row["compared"] in of_side else GREY
            if np.isfinite(lower) and np.isfinite(upper):
                axes.plot([lower, upper], [at, at], color=colour, lw=2.2, alpha=0.45, solid_capstyle="butt", zorder=2)
            axes.plot([value], [at], marks.get(int(row["compared"]), "o"), color=colour, ms=4.5, zorder=3)
        if np.isfinite(mean):
            axes.axvline(mean, color=INK, lw=0.8, ls=":", zorder=1)
            axes.annotate(
                "mean", (mean, 1), xycoords=("data", "axes fraction"), xytext=(3, 2), textcoords="offset points",
                fontsize=7, color=GREY, va="bottom",
            )  # fmt: skip
        axes.set_xlabel(short(district_map.indicator.unit or name, 60), fontsize=8)

    return draw


def estimates_chart(district_map: DistrictMap, table: pd.DataFrame, most: int = 10) -> Callable[[Any], None]:
    """Return a function that draws for each district what the survey, the model and the map say.

    Parameters
    ----------
    district_map : DistrictMap
    table : DataFrame
        As `geolive.brief.sentences.ranked` returns it, with NAME_direct and NAME_predicted.
    most : int
        Number of first and of last districts that are shown.
    """
    name = district_map.indicator.name

    def draw(axes: Any) -> None:
        y, labels = _rows(axes, first_and_last(table, most))
        for end, (words, colour, mark) in ESTIMATES.items():
            column = f"{name}_{end}" if end else name
            if column not in table:
                continue
            values = [float(row[column]) if pd.notna(row[column]) else np.nan for row in labels]
            filled = colour if not end else "white"
            axes.plot(
                values, y, mark, ms=5, color=colour, markerfacecolor=filled, mew=1.2, label=words, ls="none", zorder=3
            )
        axes.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, fontsize=8, handletextpad=0.3
        )
        axes.set_xlabel(short(district_map.indicator.unit or name, 60), fontsize=8)

    return draw


def _rows(axes: Any, parts: list[pd.DataFrame]) -> tuple[list[float], list[pd.Series]]:
    """Make a row of the axes for each district, with a gap between the parts; the first is at the top."""
    y: list[float] = []
    rows: list[pd.Series] = []
    for part in parts:
        start = y[-1] + 2.0 if y else 0.0
        y += [start + i for i in range(len(part))]
        rows += [row for _, row in part.iterrows()]
    axes.set_yticks(y, [short(str(row["district"]), 28) for row in rows])
    axes.set_ylim((y[-1] if y else 0) + 0.7, -0.7)
    axes.tick_params(axis="both", length=0, labelsize=8, labelcolor=INK)
    axes.grid(axis="both", color=_GRID, lw=0.5, zorder=0)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#aab2bb")
    if len(parts) > 1:
        axes.text(
            -0.01, len(parts[0]) + 0.0, "⋮", transform=axes.get_yaxis_transform(), ha="right", va="center", color=GREY
        )
    return y, rows
