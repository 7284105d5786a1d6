"""`train clusterwise`, `train gcn`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import DatasetArgument, Indicator, NewFolder, Seed, Task, check_task, train


@train.command("clusterwise")
def train_clusterwise(
    dataset: DatasetArgument,
    out: NewFolder,
    indicator: Indicator = "pov",
    task: Task = "regression",
    trees: Annotated[int, typer.Option(help="Trees in the forest.", min=1)] = 100,
    seed: Seed = 0,
) -> None:
    """Train a random forest on the objects counted in each cluster's images."""
    _train(dataset, out, indicator, task, seed, "forest", trees=trees)


@train.command("gcn")
def train_gcn(
    dataset: DatasetArgument,
    out: NewFolder,
    indicator: Indicator = "pov",
    task: Task = "regression",
    edges: Annotated[
        str, typer.Option(help="Edges between a cluster's images: distance, knn:8 or random.")
    ] = "distance",
    epochs: Annotated[int | None, typer.Option(help="Passes over the training clusters.", min=1)] = None,
    seed: Seed = 0,
) -> None:
    """Train the graph network on the objects counted in each image."""
    _train(dataset, out, indicator, task, seed, "gcn", edges=edges, **({"epochs": epochs} if epochs else {}))


def _train(folder: Path, out: Path, indicator: str, task: str, seed: int, name: str, **options) -> None:
    from functools import partial

    from geolive.dataset import read_dataset
    from geolive.files import check_new_folder
    from geolive.metrics import NAMES
    from geolive.models.bundle import save_bundle
    from geolive.models.registry import model_maker
    from geolive.models.training import train
    from geolive.terminal import note_dropped, say, step

    check_task(task)
    check_new_folder(out)
    with step(f"Reading {folder}"):
        dataset = read_dataset(folder)
    with step(f"Training {name} on {indicator}") as tell:
        trained = train(
            dataset, partial(model_maker(name, **options), task=task, seed=seed), indicator, seed=seed, progress=tell
        )
    save_bundle(trained, out)
    note_dropped(trained.card)
    shown = {NAMES[name]: f"{value[0]:.3f}" for name, value in trained.card["metrics"].items() if value[0] is not None}
    kind = trained.card["folds"]["kind"]
    simulated = "SIMULATED: " if trained.card["simulated"] else ""
    say(
        f"{out}: {simulated}{trained.card['model']}; out of fold, whole {kind} left out: "
        + ", ".join(f"{metric} {figure}" for metric, figure in shown.items())
    )
