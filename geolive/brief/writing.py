"""The contents of a brief on a map: what is shown in which order."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from geolive.antimeridian import running_bounds
from geolive.auditing.rules import FAIL, UNKNOWN, WARN
from geolive.brief.charts import chart_height, draw_map, estimates_chart, first_and_last, ranking_chart
from geolive.brief.document import Block, Brief, Items, Paragraph, Picture, Section, Table
from geolive.brief.sentences import coverage_sentences, number_of, ranked, read_aloud, tells_apart, unsupported
from geolive.brief.target_choice import target_choice
from geolive.estimation.target_plot import draw_errors
from geolive.estimation.targeting import Budget
from geolive.mapping.caution import caution
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.page_method import how_it_was_made, source_line
from geolive.mapping.region_mean import COMPARED_WORDS
from geolive.wording import count_of, percent_text

# the width between the margins of an A4 page, in inches
WIDTH = 6.87
_LEGEND, _EDGE = 2.3, 0.1
SIMULATED_WORDS = "Survey or imagery are invented: this brief says nothing about real places."
_ESTIMATED = 6


def make_brief(district_map: DistrictMap, *, budget: Budget | None = None, seed: int = 0) -> Brief:
    """Write a brief on a map's region: map, ranking, uncertainty, estimates, targets, method, passport and sources.

    Parameters
    ----------
    district_map : DistrictMap
    budget : Budget, optional
        For the section on targets; by default a fifth of the districts.
    seed : int
        Seed of the random draws behind the section on targets.

    Returns
    -------
    Brief

    Raises
    ------
    InputError
        The budget reaches all districts, or needs people that the map lacks.

    Examples
    --------
    >>> import geolive as gl
    >>> dataset = gl.make_sample("goa")
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Neighbours(), "pov"), "goa")
    >>> [section.title for section in make_brief(result).sections][:3]
    ['What it shows', 'How sure this is', 'Ranking of districts']
    """
    made = district_map.provenance
    sections = [
        _shows(district_map),
        _uncertainty(district_map),
        _ranking(district_map),
        *_estimates(district_map),
        *_targets(district_map, budget, seed),
        *_without_value(district_map),
        _method(district_map),
        *_passport(district_map),
        _sources(district_map),
    ]
    shown = district_map.indicator
    direction = f"; {shown.direction}" if shown.direction else ""
    return Brief(
        title=district_map.title,
        subtitle=f"Unit: {shown.unit or shown.name}{direction}. {shown.meaning}",
        sections=sections,
        simulated=made.simulated,
        footer=f"geolive {made.version}, {made.made.isoformat()}. Data: {made.dataset}. Boundaries: {made.boundaries}.",
        made=made.made.isoformat(),
        version=made.version,
    )


def _shows(district_map: DistrictMap) -> Section:
    opening = [str(words)] if (words := caution(district_map)) else []
    blocks: list[Block] = [Paragraph(text, "lead") for text in (*opening, *read_aloud(district_map))]
    caption = "Values of districts in classes; hatched districts have none."
    return Section(
        "What it shows", [*blocks, Picture(partial(draw_map, district_map), _map_size(district_map), caption)]
    )


def _map_size(district_map: DistrictMap, width: float = WIDTH, tallest: float = 2.95) -> tuple[float, float]:
    """Return the size of a map's picture in inches, from the region's shape."""
    west, south, east, north = running_bounds(district_map.districts.geometry)
    squeeze = max(float(np.cos(np.radians((south + north) / 2))), 0.05)
    aspect = (north - south) / max((east - west) * squeeze, 1e-9)
    return width, float(np.clip((width - _LEGEND) * aspect, 1.8, tallest)) + _EDGE


def _ranking(district_map: DistrictMap) -> Section:
    table = ranked(district_map)
    if table.empty:
        return Section("Ranking of districts", [Paragraph("No district has a value.")])
    parts = first_and_last(table)
    ends = (
        ("first", "last")
        if not tells_apart(table)
        else ("lowest", "highest")
        if district_map.indicator.ranked_from == "lowest"
        else ("highest", "lowest")
    )
    several = f"The ten {ends[0]} and the ten {ends[1]} of {count_of(len(table), 'district')}"
    which = "All districts" if len(parts) == 1 else several
    level = percent_text(district_map.level)
    caption = (
        f"{which}, with {level} intervals. Coloured districts are below (▼) or above (▲) the region's mean, grey ones cannot be "
        "distinguished from it."
    )
    height = chart_height(sum(map(len, parts)) + len(parts) - 1)
    chart = Picture(ranking_chart(district_map, table), (WIDTH, height), caption, district_map.provenance.simulated)
    ranks = (
        "Where intervals overlap, the order of districts is not known: the table has their possible ranks; rank 1 is "
        f"{district_map.indicator.first_words}."
    )
    return Section("Ranking of districts", [Paragraph(ranks), chart, _ranking_table(district_map, parts)])


def _ranking_table(district_map: DistrictMap, parts: list[pd.DataFrame]) -> Table:
    name, rows = district_map.indicator.name, []
    for number, part in enumerate(parts):
        rows += [["…"] + [""] * 4] if number else []
        rows += [_ranking_row(district_map, row, name) for _, row in part.iterrows()]
    level = percent_text(district_map.level)
    heads = ["District", "Value", f"{level} interval", district_map.indicator.rank_words, "Against the mean"]
    return Table(heads, rows, (0.28, 0.12, 0.2, 0.16, 0.24), (1, 2, 3))


def _ranking_row(district_map: DistrictMap, row: pd.Series, name: str) -> list[str]:
    value, lower, upper = (number_of(district_map, float(row[f"{name}{end}"])) for end in ("", "_lower", "_upper"))
    best, worst = row["rank_best"], row["rank_worst"]
    ranks = (
        "–" if pd.isna(best) or pd.isna(worst) else f"{int(best)}" if best == worst else f"{int(best)} to {int(worst)}"
    )
    side = int(row["compared"])
    return [str(row["district"]), value, f"{lower} to {upper}", ranks, COMPARED_WORDS[side] if side >= 0 else "–"]


def _uncertainty(district_map: DistrictMap) -> Section:
    picture = Picture(
        partial(draw_map, district_map, show="uncertainty"), _map_size(district_map, tallest=2.15),
        "Widths of the intervals: the darker, the less is known; hatched districts have no value.",
    )  # fmt: skip
    return Section("How sure this is", [Items(coverage_sentences(district_map)), picture])


def _without_value(district_map: DistrictMap) -> list[Section]:
    missing = unsupported(district_map)
    return [Section("Districts without a value", [_missing_table(district_map, missing)])] if len(missing) else []


def _missing_table(district_map: DistrictMap, missing: pd.DataFrame, most: int = 8) -> Table:
    words = {"n_clusters": "Surveyed places", "n_sites": "Places", "n_images": "Photos", "people": "People"}
    left_out = set() if district_map.has_images else {"n_images"}
    columns = [column for column in words if column in missing and column not in left_out]
    rows = [
        [str(row["district"]), *("–" if pd.isna(row[column]) else f"{round(row[column]):,}" for column in columns)]
        for _, row in missing.head(most).iterrows()
    ]
    more = len(missing) - len(rows)
    caption = f"They have {district_map.support}." + (f" {more:,} more are not shown." if more > 0 else "")
    share = 0.6 / max(len(columns), 1)
    return Table(
        ["District", *(words[column] for column in columns)], rows, (0.4, *[share] * len(columns)),
        tuple(range(1, len(columns) + 1)), caption,
    )  # fmt: skip


def _estimates(district_map: DistrictMap) -> list[Section]:
    """Return the section that sets survey, model and composite side by side; none where they are not known."""
    table, name = ranked(district_map), district_map.indicator.name
    if table.empty or not {f"{name}_direct", f"{name}_predicted"} <= set(table.columns):
        return []
    parts = first_and_last(table, _ESTIMATED)
    height = chart_height(sum(map(len, parts)) + len(parts) - 1) + 0.25
    caption = (
        "What the survey alone says, what the model alone predicts, and the map's value. Without a square the survey has no "
        "places in the district."
    )
    picture = Picture(
        estimates_chart(district_map, table, _ESTIMATED), (WIDTH, height), caption, district_map.provenance.simulated
    )
    blocks: list[Block] = [picture]
    if district_map.estimator_about:
        blocks.insert(0, Paragraph(str(district_map.estimator_about)))
    return [Section("Survey, model and both", blocks)]


def _targets(district_map: DistrictMap, budget: Budget | None, seed: int) -> list[Section]:
    report = target_choice(district_map, budget, seed=seed)
    if report is None:
        return []
    simulated = district_map.provenance.simulated
    words = report.words.removeprefix("SIMULATED: ")
    whom = "people" if report.budget.of_people else "districts"

    def draw(axes: Any) -> None:
        draw_errors(axes, report)
        axes.set_title("")
        axes.set_ylabel("Missed, %")

    caption = (
        f"Share of the {whom} that should be reached and are missed, at each budget; the dotted line is a budget of "
        f"{report.budget}."
    )
    curve = Picture(draw, (WIDTH, 2.3), caption, simulated)
    return [Section("If a budget reaches some districts only", [Paragraph(words), curve])]


def _method(district_map: DistrictMap) -> Section:
    # what other sections say
    left_out = {"Data", "Boundaries", "Command", "Made", "Not supported", "Passport", "Limits"}
    if _estimates(district_map):
        left_out.add("Values of districts")
    how = [[str(term), str(text)] for term, text in how_it_was_made(district_map) if str(term) not in left_out]
    limits = [
        f"{district_map.indicator.meaning} They say nothing about a single household or person.",
        "Values are estimates with errors; the intervals say how large these are, and districts whose intervals overlap must not "
        "be ranked.",
        "A model finds what goes together in the survey and in its inputs, not what causes what.",
    ]
    if district_map.has_images:
        limits.append("Photos show the streets that people chose to photograph, at the time when they did.")
    return Section("Method and limits", [Table(["", ""], how, (0.24, 0.76)), Items(limits)])


def _passport(district_map: DistrictMap) -> list[Section]:
    passport = district_map.passport
    if passport is None:
        return []
    told = [check for check in passport.worst_first if check.status in (FAIL, WARN)]
    unknown = [check.title for check in passport.checks if check.status == UNKNOWN]
    rows = [[check.status, check.title, check.figure_text or "–", check.says] for check in told]
    summary = passport.summary.removeprefix("SIMULATED. ")
    blocks: list[Block] = [Paragraph(f"{summary}. The files that predict writes hold the whole passport.")]
    if rows:
        blocks.append(Table(["Status", "Check", "Figure", "Finding"], rows, (0.09, 0.23, 0.1, 0.58)))
    if unknown:
        blocks.append(Paragraph(f"Not known: {'; '.join(unknown)}."))
    return [Section("Passport of the data", blocks)]


def _sources(district_map: DistrictMap) -> Section:
    blocks: list[Block] = [Paragraph(str(source_line(district_map)), "quiet")]
    if district_map.provenance.command:
        blocks.append(Paragraph(f"Command: {district_map.provenance.command}", "quiet"))
    return Section("Sources", blocks)
