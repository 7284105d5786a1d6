"""`train imagewise`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import (
    DatasetArgument,
    DeviceName,
    Indicator,
    NewFolder,
    PhotosFolder,
    Precision,
    Seed,
    Task,
    check_task,
    train,
)
from geolive.errors import InputError


@train.command("imagewise")
def train_imagewise_command(
    dataset: DatasetArgument,
    out: NewFolder,
    indicator: Indicator = "pov",
    task: Task = "regression",
    arch: Annotated[
        str,
        typer.Option(help="resnet18, resnet34, resnet50, timm:NAME, or an image-wise bundle to learn on from."),
    ] = "resnet34",
    epochs: Annotated[int, typer.Option(help="Passes over the training photos; 0 keeps the weights.", min=0)] = 10,
    batch_size: Annotated[int, typer.Option(help="Photos a step, over all devices and parts.", min=2)] = 256,
    lr: Annotated[
        float | None,
        typer.Option(help="Highest learning rate; without it 1e-3, and 1e-4 in regression.", min=1e-8, max=1.0),
    ] = None,
    pretrained: Annotated[bool, typer.Option(help="Begin with ImageNet's weights, or with random ones.")] = True,
    weights: Annotated[
        Path | None, typer.Option(help="Begin with the trunk's weights in this file.", metavar="FILE")
    ] = None,
    from_authors: Annotated[
        Path | None,
        typer.Option(
            help="Begin with a network that the authors' code saved (ResNet34 with its head).", metavar="FILE"
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(help="Pixels on a side; without it what the weights were trained with.", min=32, max=1024),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="How clusters are parted: district, random, blocks:100km, official, …; district where all have one."
        ),
    ] = None,
    folds: Annotated[
        int, typer.Option(help="0: one training with a test part. K: K more, for a prediction of each cluster.", min=0)
    ] = 0,
    patience: Annotated[int, typer.Option(help="Epochs without a better validation score before it stops.", min=1)] = 5,
    accumulate: Annotated[int, typer.Option(help="Parts of a batch, one after the other, to save memory.", min=1)] = 1,
    device: DeviceName = "auto",
    devices: Annotated[
        int | None, typer.Option(help="Devices that share each batch; without it all CUDA devices, else one.", min=1)
    ] = None,
    precision: Precision = "auto",
    workers: Annotated[int, typer.Option(help="Processes that read pixels, for each device.", min=0)] = 0,
    photos: PhotosFolder = None,
    logs: Annotated[
        Path | None, typer.Option(help="Folder for metrics.csv and TensorBoard; OUT.logs without it.", metavar="DIR")
    ] = None,
    permute_labels: Annotated[
        bool, typer.Option("--permute-labels", help="Give clusters each other's values: what chance alone reaches.")
    ] = False,
    seed: Seed = 0,
) -> None:
    """Train a network on photos, one by one. Stopped or killed, the same command goes on from the last whole epoch."""
    import sys

    from geolive.console import note, note_dropped, say, step
    from geolive.dataset import read_dataset
    from geolive.files import check_new_folder

    # what is quickly told comes before what is slowly loaded
    check_task(task)
    check_new_folder(out)
    if from_authors and (weights or not pretrained):
        raise InputError("--from-authors: has weights of its own; leave --weights and --no-pretrained out")
    with step(f"Reading {dataset}"):
        data = read_dataset(dataset)
        data.labelled(indicator)

    import torch

    from geolive.metrics import NAMES
    from geolive.models.bundle import save_model
    from geolive.models.imagewise.model import load_authors_weights, load_pretrained
    from geolive.models.imagewise.training import LEARNING_RATE, check_lightning, remove_work, train_imagewise
    from geolive.vision.devices import choose_device
    from geolive.vision.images import photo_files

    check_lightning()
    from geolive.models.imagewise.learner import Settings

    files = photo_files(data, photos)
    chosen = choose_device(device, precision)
    if from_authors:
        pretrained = load_authors_weights(from_authors, task, size)
    else:
        source = weights if weights else (None if pretrained else "none")
        pretrained = load_pretrained(task, arch, weights=source, size=size, seed=seed)
    if split is None:
        split = "district" if data.clusters["district_id"].notna().all() else "blocks:100km"
    settings = Settings(
        task=task,
        seed=seed,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=lr or LEARNING_RATE[task],
        patience=patience,
        device=chosen,
        devices=devices or (torch.cuda.device_count() if chosen.name == "cuda" else 1),
        accumulate=accumulate,
        workers=workers,
        bar=sys.stderr.isatty(),
    )
    work = out.parent / f".{out.name}.training"
    logs = logs or out.parent / f"{out.name}.logs"
    where = f"{pretrained.arch}, {pretrained.preprocessing.crop} pixels, on {settings.devices} × {chosen.name}"
    note(f"training {where}, {chosen.precision}; figures of each epoch: {logs}")
    trained = train_imagewise(
        data,
        files,
        pretrained,
        indicator,
        settings,
        work,
        split=split,
        folds=folds,
        permute=permute_labels,
        logs=logs,
        progress=note,
    )
    save_model(trained, out)
    remove_work(work)
    note_dropped(trained.card.clusters_without_images)
    simulated = "SIMULATED: " if trained.card.simulated else ""
    permuted = "PERMUTED LABELS: " if permute_labels else ""
    card = trained.card
    for words, metrics in (("per cluster", card.metrics), ("per image", card.metrics_per_image)):
        figures = [f"{NAMES[name]} {figure.value:.3f}" for name, figure in metrics.items() if figure.value is not None]
        judged = "left-out folds" if folds else "the test part"
        say(f"{out}: {permuted}{simulated}{trained.card.model}; {judged}, {words}: {', '.join(figures)}")
    note(trained.card.honest)
