"""`explain`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import DatasetArgument, DeviceName, NewFolder, PhotosFolder, Seed, app
from geolive.errors import InputError


@app.command()
def explain(
    bundle: Annotated[Path, typer.Argument(help="A bundle of train clusterwise, gcn or imagewise.", metavar="BUNDLE")],
    dataset: DatasetArgument,
    out: NewFolder,
    gallery: Annotated[
        bool,
        typer.Option(
            "--gallery",
            help="Show the photos that weigh most (they may show people), with Grad-CAM for train imagewise.",
        ),
    ] = False,
    photos: PhotosFolder = None,
    device: DeviceName = "auto",
    seed: Seed = 0,
) -> None:
    """Say what a model looks at: which inputs matter, how predictions follow them, which photos weigh most in a place."""
    from geolive.console import note, say, step
    from geolive.dataset import read_dataset
    from geolive.explain.explanation import explain as find
    from geolive.explain.explanation import kind_of
    from geolive.explain.page import write_explanation
    from geolive.files import check_new_folder
    from geolive.map_plots import require_matplotlib
    from geolive.models.bundle import load_model

    check_new_folder(out)
    require_matplotlib()
    with step(f"Opening {bundle}"):
        trained = load_model(bundle)
        kind = kind_of(trained)
        if gallery and kind == "forest":
            raise InputError(f"--gallery: {trained.card.model} looks at no photo by itself; leave it out")
    with step(f"Reading {dataset}"):
        data = read_dataset(dataset)
    # what a gallery lacks is said before the long part
    files = _photo_files(data, photos, kind, gallery) if gallery or kind == "imagewise" else None
    with step("Looking at photos" if kind == "imagewise" else "Leaving out fold after fold") as tell:
        found = find(data, trained, seed, files=files, device=device, progress=tell)
    shown = None
    if gallery:
        from geolive.explain.gallery import draw_gallery

        with step("Drawing the gallery"):
            shown = draw_gallery(data, trained, found.weights, files)
    with step(f"Writing {out}"):
        written = write_explanation(data, trained, found, out, shown)
    for words in found.notes:
        note(words)
    _tell(trained, found, data.simulated)
    say(f"{out}: {', '.join(written)}")


def _photo_files(data, photos: Path | None, kind: str, gallery: bool):
    from geolive.vision.images import photo_files

    if gallery and kind == "imagewise":
        from geolive.explain.gradcam import check_captum

        check_captum()
    return photo_files(data, photos)


def _tell(trained, found, is_simulated: bool) -> None:
    from geolive.console import say, show_table

    simulated = "SIMULATED: " if is_simulated else ""
    if found.importance is not None:
        top = found.importance.head(5)
        rows = [[row.group, f"{row.value:.3f}", f"{row.lower:.3f} to {row.upper:.3f}"] for row in top.itertuples()]
        show_table(f"{simulated}most important to {trained.card.model}", ["inputs", "growth of error", "95 %"], rows)
    if found.tree:
        say(f"A tree of three questions tells {found.tree.fidelity:.2f} of the variance of the forest's predictions.")
    if truth := found.truth:
        say(
            f"Rank correlation with the true loadings: {truth.correlation:.2f} (at best {truth.best:.2f}); "
            f"{truth.found} of {truth.telling} true classes are among the {truth.telling} most important (simulated)."
        )
    if found.weights:
        weighed = found.weights.photos
        changes = weighed["change"].abs()
        say(
            f"{simulated}leaving out one of {len(weighed):,} photos changes its place's prediction by {changes.median():.3g} "
            f"(median), at most by {changes.max():.3g}"
        )
