"""`evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import DatasetArgument, NewFolder, PhotosFolder, Seed, app
from geolive.errors import InputError


@app.command()
def evaluate(
    dataset: DatasetArgument,
    out: NewFolder,
    models: Annotated[
        str,
        typer.Option(
            help="'all' (but imagewise-trained), 'baselines', or names joined by commas; NAME+kriged adds kriged residuals, "
            "NAME+pooled-50 and NAME+own-country fit to half of each country's clusters, and country by country."
        ),
    ] = "baselines",
    indicators: Annotated[
        str | None, typer.Option(help="Names joined by commas; all of the dataset's without it.")
    ] = None,
    tasks: Annotated[
        str, typer.Option("--tasks", "--task", help="regression, classification, or both joined by a comma.")
    ] = "regression",
    split: Annotated[
        list[str] | None,
        typer.Option(
            help="random (places), blocks:100km, knndm, district, state, country, official (the dataset's lists), or rows "
            "(leaks where places repeat); may be repeated. Without it random and blocks:100km, side by side."
        ),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            help="nested (choices are made within the training part) or authors (on the clusters that figures are of)."
        ),
    ] = "nested",
    folds: Annotated[int | None, typer.Option(help="Number of folds; without it each split's own.", min=2)] = None,
    buffer: Annotated[
        str | None,
        typer.Option(
            help="Drop training clusters as near as that to the fold; 10km for blocks, districts, states and countries "
            "without it, and 0km for random folds and knndm."
        ),
    ] = None,
    features: Annotated[
        str | None, typer.Option(help="Feature set that models look at beside object counts.", metavar="NAME")
    ] = None,
    neighbours: Annotated[int, typer.Option(help="Neighbours that the average of neighbours takes.", min=1)] = 10,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the training clusters, for the graph networks.", min=1)
    ] = None,
    imagewise: Annotated[
        str,
        typer.Option(
            help="What imagewise-trained trains in every fold: resnet18, resnet34, resnet50, timm:NAME, or an image-wise bundle; "
            "then passes over the photos, and pixels on a side.",
            metavar="ARCH:EPOCHS:SIZE",
        ),
    ] = "resnet34:10",
    weights: Annotated[
        str | None,
        typer.Option(help="Its first weights: a file, or none for random ones; ImageNet's without it.", metavar="FILE"),
    ] = None,
    photos: PhotosFolder = None,
    repeats: Annotated[
        int, typer.Option(help="Partitions of a spatial split with fewer than 30 units.", min=1, max=50)
    ] = 5,
    seed: Seed = 0,
) -> None:
    """Compare models on the same folds of a dataset's surveyed clusters, and write a report.

    Stopped or killed, the same command goes on after the last finished row.
    """
    from geolive.console import note, step
    from geolive.dataset import read_dataset
    from geolive.evaluation.imagewise_options import imagewise_options, parse_imagewise
    from geolive.evaluation.model_specs import find_specs
    from geolive.evaluation.protocols import AUTHORS_WARNING, check_protocol
    from geolive.evaluation.resume import ResumeFolder
    from geolive.evaluation.setup import feature_set, splitter_for
    from geolive.evaluation.tasks import make_task
    from geolive.files import check_new_folder
    from geolive.splits import parse_km, parse_split

    wanted = _tasks(tasks)
    check_protocol(protocol)
    check_new_folder(out)
    names = split or ["random", "blocks:100km"]
    for name in names:
        parse_split(name, seed, folds)
    buffer_km = None if buffer is None else parse_km(buffer, f"--buffer {buffer!r}", "10km")
    parse_imagewise(imagewise)
    asked_for = find_specs(models)  # an unknown model is told before a large dataset is read
    with step(f"Reading {dataset}"):
        data = read_dataset(dataset)
    chosen = feature_set(data, features)
    options = {"gcn": {"epochs": epochs}, "attention": {"epochs": epochs}} if epochs else {}
    work, among = ResumeFolder(out), None
    if any("photos" in row.needs and not row.missing(data, chosen) for row in asked_for):
        with step("Decoding photos") as tell:
            settings = {"photos": photos, "weights": weights, "seed": seed, "progress": tell}
            options["imagewise-trained"] = imagewise_options(data, imagewise, work.path / "pixels", **settings)
        among = options["imagewise-trained"]["library"].ids
    rows = find_specs(models, neighbours, chosen, options)
    shown = {"objects", "images", "features", "photos"}
    looks = [row for row in rows if shown & set(row.needs) and not row.missing(data, chosen)]
    # a feature set that no row looks at must not decide which clusters count
    seen = chosen if any("features" in row.needs for row in looks) else None
    asked = indicators.split(",") if indicators else data.indicators
    with step("Making folds"):
        splitters = {name: splitter_for(data, name, seed, folds, buffer_km) for name in names}
        settings = {"features": seen, "needs_images": bool(looks), "among": among, "repeats": repeats, "held": {}}
        evaluation_tasks = [
            make_task(data, indicator.strip(), task, splitter, name, **settings)
            for task in wanted
            for indicator in asked
            for name, splitter in splitters.items()
        ]
    if protocol == "authors":
        note(AUTHORS_WARNING)
    if "rows" in names:
        note("split rows: rows of one place stand on both sides where places repeat, so these figures flatter")
    for words in dict.fromkeys(words for evaluation_task in evaluation_tasks for words in evaluation_task.notes):
        note(words)
    _answer(data, rows, evaluation_tasks, out, work, protocol, chosen, seed, named=models)


def _answer(
    data, rows, evaluation_tasks, out: Path, work, protocol: str, features: str | None, seed: int, named: str
) -> None:
    from geolive.console import note, say, show_row, show_task, step
    from geolive.evaluation.protocols import run_task
    from geolive.evaluation.report import write_report

    answers = []
    for number, evaluation_task in enumerate(evaluation_tasks):
        show_task(evaluation_task.indicator, evaluation_task.task, evaluation_task.split, data.simulated)
        of_all = f"({number + 1} of {len(evaluation_tasks)})"
        with step(
            f"{evaluation_task.indicator}, {evaluation_task.task}, split {evaluation_task.split} {of_all}"
        ) as tell:
            answers.append(
                run_task(
                    data, rows, evaluation_task, protocol=protocol, features=features, seed=seed, work=work, tell=tell,
                    show=show_row,
                )
            )  # fmt: skip
    with step(f"Writing {out}"):
        written = write_report(data, answers, out, protocol, seed)
    work.remove()
    lacking = {name: words for found in answers for name, words in found.lacking.items()}
    for words in dict.fromkeys(lacking.values()):
        note(f"not run: {', '.join(name for name, why in lacking.items() if why == words)}: {words}")
    for words in written.notes:
        note(words)
    say(f"{out}: {', '.join(written.files)}")
    _tell_failures(answers, {name.strip() for name in named.split(",")})


def _tell_failures(answers, named: set[str]) -> None:
    """Raise where a row failed, or a row asked for by name lacks its inputs."""
    failed, blame = [], InputError
    for found in answers:
        about = f"({found.evaluation_task.indicator}, {found.evaluation_task.split})"
        for name, error in found.failed.items():
            words = f"{type(error).__name__}: {error}"
            failed.append(f"{name} {about} failed: {words}")
            blame = blame if isinstance(error, InputError) else RuntimeError
        failed += [f"{name} {about} {words}" for name, words in found.lacking.items() if name in named]
    if failed:
        raise blame("; ".join(failed))


def _tasks(text: str) -> list[str]:
    tasks = [task.strip() for task in text.split(",")]
    for task in tasks:
        if task not in ("regression", "classification"):
            raise InputError(f"--tasks {task!r}: must be regression, classification, or both joined by a comma")
    return list(dict.fromkeys(tasks))
