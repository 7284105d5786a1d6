"""`embed`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import BatchSize, DatasetArgument, DeviceName, PhotosFolder, Precision, Workers, app


@app.command("embed")
def embed_command(
    dataset: DatasetArgument,
    name: Annotated[str, typer.Option(help="What to call the feature set, for example resnet34.")],
    model: Annotated[
        str, typer.Option(help="resnet18, resnet34, resnet50, timm:NAME, or a bundle of train imagewise.")
    ] = "resnet34",
    weights: Annotated[
        str | None,
        typer.Option(
            help="A file (safetensors, or .pth with tensors alone), or none for random ones; else ImageNet's, from the hub or "
            "from an installed package."
        ),
    ] = None,
    photos: PhotosFolder = None,
    dtype: Annotated[str, typer.Option(help="float32 or float16, of the file.")] = "float32",
    device: DeviceName = "auto",
    precision: Precision = "auto",
    batch_size: BatchSize = None,
    workers: Workers = None,
) -> None:
    """Turn each photo of a dataset into a feature, by a network. Stopped or killed, the same command goes on from there."""
    from geolive.console import note, say, step
    from geolive.dataset import check_feature_name, read_dataset
    from geolive.vision.backbones import load_backbone
    from geolive.vision.devices import choose_device
    from geolive.vision.embedding import embed
    from geolive.vision.images import photo_files

    with step(f"Reading {dataset}"):
        data = read_dataset(dataset)
        check_feature_name(data, name)
        files = photo_files(data, photos)
    chosen = choose_device(device, precision)
    with step(f"Loading {model}"):
        backbone = load_backbone(model, weights)
    if backbone.weights["source"] == "none":
        note(
            "--weights none: the network's weights are random, and its features tell next to nothing; recorded as such"
        )
    with step(f"Embedding with {backbone.arch} on {chosen.name}, {chosen.precision}") as progress:
        added = embed(
            data,
            files,
            backbone,
            name,
            device=chosen,
            dtype=dtype,
            batch_size=batch_size,
            workers=workers,
            progress=progress,
        )
    report(dataset, added, note)
    simulated = "SIMULATED: " if data.simulated else ""
    say(
        f"{dataset}: {simulated}features {name!r}, {added.size} numbers of each of {added.images - len(added.failures):,} of "
        f"{added.images:,} photos"
    )


def report(dataset: Path, added, note) -> None:
    """Progress where the work was taken up, and which photos could not be used."""
    import collections

    if added.resumed_at:
        note(f"taken up at photo {added.resumed_at:,}")
    for reason, number in collections.Counter(added.failures.values()).most_common(5):
        note(f"{number:,} photos cannot be used: {reason}")
    if added.failures:
        note(f"they are listed in {dataset}/features/{added.name}.missing.parquet")
