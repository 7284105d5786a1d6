"""`train gcn`: networks of photos."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import DatasetArgument, NewFolder, Seed, Task, check_task, train
from geolive.errors import InputError

ARCHITECTURES = ("gcn", "mean-pooling", "attention", "stacked")


@train.command("gcn")
def train_gcn(
    dataset: DatasetArgument,
    out: NewFolder,
    indicator: Annotated[
        str,
        typer.Option(
            help="pov, pop, bmi, or any that the dataset has; several, with commas between, or 'all' are learnt together, and "
            "each gets a bundle in the folder."
        ),
    ] = "pov",
    task: Task = "regression",
    arch: Annotated[
        str,
        typer.Option(
            help="stacked (attention and lines on summaries), gcn (the authors' network), mean-pooling or attention.",
        ),
    ] = "stacked",
    vertices: Annotated[
        str, typer.Option(help="What a photo brings: obj (object counts), feats (image features) or both.")
    ] = "obj",
    features: Annotated[
        str | None, typer.Option(help="Which feature set, for feats and both; may be left out where there is one.")
    ] = None,
    edges: Annotated[
        str | None,
        typer.Option(help="Edges between photos: distance, knn:8, random, delaunay, sequence, objects; joined by +."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training clusters, at most.", min=1)] = None,
    batch_size: Annotated[int | None, typer.Option(help="Clusters a step.", min=1)] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate.", min=0)] = None,
    width: Annotated[int | None, typer.Option(help="Width of the first layer.", min=1)] = None,
    patience: Annotated[
        int, typer.Option(help="Hold out a fifth, stop after so many epochs without gain there; 0: train all.", min=0)
    ] = 0,
    search: Annotated[
        bool,
        typer.Option(
            "--search", help="Try learning rates and widths first, within the training clusters of each fold."
        ),
    ] = False,
    curves: Annotated[
        Path | None, typer.Option(help="Draw learning curves to this .png, .svg or .pdf.", metavar="FILE")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    seed: Seed = 0,
) -> None:
    """Train a network of photos: each photo of a cluster is a vertex. Stopped and started again, it goes on where it was."""
    from geolive.console import step
    from geolive.dataset import read_dataset
    from geolive.files import check_new_folder
    from geolive.models.learning_curves import check_curves, draw_curves

    check_task(task)
    if arch not in ARCHITECTURES:
        raise InputError(f"--arch {arch!r}: must be {', '.join(ARCHITECTURES)}")
    check_new_folder(out)
    if curves is not None:
        check_curves(curves)
    given = {"vertices": vertices, "edges": edges, "epochs": epochs, "batch_size": batch_size, "learning_rate": lr}
    given |= {"width": width, "patience": patience, "search": search, "device": device}
    options = {name: value for name, value in given.items() if value is not None}
    with step(f"Reading {dataset}"):
        data = read_dataset(dataset)
    names = data.indicators if indicator == "all" else indicator.split(",")
    chosen = data.feature_set(features) if vertices != "obj" else None
    work = out.parent / f".{out.name}.training"
    with step(f"Training {arch} on {', '.join(names)}") as tell:
        made, trained = _train(data, arch, names, task, seed, chosen, options, work, tell)
    _save(trained, out, work)
    if curves is not None:
        draw_curves(_named_curves(made), curves, data.simulated)


def _train(data, arch, names, task, seed, features, options, work: Path, tell):
    """The fitted models in the order they were made (the one of all clusters last), and what is known of each indicator."""
    from geolive.models.registry import find_kind
    from geolive.models.training import train as train_one
    from geolive.models.training import train_together

    model, made = find_kind(arch).load_class()(task=task, seed=seed, progress=tell, **options), []

    def prepare(copy):
        # each fit keeps its state in a file of its own, found again by its number
        copy._checkpoint = work / f"fit-{len(made)}.safetensors"
        made.append(copy)

    common = {"random_state": seed, "features": features, "progress": tell, "prepare": prepare}
    if len(names) == 1:
        return made, {names[0]: train_one(data, model, names[0], **common)}
    return made, train_together(data, model, names, **common)


def _save(trained: dict, out: Path, work: Path) -> None:
    """One bundle at `out`, or one for each indicator under it; then the checkpoints are needed no more."""
    import shutil

    from geolive.cli.train import show_trained
    from geolive.files import new_folder
    from geolive.models.bundle import save_model

    if len(trained) == 1:
        (one,) = trained.values()
        save_model(one, out)
        show_trained(one, out)
    else:
        with new_folder(out) as temporary:
            for name, one in trained.items():
                save_model(one, temporary / name)
        for name, one in trained.items():
            show_trained(one, out / name)
    shutil.rmtree(work, ignore_errors=True)


def _named_curves(made: list) -> dict:
    folds = {f"fold {number} left out": model.curve for number, model in enumerate(made[:2], start=1)}
    return {"all clusters": made[-1].curve} | folds
