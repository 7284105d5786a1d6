"""`estimate`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import Seed, estimate
from geolive.cli.next_steps import say_next
from geolive.errors import InputError

_SHOWN = 10


@estimate.command()
def areas(
    table: Annotated[
        Path, typer.Argument(help="Table with one row for each area (.csv or .parquet).", metavar="TABLE")
    ],
    direct: Annotated[
        str,
        typer.Option(
            help="Column of direct estimates; its cells are empty for areas without a survey.", metavar="COLUMN"
        ),
    ],
    area: Annotated[str, typer.Option(help="Column that names the areas.", metavar="COLUMN")],
    out: Annotated[Path, typer.Option(help="Table to write (.csv).", metavar="FILE")],
    covariates: Annotated[
        str,
        typer.Option(
            help="Columns joined by commas; text columns become dummies, and factor(NAME) makes dummies of numbers.",
            metavar="COLUMNS",
        ),
    ] = "",
    variance: Annotated[
        str | None, typer.Option(help="Column of the direct estimates' sampling variances.", metavar="COLUMN")
    ] = None,
    sample_size: Annotated[
        str | None,
        typer.Option(
            help="In place of --variance: column of sample sizes; variances are proportional to their inverses, and the "
            "factor is estimated.",
            metavar="COLUMN",
        ),
    ] = None,
    effective_sample_size: Annotated[
        str | None,
        typer.Option(
            help="In place of --variance with --transformation arcsine: column of effective sample sizes.",
            metavar="COLUMN",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(help="Column of groups, such as countries; each group gets its own model.", metavar="COLUMN"),
    ] = None,
    proximity: Annotated[
        Path | None,
        typer.Option(
            help="Row-standardised matrix in the table's order (.csv), for the spatial model.", metavar="FILE"
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="ampl (default), amrl, ampl_yl, reml, ml or fh; with --proximity reml (default) or ml."),
    ] = None,
    transformation: Annotated[str | None, typer.Option(help="arcsine or logit, for rates in [0, 1].")] = None,
    intercept: Annotated[bool, typer.Option(help="Whether the regression has an intercept.")] = True,
    level: Annotated[float, typer.Option(help="Probability of the intervals.")] = 0.95,
    interval: Annotated[str, typer.Option(help="normal or bootstrap.")] = "normal",
    seed: Seed = 0,
    benchmark: Annotated[
        str | None,
        typer.Option(
            help="ratio, difference or bell-datta-ghosh: make the estimates add up to the target; needs --population."
        ),
    ] = None,
    population: Annotated[str | None, typer.Option(help="Column of the areas' populations.", metavar="COLUMN")] = None,
    target: Annotated[
        float | None,
        typer.Option(
            help="Value that the population-weighted mean must equal; by default the weighted mean of the direct estimates."
        ),
    ] = None,
) -> None:
    """Estimate areas from direct estimates and covariates by a Fay-Herriot model."""
    from geolive.console import say, step
    from geolive.estimation.area_table import estimate_areas, read_area_table
    from geolive.estimation.proximity import read_proximity
    from geolive.files import replacing, write_csv

    if out.resolve() == table.resolve():
        raise InputError(f"--out {out}: is the table itself; give another file")
    data = read_area_table(table, area)
    with step("Estimating areas"):
        result = estimate_areas(
            data,
            direct=direct,
            covariates=[name.strip() for name in covariates.split(",") if name.strip()],
            area=area,
            variance=variance,
            sample_size=sample_size,
            effective_sample_size=effective_sample_size,
            group=group,
            proximity=None if proximity is None else read_proximity(proximity),
            method=method,
            transformation=transformation,
            fit_intercept=intercept,
            level=level,
            interval=interval,
            random_state=seed,
            benchmark_method=benchmark,
            population=population,
            target=target,
        )
    with replacing(out) as path:
        write_csv(result.table, path)
    for name, model in result.models.items():
        _show_model(name, model)
    _show_areas(result.table, level)
    say(f"Written: {out}")
    targets = out.with_name(f"{out.stem}_target.csv")
    choice = ("target", out, "--budget", 1, "--id", area, "--out", targets)
    say_next(*choice, to="chooses the lowest area; add --highest for rates of poverty")


def _show_model(name: str, model) -> None:
    from geolive.console import note, say, show_table
    from geolive.wording import significant

    say(f"{name}: {model.summary()}")
    rows = [[str(term), *(significant(value, 4) for value in row)] for term, *row in model.coefficients_.itertuples()]
    show_table("Coefficients", ["term", "coefficient", "standard error", "z", "p-value"], rows)
    for words in model.warnings_:
        note(f"{name}: {words}")


def _show_areas(table, level: float) -> None:
    from geolive.console import show_table
    from geolive.wording import percent_text, significant

    columns = ["direct", "synthetic", "estimate", "lower", "upper", "gamma"]
    shown = table.head(_SHOWN)
    rows = [
        [str(area), *("–" if value != value else significant(value, 4) for value in row)]
        for area, *row in shown[["area", *columns]].itertuples(index=False)
    ]
    which = "All" if len(shown) == len(table) else f"First {len(shown)} of"
    title = f"{which} {len(table):,} areas, {percent_text(level)} intervals"
    show_table(title, ["area", *columns], rows)
