"""`train gcn`: networks of photos."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geolive.cli.apps import (
    FEATURES_HELP,
    INPUTS_HELP,
    DatasetArgument,
    Jobs,
    MinImages,
    NewFolder,
    Nodes,
    Resume,
    Seed,
    Task,
    check_resume,
    train,
)
from geolive.cli.next_steps import say_next
from geolive.errors import InputError
from geolive.model_inputs import parse_inputs

if TYPE_CHECKING:
    from geolive.models.trained_model import TrainedModel

ARCHITECTURES = ("gcn", "mean-pooling", "attention", "stacked")
# those whose batches several devices can share
SHARED = ("gcn", "mean-pooling", "attention")


@train.command("gcn")
def train_gcn(
    dataset: DatasetArgument,
    out: NewFolder,
    indicator: Annotated[
        str,
        typer.Option(
            help="An indicator of the dataset; or several joined by commas, or 'all': one network is trained on them "
            "together, and each gets a bundle in the folder."
        ),
    ] = "pov",
    task: Task = "regression",
    arch: Annotated[
        str,
        typer.Option(
            help="stacked (attention and ridge regressions), gcn (the authors' network), mean-pooling or attention.",
        ),
    ] = "stacked",
    compat: Annotated[
        str | None,
        typer.Option(
            help="authors: with --arch gcn, exactly the network and the training of the authors' code, to compare with "
            "their figures, not to map.",
            metavar="authors",
        ),
    ] = None,
    inputs: Annotated[str, typer.Option(help=INPUTS_HELP)] = "objects",
    features: Annotated[str | None, typer.Option(help=FEATURES_HELP)] = None,
    min_images: MinImages = 0,
    edges: Annotated[
        str | None,
        typer.Option(
            help="With --arch gcn, edges between photos: distance, knn:8, random, delaunay, sequence, objects, "
            "similarity:cosine, similarity:jaccard, complete; or several joined by +."
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Largest number of passes over the training clusters.", min=1)
    ] = None,
    iterations: Annotated[
        int | None,
        typer.Option(
            help="Number of optimiser steps, in place of --epochs; with --compat authors 3,000 by default.", min=1
        ),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Number of clusters in a step.", min=1)] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate.", min=0)] = None,
    width: Annotated[int | None, typer.Option(help="Width of the first layer.", min=1)] = None,
    patience: Annotated[
        int,
        typer.Option(
            help="Hold out a fifth of the clusters, and stop after this many epochs without a better score on it; 0 trains "
            "all epochs.",
            min=0,
        ),
    ] = 0,
    search: Annotated[
        bool,
        typer.Option(
            "--search",
            help="Search for the best learning rate and width first, within the training clusters of each fold.",
        ),
    ] = False,
    curves: Annotated[
        Path | None, typer.Option(help="A picture of learning curves to write (.png, .svg or .pdf).", metavar="FILE")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    devices: Annotated[
        int | None,
        typer.Option(
            help="Number of devices of each host that share each batch; by default one, or the number that torchrun or "
            "srun started.",
            min=1,
        ),
    ] = None,
    nodes: Nodes = None,
    resume: Resume = False,
    jobs: Jobs = None,
    seed: Seed = 0,
) -> None:
    """Train a network of photos, in which each photo of a cluster is a vertex. If it is stopped, the same command continues."""
    import shutil

    from geolive.console import silence, step
    from geolive.dataset_folder import read_dataset
    from geolive.files import check_new_folder, work_folder
    from geolive.models.learning_curves import check_curves, draw_curves
    from geolive.models.registry import make_model
    from geolive.models.training import train_together
    from geolive.process_group import check_devices, joined, launched, start_processes

    kind = _kind(arch, compat)
    if epochs is not None and iterations is not None:
        raise InputError(
            f"--epochs {epochs} and --iterations {iterations} both set the length of training; leave one out"
        )
    check_new_folder(out)
    group = launched()
    check_devices(group, devices, nodes)
    if group or (devices or 1) > 1:
        _check_shared(kind)
    if curves is not None:
        check_curves(curves)
    given = {
        "edges": edges,
        "epochs": epochs,
        "iterations": iterations,
        "batch_size": batch_size,
        "learning_rate": lr,
        "width": width,
        "patience": patience or None,
        "search": search or None,
    }
    work = work_folder(out, "training")
    check_resume(resume, work, out)
    fixed = {"task": task, "random_state": seed, "inputs": inputs, "device": device, "checkpoints": work}
    model = make_model(kind, **fixed, **{name: value for name, value in given.items() if value is not None})
    model.check_parameters()
    if group is None and (devices or 1) > 1:
        assert devices is not None
        raise typer.Exit(start_processes(devices))
    with joined(group, device) as rank:
        if rank:
            silence()
        with step(f"Reading {dataset}"):
            data = read_dataset(dataset)
        names = data.indicators if indicator == "all" else indicator.split(",")
        chosen = data.feature_set(features) if "features" in parse_inputs(inputs) else None
        with step(f"Training {kind} on {', '.join(names)}") as progress:
            trained = train_together(
                data,
                model,
                names,
                features=chosen,
                min_images=min_images,
                random_state=seed,
                progress=progress,
                # processes that share each batch fit one fold together
                n_jobs=jobs if group is None else 1,
            )
    if rank:
        return
    _save(trained, out)
    shutil.rmtree(work, ignore_errors=True)
    if curves is not None:
        draw_curves({"all clusters": trained[names[0]].model.curves}, curves, data.simulated)
    first = out if len(trained) == 1 else out / names[0]
    if compat is None:
        say_next(
            "audit",
            first,
            "--dataset",
            dataset,
            to="checks the model; to draw a map with it, give it to predict --model",
        )
    else:
        _say_compare(dataset, names, task, inputs, chosen, out)


def _say_compare(dataset: Path, names: Sequence[str], task: str, inputs: str, features: str | None, out: Path) -> None:
    """Print the command that compares the authors' network with others, which is what it is for."""
    used = parse_inputs(inputs)
    row = "both" if len(used) > 1 else {"objects": "obj", "features": "feats"}[used[0]]
    words = ["--models", f"mean,gcn-authors-{row}", "--indicators", ",".join(names), "--tasks", task]
    words += [] if features is None else ["--features", features]
    say_next(
        "evaluate", dataset, *words, "--out", f"reports/{out.name}", to="compares the network, which is not to map"
    )


