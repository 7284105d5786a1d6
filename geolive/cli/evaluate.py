"""`evaluate`."""

from typing import Annotated

import typer

from geolive.cli.apps import DatasetArgument, NewFolder, Seed, Task, app, check_task
from geolive.errors import InputError


@app.command()
def evaluate(
    dataset: DatasetArgument,
    out: NewFolder,
    models: Annotated[str, typer.Option(help="'baselines', or names joined by commas.")] = "baselines",
    indicators: Annotated[
        str | None, typer.Option(help="Names joined by commas; all of the dataset's without it.")
    ] = None,
    task: Task = "regression",
    split: Annotated[
        list[str] | None,
        typer.Option(
            help="random (places), blocks:100km, district, or rows (leaks where places repeat); may be repeated."
        ),
    ] = None,
    neighbours: Annotated[int, typer.Option(help="Neighbours that the average of neighbours takes.", min=1)] = 10,
    seed: Seed = 0,
) -> None:
    """Compare models on the same folds of a dataset's surveyed clusters."""
    import pandas as pd

    from geolive.dataset import read_dataset
    from geolive.evaluation.protocols import compare, write_results
    from geolive.files import check_new_folder
    from geolive.models.registry import BASELINES, model_maker
    from geolive.splits import parse_split
    from geolive.terminal import note, say, show_results, step

    check_task(task)
    check_new_folder(out)
    names = [name for part in models.split(",") for name in (BASELINES if part == "baselines" else (part.strip(),))]
    makers = {name: model_maker(name, **({"k": neighbours} if name == "neighbours" else {})) for name in names}
    splitters = {name: parse_split(name, seed) for name in split or ["blocks:100km"]}
    with step(f"Reading {dataset}"):
        data = read_dataset(dataset)
    found = []
    for name, splitter in splitters.items():
        for indicator in indicators.split(",") if indicators else data.indicators:
            with step(f"Comparing {len(makers)} models of {indicator}, split {name}"):
                found.append(compare(data, makers, indicator, task, splitter, name, seed))
            show_results(found[-1][0], data.simulated)
        if name == "rows":
            note("split rows: rows of one place stand on both sides where places repeat, so these figures flatter")
    results, predictions = (pd.concat(tables, ignore_index=True) for tables in zip(*found, strict=True))
    write_results(results, predictions, out)
    say(f"{out}: results.csv, predictions.parquet")
    failed = results[results["protocol"].str.startswith("failed")].drop_duplicates(["model", "indicator", "split"])
    if len(failed):
        raise InputError(
            "; ".join(f"{row.model} ({row.indicator}, {row.split}) {row.protocol}" for row in failed.itertuples())
        )
