"""Diagnostics of a map's composite estimates, as a table and as a page with plots."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from geolive.errors import InputError
from geolive.estimation.diagnostics import AreaDiagnostics, diagnose_areas
from geolive.extras import require_extra
from geolive.files import replacing
from geolive.mapping.district_map import DistrictMap
from geolive.mapping.output_check import check_outputs_free
from geolive.pages import page_templates
from geolive.svg_plots import COLOURS, svg_plot, with_unique_ids
from geolive.wording import count_of, decimal_text, decimals_to_show, number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES = (".html", ".csv")


def diagnose(district_map: DistrictMap) -> AreaDiagnostics:
    """Collect the diagnostics of a map's composite estimates; see `DistrictMap.diagnostics`."""
    table = _surveyed(district_map)
    estimates = table.set_index("district")[["direct", "synthetic", "estimate", "mse", "gamma"]]
    return diagnose_areas(estimates, table["sampling_variance"].to_numpy(), _effects(table))


def write_diagnostics(district_map: DistrictMap, path: str | Path) -> Path:
    """Write the diagnostics as a page with plots (`.html`) or as a table of the surveyed districts (`.csv`).

    Parameters
    ----------
    district_map : DistrictMap
    path : str or Path
        A file of that name is replaced.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InputError
        Another ending, or the map has no composite estimates.

    Examples
    --------
    >>> import tempfile
    >>> import geolive as gl
    >>> dataset = gl.make_sample("bihar", n_clusters=80, n_sites=60, most_images=5)
    >>> result = gl.predict(dataset, gl.train(dataset, gl.Forest(n_estimators=5), "pov"), "bihar")
    >>> path = write_diagnostics(result, Path(tempfile.mkdtemp()) / "diagnostics.csv")
    >>> pd.read_csv(path).columns[:4].tolist()
    ['district_id', 'district', 'n_clusters', 'direct']
    """
    path = _with_ending(path)
    made = _csv(district_map) if path.suffix == ".csv" else _page(district_map)
    with replacing(path) as temporary:
        temporary.write_bytes(made.encode("utf-8", "replace"))
    return path


def check_diagnostics_free(path: Path, others: Sequence[Path]) -> None:
    """Raise, before any work, if the diagnostics could not be written or would overwrite what geolive did not write.

    Parameters
    ----------
    path : Path
    others : sequence of Path
        Inputs, and outputs of other names.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_diagnostics_free(Path("maps/pov.pdf"), [])
    Traceback (most recent call last):
    geolive.errors.InputError: maps/pov.pdf: diagnostics are written as .html or .csv; give a name that ends so
    """
    check_outputs_free([_with_ending(path)], [], exports=False)
    if any(path.resolve() == other.resolve() for other in others):
        raise InputError(f"{path}: is read or written as something else; give the diagnostics another name")
    if path.suffix == ".html":
        require_extra("plots")