def _check_shared(kind: str) -> None:
    """Raise where several processes cannot share the batches of a network."""
    if kind not in SHARED:
        raise InputError(
            f"{kind} trains on one device; choose --arch {', '.join(SHARED[:-1])} or {SHARED[-1]}, or start one process without "
            "--devices"
        )


def _kind(arch: str, compat: str | None) -> str:
    """Return the name of the model in the table of models."""
    if arch not in ARCHITECTURES:
        raise InputError(f"--arch {arch}: must be {', '.join(ARCHITECTURES[:-1])} or {ARCHITECTURES[-1]}")
    if compat is None:
        return arch
    if compat != "authors":
        raise InputError(f"--compat {compat}: must be authors, or left out")
    if arch != "gcn":
        raise InputError(f"--compat authors: the authors have no network {arch}; add --arch gcn")
    return "gcn-authors"


def _save(trained: "dict[str, TrainedModel]", out: Path) -> None:
    """Write one bundle at `out`, or one for each indicator below it."""
    from geolive.cli.train import show_trained
    from geolive.files import new_folder
    from geolive.models.bundle import save_model

    if len(trained) == 1:
        (one,) = trained.values()
        save_model(one, out)
        show_trained(one, out)
        return
    with new_folder(out) as temporary:
        for name, one in trained.items():
            save_model(one, temporary / name)
    for name, one in trained.items():
        show_trained(one, out / name)
