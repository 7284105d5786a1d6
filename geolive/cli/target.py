"""`target`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import Seed, app
from geolive.cli.next_steps import say_open
from geolive.errors import InputError


@app.command()
def target(
    file: Annotated[
        Path,
        typer.Argument(
            help="Districts with an estimate and its error: a file of predict or estimate, or any CSV.", metavar="FILE"
        ),
    ],
    budget: Annotated[str, typer.Option(help="A number of districts (10) or a share of the people (25%).")],
    out: Annotated[Path, typer.Option(help="A .csv file to write, with one row for each district.", metavar="FILE")],
    value: Annotated[
        str | None,
        typer.Option(
            help="Column with the estimates; by default estimate, or the indicator of a map.", metavar="COLUMN"
        ),
    ] = None,
    highest: Annotated[
        bool | None,
        typer.Option(
            "--highest/--lowest",
            help="The end of the values that is poor: --highest for poverty rates; by default the end from which the map "
            "counts ranks.",
        ),
    ] = None,
    mse: Annotated[
        str | None,
        typer.Option(help="Column with mean squared errors; by default VALUE_mse, or the interval.", metavar="COLUMN"),
    ] = None,
    level: Annotated[float, typer.Option(help="Level of the file's intervals.", min=0.5, max=0.99)] = 0.9,
    direct: Annotated[
        str | None, typer.Option(help="Column with the values by the survey alone.", metavar="COLUMN")
    ] = None,
    predicted: Annotated[
        str | None, typer.Option(help="Column with the values by the model alone.", metavar="COLUMN")
    ] = None,
    people: Annotated[
        str | None, typer.Option(help="Column with the people of each district.", metavar="COLUMN")
    ] = None,
    id: Annotated[str | None, typer.Option(help="Column with the districts' ids.", metavar="COLUMN")] = None,
    truth: Annotated[
        Path | None, typer.Option(help="A table with the true values, for the real errors.", metavar="FILE")
    ] = None,
    truth_column: Annotated[
        str | None,
        typer.Option(help="Column of --truth with the true values; by default that of --value.", metavar="COLUMN"),
    ] = None,
    truth_id: Annotated[
        str | None, typer.Option(help="Column of --truth with the ids; by default that of --id.", metavar="COLUMN")
    ] = None,
    confidence: Annotated[float, typer.Option(help="Level of the confidence sets.", min=0.5, max=0.99)] = 0.9,
    plot: Annotated[Path | None, typer.Option(help="A picture to write (.png, .svg or .pdf).", metavar="FILE")] = None,
    seed: Seed = 0,
) -> None:
    """Choose the poorest districts within a budget, and show how sure that choice is."""
    from geolive.console import say, step
    from geolive.estimation.ranks import stepdown_words
    from geolive.estimation.target_plot import plot_target
    from geolive.estimation.target_report import assess_target
    from geolive.estimation.target_table import read_target_table, read_truth
    from geolive.estimation.targeting import Budget
    from geolive.files import replacing, write_csv

    amount = Budget.parse(budget)
    errors_out = out.with_name(f"{out.stem}_errors.csv")
    _check_files(file, truth, truth_column, out, errors_out, plot)
    with step(f"Reading {file}"):
        table = read_target_table(
            file, value, mse=mse, level=level, direct=direct, predicted=predicted, people=people, id=id
        )
        true = truth and read_truth(truth, truth_column or table.value, table.districts.index, truth_id or id)
    with step(f"Comparing {len(table.districts)} districts"):
        report = assess_target(table, amount, highest=highest, truth=true, level=confidence, seed=seed)
    with step("Writing the results"):
        for path, written in ((out, report.districts), (errors_out, report.errors)):
            with replacing(path) as temporary:
                write_csv(written, temporary, index=written is report.districts)
        if plot is not None:
            plot_target(report, plot)
    say(report.words)
    if words := stepdown_words(len(report.districts)):
        say(words)
    say(f"Written: {', '.join(str(path) for path in (out, errors_out, plot) if path)}")
    say_open(plot or out)


def _check_files(
    file: Path, truth: Path | None, truth_column: str | None, out: Path, errors_out: Path, plot: Path | None
) -> None:
    """Raise InputError where a file cannot be written, before any work."""
    if out.suffix.lower() != ".csv":
        raise InputError(f"--out {out}: must end with .csv")
    if plot is not None and plot.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InputError(f"--plot {plot}: must end with .png, .svg or .pdf")
    if truth is None and truth_column is not None:
        raise InputError(f"--truth-column {truth_column}: is a column of the truth table; add --truth FILE")
    given = {path.resolve() for path in (file, truth) if path is not None}
    for path in (out, errors_out, plot):
        if path is not None and path.resolve() in given:
            raise InputError(f"{path}: is an input, and geolive does not overwrite inputs; choose another name")
