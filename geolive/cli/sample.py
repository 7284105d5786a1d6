"""`sample`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import NewFolder, Seed, app
from geolive.errors import InputError

PICTURES_A_PLACE = 20


@app.command()
def sample(
    out: NewFolder,
    region: Annotated[str, typer.Option(help="A state of India; Bihar starts from its real statistics.")] = "bihar",
    seed: Seed = 0,
    paper_format: Annotated[
        bool,
        typer.Option("--paper-format", help="Write data.csv and split lists as the paper's, to try ingest paper on."),
    ] = False,
    clusters: Annotated[int, typer.Option(help="With --paper-format: how many clusters.", min=1)] = 7117,
    with_images: Annotated[
        bool, typer.Option("--with-images", help="Draw each image as a street scene (SIMULATED), photos/KEY.jpg.")
    ] = False,
    max_per_place: Annotated[
        int | None,
        typer.Option(help="Images of a place at most; 20 with --with-images, else 200.", min=1, max=200),
    ] = None,
    world: Annotated[
        str,
        typer.Option(help="Where in the photos the signal sits: composition, few, arrangement, alike or none."),
    ] = "composition",
    with_features: Annotated[
        bool, typer.Option("--with-features", help="Add SIMULATED image features, the feature set simfeats.")
    ] = False,
    ids: Annotated[
        Path | None, typer.Option(help="With --paper-format: folder of split lists to take ids from.", metavar="DIR")
    ] = None,
) -> None:
    """Make a dataset with SIMULATED survey and imagery on real districts."""
    from geolive.console import say, step
    from geolive.files import check_new_folder

    check_new_folder(out)
    if paper_format:
        _write_standin(out, ids, clusters, seed)
        return
    from geolive.simulation.sample import simulate, write_sample, write_sample_with_photos

    most = PICTURES_A_PLACE if with_images and max_per_place is None else max_per_place
    with step(f"Simulating survey and imagery in {region}"):
        made = simulate(region, seed, world=world, most_images=most, with_features=with_features)
    if with_images:
        with step(f"Drawing {out}") as tell:
            write_sample_with_photos(made, out, tell)
    else:
        with step(f"Writing {out}"):
            write_sample(made, out)
    dataset = made.dataset
    say(f"{out}: SIMULATED: {len(dataset.clusters)} surveyed clusters, {len(dataset.images)} images")


def _write_standin(out: Path, ids: Path | None, clusters: int, seed: int) -> None:
    from geolive.console import say, step
    from geolive.simulation.synthetic_paper import write_standin

    if ids is None:
        raise InputError("--paper-format: name the folder of the split lists (train_clusters_ia.txt, …) with --ids")
    with step(f"Writing {out}") as tell:
        n_images = write_standin(ids, clusters, out, seed, tell)
    say(f"{out}: SIMULATED: data.csv with {n_images:,} images of {clusters:,} clusters, and their split lists")
