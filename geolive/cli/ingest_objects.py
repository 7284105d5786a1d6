"""`ingest objects`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from geolive.cli.apps import app, ingest
from geolive.cli.next_steps import say_next
from geolive.cli.parameters import as_options, running_command

if TYPE_CHECKING:
    from geolive.sources.image_tables.object_counts import ObjectCounts

_MOST_NAMED = 8
ListColumn = Annotated[
    str | None,
    typer.Option(
        "--list-column",
        help="Column with the list of objects of an image, or with an object of counts: JSON, or the form that Python "
        "prints.",
        metavar="COLUMN",
    ),
]
Classes = Annotated[
    Path | None,
    typer.Option(
        help="CSV file with each class of the table (column name) and the dataset's class for it (column class, empty "
        "to leave it out). If the table has numbers of classes, the rows are in the order of these numbers.",
        metavar="FILE",
    ),
]
Encoding = Annotated[
    str | None, typer.Option(help="Encoding of the file's texts, such as CP1251; by default UTF-8, else CP1252.")
]


@ingest.command("objects")
def ingest_objects(
    file: Annotated[
        Path,
        typer.Argument(
            help="Object counts of images, CSV (plain, gzip, zstd) or Parquet: one image in each row and one class in each "
            "column, unless you give --list-column or --class-column.",
            metavar="FILE",
        ),
    ],
    dataset: Annotated[Path, typer.Option(help="The dataset that gets the counts.", metavar="DATASET")],
    key: Annotated[
        str, typer.Option(help="Column with the images' keys, or with the paths or names of photos.", metavar="COLUMN")
    ] = "key",
    list_column: ListColumn = None,
    class_column: Annotated[
        str | None,
        typer.Option(
            help="If each row is one object, or one class of an image: column with the class.", metavar="COLUMN"
        ),
    ] = None,
    count_column: Annotated[
        str | None,
        typer.Option(
            help="With --class-column: column with the number of objects; without it each row is one object.",
            metavar="COLUMN",
        ),
    ] = None,
    classes: Classes = None,
    name: Annotated[str, typer.Option(help="Name of the feature set; models use objects by default.")] = "objects",
    encoding: Encoding = None,
) -> None:
    """Add object counts that another tool made to a dataset, joined by key; classes are matched by name."""
    from geolive.console import note, say, step
    from geolive.sources.image_tables.object_counts import add_object_counts
    from geolive.wording import count_of

    with step(f"Adding {file}"):
        read = add_object_counts(
            dataset,
            file,
            name=name,
            classes=classes,
            key=key,
            list_column=list_column,
            class_column=class_column,
            count_column=count_column,
            encoding=encoding,
        )
    for words in remarks(file, read, f"{dataset}/features/{name}.missing.parquet"):
        note(as_options(words, running_command(app, ["ingest", "objects"])))
    n_objects, n_images = int(read.counts.sum()), len(read.counts) - len(read.missing)
    say(
        f"{dataset}: {count_of(n_objects, 'object')} of {n_images:,} of {count_of(len(read.counts), 'image')}, as {name!r}"
    )
    say_next("info", dataset, to="shows what the dataset holds now")


def added_columns(added: Mapping[str, list[str]]) -> Iterator[str]:
    """Yield notes for the user on classes with several columns.

    Examples
    --------
    >>> list(added_columns({"Car": ["car", "auto"]}))
    ['class Car: the counts of 2 columns were added: car, auto']
    """
    from geolive.wording import count_of, listed

    for name, columns in added.items():
        yield f"class {name}: the counts of {count_of(len(columns), 'column')} were added: {listed(columns, _MOST_NAMED)}"


def remarks(file: Path, read: "ObjectCounts", where: str) -> Iterator[str]:
    """Yield notes for the user on object counts from a table."""
    from geolive.text_encodings import Encoding
    from geolive.wording import count_of, listed

    if read.guessed_encoding:
        yield Encoding(read.guessed_encoding, guessed=True).note(file)
    if read.unmatched:
        named = listed([f"{name} ({number:,})" for name, number in read.unmatched.most_common()], _MOST_NAMED)
        yield (
            f"{count_of(sum(read.unmatched.values()), 'object')} of {count_of(len(read.unmatched), 'class', 'classes')} that the "
            f"dataset lacks, counted as void: {named}; give the dataset's class of each in classes='FILE.csv'"
        )
    if left_out := [name for name, column in read.columns.items() if column is None]:
        yield f"{count_of(len(left_out), 'class', 'classes')} left out, as --classes says: {listed(left_out, _MOST_NAMED)}"
    yield from added_columns(read.added)
    if read.ignored:
        yield (
            f"{count_of(len(read.ignored), 'column')} not counted, since no class of the dataset has such a name: "
            f"{listed(read.ignored, _MOST_NAMED)}; give the dataset's class of each in classes='FILE.csv'"
        )
    if read.broken:
        number, reason = read.broken[0]
        yield f"{count_of(len(read.broken), 'row')} left out: row {number} has {reason}"
    if read.n_ambiguous:
        yield f"{count_of(read.n_ambiguous, 'row')} left out: several photos have this name; give their paths within the folder"
    if read.n_repeated:
        yield f"{count_of(read.n_repeated, 'row')} left out: the image has a row already; the first usable row counts"
    if read.n_unknown:
        yield f"{count_of(read.n_unknown, 'row')} of images that the dataset lacks are left out"
    if read.n_without:
        yield f"{count_of(read.n_without, 'image')} without a row in the table: counted as images without objects"
    if len(read.missing):
        reasons = read.missing["reason"].str.replace(r"^row \d+, ", "", regex=True).value_counts()
        named = listed([f"{reason} ({number:,})" for reason, number in reasons.items()], 3)
        yield f"{count_of(len(read.missing), 'image')} not counted: {named}; they are listed in {where}"
