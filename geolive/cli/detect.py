"""`detect`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import (
    Address,
    BatchSize,
    DatasetArgument,
    DeviceName,
    EngineName,
    PhotosFolder,
    Workers,
    app,
)
from geolive.cli.embed import note_failures
from geolive.cli.next_steps import say_next


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
        str, typer.Option(help="Name of the feature set of counts; models use objects by default.")
    ] = "objects",
    threshold: Annotated[float, typer.Option(help="Lowest confidence of an object that counts.", min=0, max=1)] = 0.5,
    weights: Annotated[
        Path | None, typer.Option(help="For torchvision:NAME, a file (safetensors, or .pth with only tensors).")
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(
            help="CSV of the model's classes: column name, and column class with the dataset's name of the class (empty to "
            "leave the class out).",
            metavar="FILE",
        ),
    ] = None,
    photos: PhotosFolder = None,
    device: DeviceName = "auto",
    batch_size: BatchSize = None,
    workers: Workers = None,
    engine: EngineName = "local",
    address: Address = None,
) -> None:
    """Count the objects in each photo of a dataset. If it is stopped, the same command continues the work."""
    from geolive.console import say, step
    from geolive.dataset_folder import read_dataset
    from geolive.engine.choosing import choose_engine
    from geolive.vision.counting import detect_objects
    from geolive.wording import count_of

    chosen = choose_engine(engine, address)
    with step(f"Reading {dataset}"):
        data = read_dataset(dataset)
    with step(f"Counting objects with {model}") as progress, chosen:
        added = detect_objects(
            data,
            model,
            name=name,
            threshold=threshold,
            weights=weights,
            classes=classes,
            photos=photos,
            device=device,
            batch_size=batch_size or 1,
            workers=workers,
            engine=chosen,
            progress=progress,
        )
    note_failures(dataset, added)
    simulated = "SIMULATED: " if data.simulated else ""
    say(
        f"{dataset}: {simulated}objects counted in {added.images - len(added.failures):,} of {count_of(added.images, 'photo')}"
    )
    say_next("info", dataset, to="shows what the dataset holds now")
