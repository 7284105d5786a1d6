"""`embed`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geolive.cli.apps import (
    Address,
    BatchSize,
    DatasetArgument,
    DeviceName,
    EngineName,
    PhotosFolder,
    Precision,
    Workers,
    app,
)
from geolive.cli.next_steps import say_next

if TYPE_CHECKING:
    from geolive.vision.embedding import Added


@app.command("embed")
def embed_command(
    dataset: DatasetArgument,
    name: Annotated[str, typer.Option(help="Name of the feature set, for example resnet34.")],
    model: Annotated[
        str, typer.Option(help="resnet18, resnet34, resnet50, timm:NAME, or a folder of train imagewise.")
    ] = "resnet34",
    weights: Annotated[
        str | None,
        typer.Option(
            help="A file (safetensors, or .pth with only tensors), or none for random weights. The default is ImageNet "
            "weights from the hub or an installed package."
        ),
    ] = None,
    photos: PhotosFolder = None,
    dtype: Annotated[str, typer.Option(help="Number type of the file: float32 or float16.")] = "float32",
    device: DeviceName = "auto",
    precision: Precision = "auto",
    batch_size: BatchSize = None,
    workers: Workers = None,
    engine: EngineName = "local",
    address: Address = None,
) -> None:
    """Compute the features of each photo of a dataset by a network. If it is stopped, the same command continues the work."""
    from geolive.console import note, say, step
    from geolive.dataset_folder import read_dataset
    from geolive.engine.choosing import choose_engine
    from geolive.vision.embedding import embed_photos
    from geolive.wording import count_of

    chosen = choose_engine(engine, address)
    with step(f"Reading {dataset}"):
        data = read_dataset(dataset)
    with step(f"Computing features with {model}") as progress, chosen:
        added = embed_photos(
            data,
            name,
            model,
            weights,
            photos=photos,
            dtype=dtype,
            device=device,
            precision=precision,
            batch_size=batch_size,
            workers=workers,
            engine=chosen,
            progress=progress,
        )
    if weights == "none":
        note(
            "--weights none: the weights of the network are random, so its features say little; the dataset records this"
        )
    note_failures(dataset, added)
    simulated = "SIMULATED: " if data.simulated else ""
    say(
        f"{dataset}: {simulated}features {name!r}, {added.size} numbers of each of {added.images - len(added.failures):,} of "
        f"{count_of(added.images, 'photo')}"
    )
    say_next("info", dataset, to="shows what the dataset holds now")


def note_failures(dataset: Path, added: "Added") -> None:
    """Print whether interrupted work was continued, and which photos cannot be used."""
    from collections import Counter

    from geolive.console import note
    from geolive.wording import count_of

    if added.resumed_at:
        note(f"continued after {count_of(added.resumed_at, 'photo')}")
    for reason, number in Counter(added.failures.values()).most_common(5):
        note(f"{count_of(number, 'photo')} cannot be used: {reason}")
    if added.failures:
        note(f"they are listed in {dataset}/features/{added.name}.missing.parquet")
