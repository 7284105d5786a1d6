"""`explain`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geolive.cli.apps import DatasetArgument, DeviceName, NewFolder, PhotosFolder, Seed, app
from geolive.cli.next_steps import say_open

if TYPE_CHECKING:
    from geolive.explain.explanation import Explanation


@app.command()
def explain(
    bundle: Annotated[Path, typer.Argument(help="A bundle of train clusterwise, gcn or imagewise.", metavar="BUNDLE")],
    dataset: DatasetArgument,
    out: NewFolder,
    gallery: Annotated[
        bool,
        typer.Option(
            "--gallery",
            help="Show the photos that matter most, with Grad-CAM for train imagewise. Photos may show people.",
        ),
    ] = False,
    photos: PhotosFolder = None,
    device: DeviceName = "auto",
    seed: Seed = 0,
) -> None:
    """Explain a trained model: which inputs matter, how predictions follow them, which photos weigh most in a place."""
    from geolive.console import note, say, step
    from geolive.dataset_folder import read_dataset
    from geolive.explain.explanation import explain as explain_model
    from geolive.explain.explanation import kind_of
    from geolive.extras import require_extra
    from geolive.files import check_new_folder
    from geolive.models.bundle import load_model

    check_new_folder(out)
    require_extra("plots")
    with step(f"Opening {bundle}"):
        trained = load_model(bundle)
        kind_of(trained.model)
    with step(f"Reading {dataset}"):
        data = read_dataset(dataset)
    with step("Explaining") as progress:
        explanation = explain_model(
            data, trained, gallery=gallery, photos=photos, device=device, random_state=seed, progress=progress
        )
    with step(f"Writing {out}"):
        written = explanation.write_report(out)
    for words in explanation.notes:
        note(words)
    _show(explanation)
    say(f"{out}: {', '.join(written)}")
    say_open(out / "explain.html")


def _show(explanation: "Explanation") -> None:
    from geolive.console import say, show_table
    from geolive.wording import significant

    simulated = "SIMULATED: " if explanation.dataset.simulated else ""
    if explanation.importance is not None:
        top = explanation.importance.head(5)
        rows = [[row.group, f"{row.value:.3f}", f"{row.lower:.3f} to {row.upper:.3f}"] for row in top.itertuples()]
        title = f"{simulated}most important to {explanation.trained.card.model}"
        show_table(title, ["inputs", "growth of error", "95 %"], rows)
    if explanation.tree:
        say(f"A tree of three questions explains {explanation.tree.fidelity:.2f} of the variance of the predictions.")
    if truth := explanation.truth:
        say(
            f"Rank correlation with the true loadings: {truth.correlation:.2f} (at best {truth.best:.2f}); "
            f"{truth.n_identified} of {truth.n_loadings} true classes are among as many most important (simulated)."
        )
    if explanation.weights:
        photos = explanation.weights.photos
        changes = photos["change"].abs()
        say(
            f"{simulated}leaving out one of {len(photos):,} photos changes its place's prediction by "
            f"{significant(changes.median(), 3)} (median), at most by {significant(changes.max(), 3)}"
        )
