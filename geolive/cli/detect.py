"""`detect`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import BatchSize, DatasetArgument, DeviceName, PhotosFolder, Workers, app
from geolive.cli.embed import report


@app.command("detect")
def detect_command(
    dataset: DatasetArgument,
    model: Annotated[
        str,
        typer.Option(
            help="A Mask2Former on the hub or in a folder, or torchvision:NAME with --weights.", metavar="NAME|PATH"
        ),
    ] = "facebook/mask2former-swin-large-mapillary-vistas-panoptic",
    name: Annotated[
        str, typer.Option(help="What to call the counts; models look at objects unless they are told otherwise.")
    ] = "objects",
    threshold: Annotated[float, typer.Option(help="Least confidence of an object to be counted.", min=0, max=1)] = 0.5,
    weights: Annotated[
        Path | None, typer.Option(help="For torchvision:NAME, a file (safetensors, or .pth with tensors alone).")
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(
            help="CSV of the model's classes: name, and class, the dataset's name for it, or empty to leave it out.",
            metavar="FILE",
        ),
    ] = None,
    photos: PhotosFolder = None,
    device: DeviceName = "auto",
    batch_size: BatchSize = None,
    workers: Workers = None,
) -> None:
    """Count the objects in each photo of a dataset. Stopped or killed, the same command goes on from there."""
    from geolive.console import note, say, step
    from geolive.dataset import check_feature_name, read_dataset
    from geolive.vision.classes import dataset_classes, match_classes, read_classes, stuff_classes
    from geolive.vision.counting import count_objects
    from geolive.vision.detectors import load_detector
    from geolive.vision.devices import choose_device, choose_workers
    from geolive.vision.images import photo_files

    with step(f"Reading {dataset}"):
        data = read_dataset(dataset)
        check_feature_name(data, name)
        files = photo_files(data, photos)
    names, renamed = read_classes(classes) if classes else (None, None)
    chosen = choose_device(device, "float32")
    with step(f"Loading {model}"):
        detector = load_detector(
            model,
            threshold=threshold,
            stuff=lambda detected: stuff_classes(match_classes(detected, dataset_classes(data), model, renamed)),
            weights=weights,
            classes=names,
            device=chosen.name,
        )
    with step(f"Counting objects on {chosen.name}") as progress:
        added = count_objects(
            data,
            files,
            detector,
            name=name,
            renamed=renamed,
            batch_size=batch_size or 1,
            workers=choose_workers(workers, chosen),
            progress=progress,
        )
    report(dataset, added, note)
    simulated = "SIMULATED: " if data.simulated else ""
    say(f"{dataset}: {simulated}objects counted in {added.images - len(added.failures):,} of {added.images:,} photos")
