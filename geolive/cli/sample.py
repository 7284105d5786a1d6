"""`sample`."""

from typing import Annotated

import typer

from geolive.cli.apps import NewFolder, Seed, app


@app.command()
def sample(
    out: NewFolder,
    region: Annotated[str, typer.Option(help="A state of India; Bihar starts from its real statistics.")] = "bihar",
    seed: Seed = 0,
) -> None:
    """Make a dataset with SIMULATED survey and imagery on real districts."""
    from geolive.files import check_new_folder
    from geolive.sources.sample import make_sample, write_sample
    from geolive.terminal import say, step

    check_new_folder(out)
    with step(f"Simulating survey and imagery in {region}"):
        made = make_sample(region, seed)
    with step(f"Writing {out}"):
        write_sample(made, out)
    dataset = made.dataset
    say(f"{out}: SIMULATED: {len(dataset.clusters)} surveyed clusters, {len(dataset.images)} images")
