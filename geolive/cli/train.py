"""`train clusterwise`, and what all training commands print at the end."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geolive.cli.apps import DatasetArgument, Indicator, NewFolder, Seed, Task, check_task, train
from geolive.errors import InputError

if TYPE_CHECKING:
    from geolive.models.interface import Model
    from geolive.models.trained_model import TrainedModel


@train.command("clusterwise")
def train_clusterwise(
    dataset: DatasetArgument,
    out: NewFolder,
    indicator: Indicator = "pov",
    task: Task = "regression",
    estimator: Annotated[
        str, typer.Option(help="forest, extra-trees, boosting, ridge or knn.", metavar="NAME")
    ] = "forest",
    trees: Annotated[
        int | None, typer.Option(help="Number of trees; by default 100. Not for ridge and knn.", min=1)
    ] = None,
    vertices: Annotated[
        str,
        typer.Option(
            help="What the model uses of images: obj (object counts), feats (their mean features) or both. Not for knn."
        ),
    ] = "obj",
    features: Annotated[
        str | None, typer.Option(help="Which feature set, for feats and both; may be left out where there is one.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Train a forest, or another scikit-learn estimator, on what each cluster's images show, summed or averaged."""
    from geolive.console import step
    from geolive.dataset import read_dataset
    from geolive.files import check_new_folder
    from geolive.models.bundle import save_model
    from geolive.models.training import train

    check_task(task)
    model = _model(estimator, task, seed, trees, vertices)
    if features is not None and vertices == "obj":
        raise InputError(
            f"--features {features}: object counts alone are used; add --vertices feats or --vertices both"
        )
    check_new_folder(out)
    with step(f"Reading {dataset}"):
        data = read_dataset(dataset)
    chosen = data.feature_set(features) if vertices != "obj" else None
    with step(f"Training {estimator} on {indicator}") as progress:
        trained = train(data, model, indicator, features=chosen, random_state=seed, progress=progress)
    save_model(trained, out)
    show_trained(trained, out)


def _model(estimator: str, task: str, seed: int, trees: int | None, vertices: str) -> "Model":
    """Make the unfitted model that the options name."""
    from geolive.models.registry import CLUSTERWISE, find_kind

    if estimator not in CLUSTERWISE:
        raise InputError(f"--estimator {estimator}: must be one of {', '.join(CLUSTERWISE)}")
    model = find_kind(estimator).load_class()(task=task, random_state=seed)
    known = model.get_params(deep=False)
    if trees is not None:
        if "n_estimators" not in known:
            raise InputError(f"--trees {trees}: {estimator} has no trees; leave --trees out")
        model.set_params(n_estimators=trees)
    if "vertices" in known:
        model.set_params(vertices=vertices)
    elif vertices != "obj":
        raise InputError(f"--vertices {vertices}: {estimator} uses object counts only; leave --vertices out")
    model.check_parameters()
    return model


def show_trained(trained: "TrainedModel", out: Path) -> None:
    """Print how good a model is that was saved to a bundle."""
    from geolive.console import note_dropped, say
    from geolive.metrics import NAMES

    card = trained.card
    note_dropped(card.clusters_without_images)
    figures = [f"{NAMES[name]} {figure.value:.3f}" for name, figure in card.metrics.items() if figure.value is not None]
    simulated = "SIMULATED: " if card.simulated else ""
    say(f"{out}: {simulated}{card.model}; out of fold, whole {card.folds.kind} left out: {', '.join(figures)}")
