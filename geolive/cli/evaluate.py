"""`evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geolive.cli.apps import DatasetArgument, Jobs, MinImages, NewFolder, PhotosFolder, Seed, app
from geolive.cli.next_steps import say_open
from geolive.cli.parameters import as_options
from geolive.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from geolive.evaluation.evaluation_result import Evaluation
    from geolive.evaluation.tasks import EvaluationTask


@app.command()
def evaluate(
    context: typer.Context,
    dataset: DatasetArgument,
    out: NewFolder,
    models: Annotated[
        str,
        typer.Option(
            help="'all' (without imagewise-trained), 'baselines', or names joined by commas. NAME+kriged adds kriged "
            "residuals. NAME+pooled-50 fits on half of each country's clusters, and NAME+own-country fits on each "
            "country alone."
        ),
    ] = "baselines",
    indicators: Annotated[
        str | None, typer.Option(help="Names joined by commas; by default all indicators of the dataset.")
    ] = None,
    tasks: Annotated[
        str, typer.Option("--tasks", "--task", help="regression, classification, or both joined by a comma.")
    ] = "regression",
    split: Annotated[
        list[str] | None,
        typer.Option(
            help="random (places), blocks:100km, knndm, district, state, country, official (the dataset's lists), or rows "
            "(leaks where places repeat). May be repeated. By default random and blocks:100km, side by side."
        ),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            help="nested (settings are chosen within the training part) or authors (settings are chosen on the test "
            "clusters; scores are optimistic)."
        ),
    ] = "nested",
    folds: Annotated[int | None, typer.Option(help="Number of folds; by default that of each split.", min=2)] = None,
    buffer: Annotated[
        str | None,
        typer.Option(
            help="Leave out training clusters that are nearer to the fold than this distance. The default is 10km for "
            "blocks, districts, states and countries, and 0km for random folds and knndm."
        ),
    ] = None,
    features: Annotated[
        str | None, typer.Option(help="Feature set that models use beside object counts.", metavar="NAME")
    ] = None,
    neighbours: Annotated[int, typer.Option(help="Number of clusters in the mean of the row neighbours.", min=1)] = 10,
    neighbour_images: Annotated[
        int, typer.Option(help="Number of images in the mean of the row neighbours-images.", min=1, metavar="N")
    ] = 1000,
    min_images: MinImages = 0,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Number of passes over the training clusters, for the networks of photos and for mlp.", min=1
        ),
    ] = None,
    iterations: Annotated[
        int | None,
        typer.Option(
            help="Steps of the optimiser of the networks of photos (not of mlp), in place of --epochs.", min=1
        ),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Clusters in a step of the networks of photos, and of mlp.", min=1)
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(help="Learning rate of the networks of photos, and of mlp; imagewise-trained has --imagewise."),
    ] = None,
    imagewise: Annotated[
        str,
        typer.Option(
            help="Network of imagewise-trained: resnet18, resnet34, resnet50, timm:NAME, or an image-wise bundle; then its "
            "epochs, and the pixels on a side.",
            metavar="ARCH:EPOCHS:SIZE",
        ),
    ] = "resnet34:10",
    weights: Annotated[
        str | None,
        typer.Option(
            help="First weights of imagewise-trained: a file, or none for random weights; by default ImageNet weights.",
            metavar="FILE",
        ),
    ] = None,
    head: Annotated[
        str,
        typer.Option(
            help="Last layer of imagewise-trained: linear, or tanh, which keeps predictions in the range of the training "
            "values."
        ),
    ] = "linear",
    pool: Annotated[
        str,
        typer.Option(
            help="How the rows imagewise and imagewise-trained predict a cluster: mean over its photos, or vote of its "
            "photos (classification)."
        ),
    ] = "mean",
    photos: PhotosFolder = None,
    repeats: Annotated[
        int, typer.Option(help="Number of partitions of a spatial split with fewer than 30 units.", min=1, max=50)
    ] = 5,
    jobs: Jobs = None,
    seed: Seed = 0,
) -> None:
    """Compare models on the same folds of a dataset's surveyed clusters, and write a report.

    If the command is stopped or killed, the same command continues after the last finished row.
    """
    from geolive.console import note, say, step
    from geolive.dataset_folder import read_dataset
    from geolive.evaluation.comparison import AUTHORS_WARNING, check_protocol
    from geolive.evaluation.evaluate import DEFAULT_SPLITS, ROWS_WARNING, ImagewiseSettings
    from geolive.evaluation.evaluate import evaluate as evaluate_models
    from geolive.evaluation.model_specs import find_specs
    from geolive.evaluation.resume import check_report_folder
    from geolive.evaluation.training_options import notes_on_options, training_options
    from geolive.splits import parse_km

    check_protocol(protocol)
    check_report_folder(out)
    specs = find_specs(models)  # an unknown name is reported before a large dataset is read
    for words in notes_on_options([spec.name for spec in specs], training_options(epochs, iterations, batch_size, lr)):
        note(as_options(words, context.command))
    with step(f"Reading {dataset}"):
        data = read_dataset(dataset)
    for words in [AUTHORS_WARNING] * (protocol == "authors") + [ROWS_WARNING] * ("rows" in (split or [])):
        note(words)
    printed: set[str] = set()

    def on_task(task: "EvaluationTask") -> None:
        for words in task.notes:
            if words not in printed:
                note(words)
        printed.update(task.notes)
        _show_task(task, data.simulated)

    with step(f"Evaluating, and writing {out}") as progress:
        evaluation = evaluate_models(
            data,
            models,
            indicators,
            split=split or DEFAULT_SPLITS,
            task=tasks,
            protocol=protocol,
            features=features,
            n_splits=folds,
            buffer_km=None if buffer is None else parse_km(buffer, f"--buffer {buffer!r}", "10km"),
            n_neighbors=neighbours,
            n_neighbor_images=neighbour_images,
            min_images=min_images,
            epochs=epochs,
            iterations=iterations,
            batch_size=batch_size,
            learning_rate=lr,
            imagewise=ImagewiseSettings(imagewise, weights, photos, head, pool),
            repeats=repeats,
            random_state=seed,
            out=out,
            progress=progress,
            on_task=on_task,
            on_row=_show_row,
            n_jobs=jobs,
        )
    _show_end(evaluation, out, say, note)
    _raise_failures(evaluation, {name.strip() for name in models.split(",")})


_COLUMNS = {
    "regression": ("r2", "rmse", "pearson_r"),
    "classification": ("accuracy", "balanced_accuracy", "auc"),
}


def _show_task(task: "EvaluationTask", simulated: bool) -> None:
    """Print the head of a table that fills row by row."""
    from geolive.console import say
    from geolive.metrics import NAMES

    mark = "SIMULATED: " if simulated else ""
    say("")
    say(f"{mark}{task.indicator}, {task.task}, split {task.split}, out of fold (95 % interval)", "bold")
    countries = task.clusters["country"].nunique()
    heads = "".join(
        f"{NAMES[metric]:>25}" for metric in _columns(task.task, countries > 1, task.sample_sizes is not None)
    )
    say(f"{'model':<30}{'n':>7}{heads}", "bold")


def _columns(task: str, within_countries: bool, rates: bool) -> tuple[str, ...]:
    """Return the figures that the terminal shows; with several countries also R² within them, of rates also their density."""
    within = ("r2_within_country",) if task == "regression" and within_countries else ()
    return (_COLUMNS[task][0], *within, *_COLUMNS[task][1:], *(("log_density",) if rates else ()))


def _show_row(results: "pd.DataFrame") -> None:
    """Print the figures of one row, or why it has none."""
    from geolive.console import say
    from geolive.evaluation.tables import NOT_OUT_OF_FOLD

    first, figures = results.iloc[0], results.set_index("metric")
    if first["protocol"].startswith(("failed", "not run")):
        say(f"{first['model']:<30}{'–':>7}  {first['protocol']}")
        return
    shown = [metric for metric in _columns(first["task"], True, True) if metric in figures.index]
    cells = [_cell(*figures.loc[metric, ["value", "lower", "upper"]].to_numpy(float)) for metric in shown]
    apart = " (not out of fold)" if first["protocol"].startswith(NOT_OUT_OF_FOLD) else ""
    say(f"{first['model']:<30}{first['n']:>7,}" + "".join(f"{cell:>25}" for cell in cells) + apart)


def _cell(value: float, lower: float, upper: float) -> str:
    """Format a figure and its interval; a single place has no interval."""
    if value != value:
        return "–"
    return _brief(value) if lower != lower else f"{_brief(value)} [{_brief(lower)}, {_brief(upper)}]"


def _brief(value: float) -> str:
    """Format a figure with three decimals, and with none for figures from 100 on: columns must not meet."""
    return f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"


def _show_end(evaluation: "Evaluation", out: Path, say, note) -> None:
    """Print which rows were not run, what was found, and which files were written."""
    from geolive.evaluation.opening import opening_sentences
    from geolive.evaluation.report import FILES
    from geolive.extras import has_extra

    lacking = evaluation.lacking
    for words in dict.fromkeys(lacking.values()):
        note(f"not run: {', '.join(name for name, why in lacking.items() if why == words)}: {words}")
    if not has_extra("plots"):
        note("the report has no plots, because matplotlib is not installed; run: pip install matplotlib")
    for (indicator, task), sentences in opening_sentences(evaluation.task_results, evaluation.protocol).items():
        say("")
        say(f"{'SIMULATED: ' if evaluation.dataset.simulated else ''}{indicator}, {task}. {' '.join(sentences)}")
    say("")
    say(f"{out}: {', '.join(FILES)}")
    say_open(Path(out) / "report.html")


def _raise_failures(evaluation: "Evaluation", named: set[str]) -> None:
    """Raise where a row failed, or a row that was asked for by name lacks its inputs."""
    failed: list[str] = []
    blame: type[Exception] = InputError
    for result in evaluation.task_results:
        about = f"({result.task.indicator}, {result.task.split})"
        for name, error in result.failed.items():
            failed.append(f"{name} {about} failed: {type(error).__name__}: {error}")
            blame = blame if isinstance(error, InputError) else RuntimeError
        failed += [f"{name} {about} {words}" for name, words in result.lacking.items() if name in named]
    if failed:
        raise blame("; ".join(failed))
