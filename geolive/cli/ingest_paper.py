"""`ingest paper` and `ingest features`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import NewFolder, ingest


@ingest.command("paper")
def ingest_paper(
    file: Annotated[
        str, typer.Argument(help="The paper's data.csv, plain, gzip or zstd; - for standard input.", metavar="DATA.csv")
    ],
    splits: Annotated[
        Path, typer.Option(help="Folder with the split lists (train_clusters_ia.txt, …).", metavar="DIR")
    ],
    out: NewFolder,
    strict: Annotated[bool, typer.Option("--strict", help="Stop where any row cannot be used.")] = False,
) -> None:
    """Read the paper's table: an image a row, with its objects and its cluster's survey."""
    from geolive.dataset import write_dataset
    from geolive.files import check_new_folder
    from geolive.sources.paper import UNMATCHED, count_reasons, read_paper
    from geolive.terminal import note, say, step

    check_new_folder(out)
    with step(f"Reading {file}") as tell:
        dataset, unmatched = read_paper(file, splits, strict, tell)
    with step(f"Writing {out}"):
        write_dataset(dataset, out, {UNMATCHED: unmatched})
    for reason, number in count_reasons(dataset.rejects).items():
        note(f"{number:,} rows left out: {reason}")
    for where, listed in unmatched.groupby("where"):
        note(f"{len(listed):,} clusters {where}; they are listed in {out}/{UNMATCHED}")
    for name, number in dataset.extra["labels_off_median"].items():
        if number:
            note(
                f"{number:,} labels of {name} are not as value ≥ median ({dataset.thresholds[name]:.6g}) would have them"
            )
    train, val = ((dataset.clusters["split"] == split).sum() for split in ("train", "val"))
    rows = dataset.extra["rows"]
    left_out = (
        f", {len(dataset.rejects):,} left out and listed in {out}/rejects.parquet" if len(dataset.rejects) else ""
    )
    say(
        f"{out}: {'SIMULATED: ' if dataset.simulated else ''}{rows['read']:,} rows read{left_out}; {rows['kept']:,} images in "
        f"{len(dataset.clusters):,} clusters ({train:,} train, {val:,} val) with {', '.join(dataset.indicators)}"
    )
