"""`sample`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import NewFolder, Seed, app
from geolive.cli.next_steps import say_next
from geolive.errors import InputError

IMAGES_PER_PLACE_WITH_PHOTOS = 20


@app.command()
def sample(
    out: NewFolder,
    region: Annotated[
        str, typer.Option(help="A state of India, or india; Bihar starts from the real statistics of its districts.")
    ] = "bihar",
    seed: Seed = 0,
    paper_format: Annotated[
        bool,
        typer.Option(
            "--paper-format", help="Write data.csv and split lists in the format of the paper, to try ingest paper."
        ),
    ] = False,
    n_clusters: Annotated[
        int, typer.Option("--clusters", help="With --paper-format: number of clusters.", min=1)
    ] = 7117,
    with_images: Annotated[
        bool, typer.Option("--with-images", help="Draw each image as a street scene (SIMULATED), photos/KEY.jpg.")
    ] = False,
    most_images: Annotated[
        int | None,
        typer.Option(
            "--max-per-place",
            help="Largest number of images of a place; the default is 20 with --with-images, else 200.",
            min=1,
            max=200,
        ),
    ] = None,
    scenario: Annotated[
        str,
        typer.Option(help="Place of the signal in the photos: composition, few, arrangement, alike or none."),
    ] = "composition",
    with_features: Annotated[
        bool, typer.Option("--with-features", help="Add SIMULATED image features as the feature set simfeats.")
    ] = False,
    raster: Annotated[
        Path | None,
        typer.Option(
            help="A SIMULATED raster to write in addition (.tif); it holds a part of the wealth, and covariates can read "
            "it.",
            metavar="FILE",
        ),
    ] = None,
    ids: Annotated[
        Path | None,
        typer.Option(help="With --paper-format: folder of split lists, whose cluster ids are used.", metavar="DIR"),
    ] = None,
) -> None:
    """Make a dataset with a SIMULATED survey and SIMULATED imagery on real districts."""
    from geolive.console import say, step
    from geolive.files import check_new_folder

    check_new_folder(out)
    if raster is not None:
        from geolive.simulation.simulated_raster import check_raster_name, write_simulated_raster

        check_raster_name(raster)
    if paper_format:
        _write_synthetic_paper(out, ids, n_clusters, seed)
        return
    from geolive.simulation.sample import simulate, write_sample, write_sample_with_photos
    from geolive.wording import count_of

    if with_images and most_images is None:
        most_images = IMAGES_PER_PLACE_WITH_PHOTOS
    with step(f"Simulating survey and imagery in {region}"):
        simulated = simulate(region, seed, scenario=scenario, most_images=most_images, with_features=with_features)
    if with_images:
        with step(f"Drawing {out}") as progress:
            write_sample_with_photos(simulated, out, progress)
    else:
        with step(f"Writing {out}"):
            write_sample(simulated, out)
    if raster is not None:
        with step(f"Writing {raster}"):
            write_simulated_raster(raster, region, seed)
    dataset = simulated.dataset
    say(
        f"{out}: SIMULATED: {count_of(len(dataset.clusters), 'surveyed cluster')}, {count_of(len(dataset.images), 'image')}"
    )
    say_next(
        "predict", "--region", region, "--dataset", out, "--out", f"maps/{out.name}.html", to="a map of the sample"
    )


def _write_synthetic_paper(out: Path, ids: Path | None, n_clusters: int, seed: int) -> None:
    from geolive.console import say, step
    from geolive.simulation.synthetic_paper import write_synthetic_paper
    from geolive.wording import count_of

    if ids is None:
        raise InputError("--paper-format: name the folder of the split lists (train_clusters_ia.txt, …) with --ids")
    with step(f"Writing {out}") as progress:
        n_images = write_synthetic_paper(ids, n_clusters, out, seed, progress)
    say(
        f"{out}: SIMULATED: data.csv with {count_of(n_images, 'image')} of {count_of(n_clusters, 'cluster')}, and their split "
        "lists"
    )
    say_next(
        "ingest",
        "paper",
        out / "data.csv",
        "--splits",
        out,
        "--out",
        f"{out}-dataset",
        to="reads the table as a dataset",
    )
