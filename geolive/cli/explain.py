"""`explain`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import DatasetArgument, NewFolder, Seed, app


@app.command()
def explain(
    bundle: Annotated[Path, typer.Argument(help="A trained forest on object counts.", metavar="BUNDLE")],
    dataset: DatasetArgument,
    out: NewFolder,
    seed: Seed = 0,
) -> None:
    """Say what a forest looks at: which objects matter, how predictions follow them, and a readable tree."""
    from geolive.dataset import read_dataset
    from geolive.evaluation.explain import explain_forest
    from geolive.evaluation.explain_page import write_explanation
    from geolive.figures import need_matplotlib
    from geolive.files import check_new_folder
    from geolive.models.bundle import load_bundle
    from geolive.terminal import say, show_table, step

    check_new_folder(out)
    need_matplotlib()
    with step(f"Opening {bundle}"):
        trained = load_bundle(bundle)
    with step(f"Reading {dataset}"):
        data = read_dataset(dataset)
    with step("Leaving out fold after fold"):
        found = explain_forest(data, trained, seed)
    with step(f"Writing {out}"):
        files = write_explanation(data, trained, found, out)
    top = found.importance.head(5)
    rows = [[row.group, f"{row.value:.3f}", f"{row.lower:.3f} to {row.upper:.3f}"] for row in top.itertuples()]
    simulated = "SIMULATED: " if data.simulated else ""
    show_table(f"{simulated}most important to {trained.card['model']}", ["objects", "growth of error", "95 %"], rows)
    say(f"A tree of three questions tells {found.fidelity:.2f} of the variance of the forest's predictions.")
    if found.truth:
        say(
            f"Rank correlation with the true loadings: {found.truth[0]:.2f}; "
            f"{found.truth[1]} of {found.truth[2]} true classes are among the {found.truth[2]} most important (simulated)."
        )
    say(f"{out}: {', '.join(files)}")
