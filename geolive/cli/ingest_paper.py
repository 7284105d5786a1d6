"""`ingest paper` and `ingest features`."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import NewFolder, ingest
from geolive.cli.next_steps import say_next


@ingest.command("paper")
def ingest_paper(
    file: Annotated[
        str, typer.Argument(help="The paper's data.csv, plain, gzip or zstd; - for standard input.", metavar="DATA.csv")
    ],
    splits: Annotated[
        Path, typer.Option(help="Folder with the split lists (train_clusters_ia.txt, …).", metavar="DIR")
    ],
    out: NewFolder,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first row that cannot be used.")] = False,
) -> None:
    """Read the paper's table, which has a row for each image, with its objects and its cluster's survey."""
    from geolive.console import note, say, step
    from geolive.dataset_folder import write_dataset
    from geolive.files import check_new_folder
    from geolive.sources.paper.reader import UNMATCHED, count_reasons, read_paper
    from geolive.wording import count_of

    check_new_folder(out)
    with step(f"Reading {file}") as progress:
        dataset, unmatched = read_paper(file, splits, strict, progress)
    with step(f"Writing {out}"):
        write_dataset(dataset, out, {UNMATCHED: unmatched})
    for reason, number in count_reasons(dataset.rejects).items():
        note(f"{count_of(number, 'row')} left out: {reason}")
    for where, listed in unmatched.groupby("where"):
        note(f"{count_of(len(listed), 'cluster')} {where}, listed in {out}/{UNMATCHED}")
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
        f"{out}: {'SIMULATED: ' if dataset.simulated else ''}{count_of(rows['read'], 'row')} read{left_out}; "
        f"{count_of(rows['kept'], 'image')} in {count_of(len(dataset.clusters), 'cluster')} ({train:,} train, {val:,} val) "
        f"with {', '.join(dataset.indicators)}"
    )
    say_next(
        "evaluate", out, "--models", "all", "--split", "official", "--out", f"{out}-tables", to="the paper's tables"
    )


@ingest.command("features")
def ingest_features(
    file: Annotated[
        Path,
        typer.Argument(help="CSV with a column key and columns of numbers, or HDF5 (with --table).", metavar="FILE"),
    ],
    dataset: Annotated[Path, typer.Option(help="The dataset that gets the features.", metavar="DATASET")],
    name: Annotated[str, typer.Option(help="Name of the feature set, for example resnet34.")],
    table: Annotated[
        str | None, typer.Option(help="With HDF5: the data.csv that has the same order of rows.", metavar="DATA.csv")
    ] = None,
) -> None:
    """Add features of images to a dataset, joined by key."""
    from geolive.console import note, say, step
    from geolive.dataset_folder import read_dataset
    from geolive.errors import InputError
    from geolive.feature_sets import add_features, check_feature_name
    from geolive.sources.features import read_features
    from geolive.wording import count_of, listed

    if name == "objects":
        raise InputError(
            f"--name objects: is the name of object counts; add these with: ingest objects {file} --dataset {dataset}"
        )
    with step(f"Reading {dataset}"):
        data = read_dataset(dataset)
        check_feature_name(data, name)
    with step(f"Adding {file}"):
        repeated: list[str] = []
        blocks = read_features(file, data.images["key"], table, repeated)
        missing = add_features(dataset, name, blocks, {"source": file.name})
    if repeated:
        rows = count_of(len(repeated), "row")
        note(f"{rows} left out: the image has a row already ({listed(repeated, 3)}); the first row counts")
    if missing:
        shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        note(
            f"without features: {count_of(len(missing), 'image')} ({shown}), listed in {dataset}/features/{name}.missing.parquet"
        )
    say(f"{dataset}: features {name!r} of {len(data.images) - len(missing):,} of {count_of(len(data.images), 'image')}")
    say_next("info", dataset, to="shows what the dataset holds now")
