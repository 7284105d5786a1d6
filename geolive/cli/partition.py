"""`partition`."""

from typing import Annotated

import typer

from geolive.cli.apps import DatasetArgument, NewFolder, app
from geolive.cli.next_steps import say_next


@app.command()
def partition(
    dataset: DatasetArgument,
    out: NewFolder,
    by: Annotated[
        str,
        typer.Option(
            help="country; quadkey:LEVEL or h3:RESOLUTION, by country and cell; or none, to join the partitions again.",
            metavar="SCHEME",
        ),
    ] = "quadkey:6",
) -> None:
    """Copy a dataset with its images in a file for each country and cell, or with all images in one file again."""
    from geolive.console import note, say, step
    from geolive.dataset_facts import read_facts
    from geolive.partitioning import partition_dataset
    from geolive.wording import count_of

    with step(f"Dividing {dataset}") as progress:
        made = partition_dataset(dataset, by, out, progress=progress)
    facts = read_facts(out)
    if "photos_folder" in facts["extra"]:
        note(f"photos were not copied; they are read from {facts['extra']['photos_folder']}")
    simulated = "SIMULATED: " if facts["simulated"] else ""
    images = count_of(facts["counts"]["images"], "image")
    say(f"{out}: {simulated}{images} in {'one file' if made is None else count_of(len(made), 'partition')}")
    say_next("info", out, to="shows what the dataset holds")
