"""`train clusterwise`, and what all training commands print at the end."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geolive.cli.apps import (
    FEATURES_HELP,
    INPUTS_HELP,
    DatasetArgument,
    Indicator,
    MinImages,
    NewFolder,
    Seed,
    Task,
    check_task,
    train,
)
from geolive.cli.next_steps import say_next
from geolive.errors import InputError
from geolive.model_inputs import parse_inputs, photo_inputs

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
        str | None,
        typer.Option(
            help="ensemble, forest, extra-trees, boosting, boosting-authors, ridge, knn, or a model that another package adds "
            "(plugins lists them); by default ensemble, and with covariates alone forest.",
            metavar="NAME",
        ),
    ] = None,
    trees: Annotated[
        int | None,
        typer.Option(
            help="Number of trees; by default 100, three times 20 for ensemble, and 300 for boosting-authors in "
            "regression. Not for ridge and knn.",
            min=1,
        ),
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option(
            help="Depth of the trees; by default 3 for boosting, and 7 for boosting-authors, as in the authors' code.",
            min=1,
        ),
    ] = None,
    inputs: Annotated[str, typer.Option(help=f"{INPUTS_HELP} Not for knn.")] = "objects",
    features: Annotated[str | None, typer.Option(help=FEATURES_HELP)] = None,
    min_images: MinImages = 0,
    seed: Seed = 0,
) -> None:
    """Train the default model of predict, a forest or another estimator on what each cluster's images show."""
    from geolive.console import step
    from geolive.dataset_folder import read_dataset
    from geolive.files import check_new_folder
    from geolive.models.bundle import save_model
    from geolive.models.training import train

    check_task(task)
    estimator = estimator or _default_estimator(inputs)
    model = _model(estimator, task, seed, trees, depth, inputs)
    if features is not None and "features" not in parse_inputs(inputs):
        raise InputError(
            f"--features {features}: --inputs {inputs} uses no image features; add --inputs features or --inputs objects,features"
        )
    check_new_folder(out)
    with step(f"Reading {dataset}"):
        data = read_dataset(dataset)
    chosen = data.feature_set(features) if "features" in parse_inputs(inputs) else None
    with step(f"Training {estimator} on {indicator}") as progress:
        trained = train(
            data, model, indicator, features=chosen, min_images=min_images, random_state=seed, progress=progress
        )
    save_model(trained, out)
    show_trained(trained, out)
    say_next(
        "audit", out, "--dataset", dataset, to="checks the model; to draw a map with it, give it to predict --model"
    )


def _default_estimator(inputs: str) -> str:
    """Return the model that `predict` fits by default to these inputs."""
    from geolive.models.registry import DEFAULT_MODEL, DEFAULT_WITHOUT_PHOTOS

    return DEFAULT_MODEL if photo_inputs(inputs) else DEFAULT_WITHOUT_PHOTOS


def _model(estimator: str, task: str, seed: int, trees: int | None, depth: int | None, inputs: str) -> "Model":
    """Make the unfitted model that the options name."""
    from geolive.models.registry import ADDED_MODELS, CLUSTERWISE, find_kind

    if estimator not in CLUSTERWISE and estimator not in ADDED_MODELS:
        names = (*CLUSTERWISE, *ADDED_MODELS.names())
        raise InputError(f"--estimator {estimator}: must be one of {', '.join(names)}")
    kind = find_kind(estimator)
    if not kind.kept:
        raise InputError(f"--estimator {estimator}: cannot be saved in a bundle; fit it each time with predict --model")
    model = kind.load_class()().for_task(task, seed)
    known = model.get_params(deep=False)
    if trees is not None:
        if "n_estimators" not in known:
            raise InputError(f"--trees {trees}: {estimator} has no trees; leave --trees out")
        model.set_params(n_estimators=trees)
    if depth is not None:
        if "max_depth" not in known:
            raise InputError(f"--depth {depth}: only boosting and boosting-authors have it; leave --depth out")
        model.set_params(max_depth=depth)
    if task not in model.tasks:
        raise InputError(f"--task {task}: {estimator} can do {' and '.join(model.tasks)}; leave --task out")
    if "inputs" in known:
        model.set_params(inputs=inputs)
    elif parse_inputs(inputs) != ("objects",) and estimator not in CLUSTERWISE:
        raise InputError(f"--inputs {inputs}: {estimator} takes no such option; leave --inputs out")
    elif parse_inputs(inputs) != ("objects",):
        raise InputError(f"--inputs {inputs}: {estimator} uses object counts only; leave --inputs out")
    model.check_parameters()
    return model


def show_trained(trained: "TrainedModel", out: Path) -> None:
    """Print how good a model is that was saved to a bundle."""
    from geolive.console import note_dropped, say
    from geolive.metrics import NAMES
    from geolive.score_formulas import CONFUSION

    card = trained.card
    note_dropped(card.clusters_without_images, card.clusters_without_covariates, card.clusters_with_few_images)
    shown = {name: figure.value for name, figure in card.metrics.items() if name not in CONFUSION}
    figures = [f"{NAMES[name]} {value:.3f}" for name, value in shown.items() if value is not None]
    simulated = "SIMULATED: " if card.simulated else ""
    say(f"{out}: {simulated}{card.model}; out of fold, whole {card.folds.kind} left out: {', '.join(figures)}")
