"""`train clusterwise`, and what all training commands say at the end."""

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
    vertices: Annotated[
        str,
        typer.Option(help="What of the images is looked at: obj (object counts), feats (their mean features) or both."),
    ] = "obj",
    features: Annotated[
        str | None, typer.Option(help="Which feature set, for feats and both; may be left out where there is one.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Train a random forest on what each cluster's images show, summed or averaged."""
    _train(dataset, out, indicator, task, seed, "forest", features, trees=trees, vertices=vertices)


def _train(
    folder: Path, out: Path, indicator: str, task: str, seed: int, name: str, features: str | None, **options
) -> None:
    from functools import partial

    from geolive.console import step
    from geolive.dataset import read_dataset
    from geolive.files import check_new_folder
    from geolive.models.bundle import save_bundle
    from geolive.models.registry import model_maker
    from geolive.models.training import train

    check_task(task)
    check_new_folder(out)
    with step(f"Reading {folder}"):
        dataset = read_dataset(folder)
    chosen = dataset.feature_set(features) if options["vertices"] != "obj" else None
    make = partial(model_maker(name, **options), task=task, seed=seed)
    with step(f"Training {name} on {indicator}") as tell:
        trained = train(dataset, make, indicator, seed=seed, features=chosen, progress=tell)
    save_bundle(trained, out)
    tell_trained(trained, out)


def tell_trained(trained, out: Path) -> None:
    """Say how good a model is that was saved to a bundle."""
    from geolive.console import note_dropped, say
    from geolive.metrics import NAMES

    note_dropped(trained.card.clusters_without_images)
    shown = {NAMES[name]: f"{value[0]:.3f}" for name, value in trained.card.metrics.items() if value[0] is not None}
    kind = trained.card.folds.kind
    simulated = "SIMULATED: " if trained.card.simulated else ""
    say(
        f"{out}: {simulated}{trained.card.model}; out of fold, whole {kind} left out: "
        + ", ".join(f"{metric} {figure}" for metric, figure in shown.items())
    )
