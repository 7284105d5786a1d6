"""`train imagewise`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import (
    DatasetArgument,
    DeviceName,
    Indicator,
    MinImages,
    NewFolder,
    Nodes,
    PhotosFolder,
    Precision,
    Resume,
    Seed,
    Task,
    check_resume,
    train,
)
from geolive.cli.next_steps import say_next
from geolive.errors import InputError


@train.command("imagewise")
def train_imagewise_command(
    dataset: DatasetArgument,
    out: NewFolder,
    indicator: Indicator = "pov",
    task: Task = "regression",
    arch: Annotated[
        str,
        typer.Option(help="resnet18, resnet34, resnet50, timm:NAME, or an image-wise bundle that is trained further."),
    ] = "resnet34",
    epochs: Annotated[
        int, typer.Option(help="Number of passes over the training photos; 0 keeps the weights.", min=0)
    ] = 10,
    batch_size: Annotated[
        int, typer.Option(help="Number of photos in a step, over all devices and parts.", min=2)
    ] = 256,
    lr: Annotated[
        float | None,
        typer.Option(help="Highest learning rate; by default 1e-3, and 1e-4 in regression.", min=1e-8, max=1.0),
    ] = None,
    pretrained: Annotated[bool, typer.Option(help="Start with ImageNet weights, or with random weights.")] = True,
    weights: Annotated[
        Path | None, typer.Option(help="Start with the trunk's weights in this file.", metavar="FILE")
    ] = None,
    from_authors: Annotated[
        Path | None,
        typer.Option(
            help="Start with a network that the authors' code saved (ResNet34 with its head).", metavar="FILE"
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            help="Width and height in pixels; by default the size with which the weights were trained.",
            min=32,
            max=1024,
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="How clusters are divided: district, random, blocks:100km, official, …; by default district where all have one."
        ),
    ] = None,
    folds: Annotated[
        int,
        typer.Option(
            help="0: one training with a test part. K: K more trainings, so that each cluster has an out-of-fold "
            "prediction.",
            min=0,
        ),
    ] = 0,
    head: Annotated[
        str,
        typer.Option(
            help="linear, or tanh as in the authors' regression, which keeps predictions in the range of the training "
            "values.",
        ),
    ] = "linear",
    pool: Annotated[
        str,
        typer.Option(help="How a cluster is predicted: mean over its photos, or vote of its photos (classification)."),
    ] = "mean",
    min_images: MinImages = 0,
    patience: Annotated[
        int, typer.Option(help="Number of epochs without a better validation score after which training stops.", min=1)
    ] = 5,
    accumulate: Annotated[
        int,
        typer.Option(help="Number of parts of a batch, which are computed one after the other to save memory.", min=1),
    ] = 1,
    device: DeviceName = "auto",
    devices: Annotated[
        int | None,
        typer.Option(
            help="Number of devices of each host that share each batch; by default all CUDA devices, else one.", min=1
        ),
    ] = None,
    nodes: Nodes = None,
    resume: Resume = False,
    precision: Precision = "auto",
    workers: Annotated[int, typer.Option(help="Number of processes that read pixels, for each device.", min=0)] = 0,
    photos: PhotosFolder = None,
    logs: Annotated[
        Path | None,
        typer.Option(help="Folder of metrics.csv and the logs of TensorBoard; by default OUT.logs.", metavar="DIR"),
    ] = None,
    permute_labels: Annotated[
        bool,
        typer.Option(
            "--permute-labels", help="Permute the values among the clusters, to see the score by chance alone."
        ),
    ] = False,
    seed: Seed = 0,
) -> None:
    """Train a network on photos, one by one. If it is stopped, the same command continues after the last epoch that it wrote."""
    import shutil
    import sys

    from geolive.console import note, note_dropped, say, silence, step
    from geolive.dataset_folder import read_dataset
    from geolive.files import check_new_folder, work_folder

    check_new_folder(out)
    if from_authors and head != "linear":
        raise InputError(f"--head {head}: --from-authors has the head of its file; leave --head out")
    if from_authors and not pretrained:
        raise InputError("--no-pretrained: --from-authors names weights already; leave one of them out")
    from geolive.metrics import NAMES
    from geolive.models.bundle import save_model
    from geolive.process_group import check_devices, joined, launched
    from geolive.score_formulas import CONFUSION

    work = work_folder(out, "training")
    check_resume(resume, work, out)
    group = launched()
    check_devices(group, devices, nodes)
    with joined(group, device) as rank:
        if rank:
            silence()
        with step(f"Reading {dataset}"):
            data = read_dataset(dataset)
            data.labelled(indicator)
        from geolive.models.imagewise.training import train_imagewise

        logs = logs or out.parent / f"{out.name}.logs"
        note(f"scores of each epoch: {logs}")
        trained = train_imagewise(
            data,
            indicator,
            task=task,
            arch=arch,
            weights=weights if pretrained else "none",
            from_authors=from_authors,
            size=size,
            head=head,
            pool=pool,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=lr,
            patience=patience,
            accumulate=accumulate,
            split=split,
            folds=folds,
            min_images=min_images,
            photos=photos,
            device=device,
            devices=devices,
            nodes=nodes,
            precision=precision,
            workers=workers,
            random_state=seed,
            permute_labels=permute_labels,
            work=work,
            logs=logs,
            bar=sys.stderr.isatty(),
            progress=note,
        )
    if rank:
        return
    save_model(trained, out)
    shutil.rmtree(work, ignore_errors=True)
    note_dropped(trained.card.clusters_without_images, 0, trained.card.clusters_with_few_images)
    marks = ("PERMUTED LABELS: " if permute_labels else "") + ("SIMULATED: " if trained.card.simulated else "")
    judged = "left-out folds" if folds else "the test part"
    for words, metrics in (
        ("per cluster", trained.card.metrics),
        ("per image", trained.card.metrics_per_image),
    ):
        shown = {name: figure.value for name, figure in metrics.items() if name not in CONFUSION}
        figures = [f"{NAMES[name]} {value:.3f}" for name, value in shown.items() if value is not None]
        say(f"{out}: {marks}{trained.card.model}; {judged}, {words}: {', '.join(figures)}")
    note(trained.card.honest)
    say_next("audit", out, to="checks the model; to draw a map with it, give it to predict --model")