def _with_ending(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: diagnostics are written as .html or .csv; give a name that ends so")
    return path


def _surveyed(district_map: DistrictMap) -> pd.DataFrame:
    """The districts with surveyed clusters, of the map or not: the composite was fitted to all of them."""
    if district_map.areas is None:
        raise InputError(
            f"diagnostics: the map has no composite estimates. {district_map.estimator_about}", parameter="diagnostics"
        )
    if district_map.estimator == "spatial":
        raise InputError(
            "diagnostics: are for districts that do not inform each other; leave estimator='spatial' out",
            parameter="diagnostics",
        )
    table = district_map.areas[district_map.areas["n_clusters"] > 0].reset_index()
    twice = table["district"].duplicated(keep=False)
    names = table["district"].where(~twice, table["district"] + " " + table["district_id"].astype(str))
    return table.assign(district=names, mse=table["error"] ** 2)


def _effects(table: pd.DataFrame) -> pd.DataFrame:
    """Residuals of the districts under the model, in the columns of `FayHerriot.area_effects`."""
    residual, gamma, variance = table["direct"] - table["synthetic"], table["gamma"], table["sampling_variance"]
    columns = {
        "residual": residual,
        "standardised_residual": residual / np.sqrt(variance / (1 - gamma)),
        "area_effect": gamma * residual,
        "sampling_residual": (1 - gamma) * residual / np.sqrt(variance),
    }
    return pd.DataFrame(columns).set_index(table["district"])


def _csv(district_map: DistrictMap) -> str:
    table, found = _surveyed(district_map), diagnose(district_map)
    estimates = ["direct", "sampling_variance", "synthetic", "estimate", "mse", "gamma"]
    shown = table[["district_id", "district", "n_clusters", *estimates]]
    effects = _effects(table).reset_index(drop=True)[["standardised_residual"]]
    variation = found.variation.reset_index(drop=True)[["cv_direct", "cv_estimate", "reduction"]]
    about = {"simulated": district_map.provenance.simulated, "made_with": f"geolive {district_map.provenance.version}"}
    joined = pd.concat([shown, effects, variation], axis=1).assign(**about)
    return joined.to_csv(index=False, lineterminator="\n", float_format="%.6g")


def _page(district_map: DistrictMap) -> str:
    table, found = _surveyed(district_map), diagnose(district_map)
    digits = decimals_to_show(table[["direct", "estimate"]].to_numpy(float))
    residuals = _effects(table)["standardised_residual"].to_numpy()
    unit, simulated = district_map.indicator.unit, district_map.provenance.simulated
    plots = [
        (lambda axes: _draw_direct(axes, table, unit), "The composite against the survey's own mean. Points on the line did not "
         "move; the composite moves others towards what the model predicts."),
        (lambda axes: _draw_shrinkage(axes, table), "How much the survey counts in a district, by its number of surveyed places. "
         "Districts with few places rely more on the model."),
        (lambda axes: _draw_normality(axes, residuals), "Standardised residuals (survey less model) against those of a normal "
         "distribution. Points far from the line are districts that the model does not describe."),
    ]  # fmt: skip
    rows = []
    for name, row in found.disagreements.iterrows():
        values = [decimal_text(row[column], digits) for column in ("direct", "synthetic", "estimate")]
        rows.append([name, *values, f"{round(100 * row['gamma'])} %", decimal_text(row["z"], 1)])
    return (
        page_templates("geolive.mapping")
        .get_template("diagnostics.html")
        .render(
            map=district_map,
            plots=[(with_unique_ids(svg_plot(draw, simulated), i), words) for i, (draw, words) in enumerate(plots)],
            sentences=[*_sentences(table, found), *_benchmark_words(district_map)],
            rows=rows,
        )
    )


def _sentences(table: pd.DataFrame, found: AreaDiagnostics) -> list[str]:
    """What the tests say, in words."""
    normal, brown = found.normality.loc["standardised_residual"], found.brown
    reduction = found.variation["reduction"]
    verdict = "no sign against" if normal["p_value"] >= 0.05 else "evidence against"
    coherent = (
        "do not differ by more than their errors explain"
        if brown.p_value >= 0.05
        else "differ by more than their errors explain"
    )
    return [
        f"The composite is fitted to {count_of(len(table), 'surveyed district')}.",
        f"The composite's root mean squared error is {reduction.median():.0f} % smaller than the survey's in the median "
        f"district ({reduction.min():.0f} % to {reduction.max():.0f} %), by the model's own reckoning.",
        f"Normality: the Shapiro-Wilk test of the standardised residuals gives p = {number_text(normal['p_value'], 2)}, "
        f"{verdict} a normal distribution (skewness {number_text(normal['skewness'], 2)}, excess kurtosis "
        f"{number_text(normal['excess_kurtosis'], 2)}).",
        f"Coherence: the test of Brown et al. (2001) gives p = {number_text(brown.p_value, 2)} (statistic "
        f"{number_text(brown.statistic)}, {brown.n_areas} degrees of freedom): composite and survey {coherent}. The test rejects "
        "too rarely, since the survey is part of the composite.",
    ]


def _benchmark_words(district_map: DistrictMap) -> list[str]:
    if f"{district_map.indicator.name}_unbenchmarked" not in district_map.districts:
        return []
    return ["All figures on this page are of the composite before benchmarking."]


def _draw_direct(axes: "Axes", table: pd.DataFrame, unit: str) -> None:
    ends = [table[["direct", "estimate"]].to_numpy().min(), table[["direct", "estimate"]].to_numpy().max()]
    axes.plot(ends, ends, color="#999999", linewidth=1)
    axes.scatter(table["direct"], table["estimate"], s=16, color=COLOURS[0], zorder=3)
    axes.set_xlabel(f"Survey alone, {unit}")
    axes.set_ylabel(f"Composite, {unit}")


def _draw_shrinkage(axes: "Axes", table: pd.DataFrame) -> None:
    axes.scatter(table["n_clusters"], 100 * table["gamma"], s=16, color=COLOURS[0], zorder=3)
    axes.set_ylim(0, 102)
    axes.set_xlim(0, None)
    axes.set_xlabel("Surveyed places in the district")
    axes.set_ylabel("Weight of the survey, %")


def _draw_normality(axes: "Axes", residuals: np.ndarray) -> None:
    from scipy.stats import norm

    quantiles = norm.ppf((np.arange(len(residuals)) + 0.5) / len(residuals))
    ends = [min(quantiles[0], residuals.min()), max(quantiles[-1], residuals.max())]
    axes.plot(ends, ends, color="#999999", linewidth=1)
    axes.scatter(quantiles, np.sort(residuals), s=16, color=COLOURS[0], zorder=3)
    axes.set_xlabel("Normal distribution")
    axes.set_ylabel("Standardised residual")
