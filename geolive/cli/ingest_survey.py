"""`ingest survey`."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geolive.cli.apps import NewFolder, app, ingest
from geolive.cli.next_steps import say_map_of_survey
from geolive.cli.parameters import as_options, running_command
from geolive.errors import InputError

if TYPE_CHECKING:
    from geolive.dataset import Dataset

DESIGN_NOTE = (
    "kept for the survey's own estimates of districts, and for the noise of rates; they are no inputs of models: {}"
)


@ingest.command("survey")
def ingest_survey(
    file: Annotated[
        Path,
        typer.Argument(
            help="Points with measured values: .csv, .gpkg, .geojson, .shp, .fgb, .parquet, .dta, .sav.", metavar="FILE"
        ),
    ],
    value: Annotated[
        list[str],
        typer.Option(
            help="Indicator, or NAME=COLUMN, or a rate, NAME=NUMERATOR/DENOMINATOR; may be repeated.",
            metavar="NAME[=COLUMN[/COLUMN]]",
        ),
    ],
    out: NewFolder,
    lon: Annotated[
        str | None, typer.Option(help="Column with longitudes in degrees; by default the geometry of the file.")
    ] = None,
    lat: Annotated[str | None, typer.Option(help="Column with latitudes in degrees.")] = None,
    id: Annotated[str | None, typer.Option(help="Column with a unique id; by default rows are numbered.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Column with districts or other units that folds keep whole.")
    ] = None,
    year: Annotated[
        str | None, typer.Option(help="Column with years; by default the column year, if all of it are years.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="Read only the rows with this value in the column, such as one year of a panel; may be repeated: several values "
            "of one column are alternatives, several columns must all fit.",
            metavar="COLUMN=VALUE",
        ),
    ] = None,
    urban: Annotated[
        str | None, typer.Option(help="Column that says urban or rural: U or R, urban or rural, 1 or 0.")
    ] = None,
    weight: Annotated[str | None, typer.Option(help="Column with sampling weights.")] = None,
    strata: Annotated[str | None, typer.Option(help="Column with the strata of the sample.")] = None,
    psu: Annotated[str | None, typer.Option(help="Column with the primary sampling units.")] = None,
    country: Annotated[
        str | None, typer.Option(help="Column with countries, or a code of 2 or 3 letters for all rows.")
    ] = None,
    drop_invalid: Annotated[
        bool, typer.Option(help="Leave out rows that cannot be used, and list them in rejects.parquet.")
    ] = False,
    missing: Annotated[
        list[float] | None,
        typer.Option(
            help="A number that means missing in the columns of --value, in addition to the known codes of DHS, MICS and "
            "LSMS files; may be repeated.",
            metavar="NUMBER",
        ),
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            help="A line for an indicator: makes NAME_below, the share of households below the line (without --households, "
            "of places), and NAME_gap where values have a zero; may be repeated.",
            metavar="NAME=NUMBER",
        ),
    ] = None,
    households: Annotated[
        str | None,
        typer.Option(
            help="The rows are households: column with the place of each household, such as hv001.", metavar="COLUMN"
        ),
    ] = None,
    household_size: Annotated[
        str | None,
        typer.Option(
            help="With --households: column with the number of members; shares are then shares of people.",
            metavar="COLUMN",
        ),
    ] = None,
    positions: Annotated[
        Path | None,
        typer.Option(
            help="A second file with the position of each place: points, or a table with --lon and --lat. Needs --on.",
            metavar="FILE",
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            help="With --positions: column with the names of places, such as HH1. If the second file has another name for "
            "this column, give both: HH1=cluster.",
            metavar="COLUMN[=KEY]",
        ),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Encoding of the file's texts, such as CP1251; by default UTF-8, else CP1252.")
    ] = None,
    layer: Annotated[str | None, typer.Option(help="Layer of the file, if it has several.", metavar="NAME")] = None,
    crs: Annotated[
        str | None,
        typer.Option(help="Coordinate reference system of the points, such as EPSG:32645, if the file names none."),
    ] = None,
) -> None:
    """Read a survey: points with measured values."""
    from geolive.console import note, say, step
    from geolive.dataset_folder import write_dataset
    from geolive.files import check_new_folder
    from geolive.sources.survey.reader import design_columns, read_survey
    from geolive.wording import count_of

    check_new_folder(out)
    with step(f"Reading {file}"):
        dataset = read_survey(
            file,
            lon,
            lat,
            named_columns(value),
            id,
            group,
            drop_invalid,
            year=year,
            urban=urban,
            weight=weight,
            strata=strata,
            psu=psu,
            country=country,
            missing=missing or [],
            encoding=encoding,
            layer=layer,
            crs=crs,
            households=households,
            household_size=household_size,
            thresholds=named_thresholds(threshold or []),
            positions=positions,
            on=on,
            where=named_values(where or []),
        )
    with step(f"Writing {out}"):
        write_dataset(dataset, out)
    if kept := design_columns(dataset):
        note(DESIGN_NOTE.format(", ".join(kept)))
    if rates := [name for name in dataset.indicators if dataset.is_rate(name)]:
        note(f"rates, whose number of cases counts in training and evaluation: {', '.join(rates)}")
    for words in remarks(file, dataset):
        note(words)
    n_rejects = len(dataset.rejects)
    left_out = f"; {count_of(n_rejects, 'row')} left out, listed in {out}/rejects.parquet" if n_rejects else ""
    read = count_of(len(dataset.clusters), "survey row")
    if households is not None:
        counted = count_of(int(dataset.clusters["n_households"].sum()), "household")
        read = f"{count_of(len(dataset.clusters), 'place')} of {counted}"
    say(f"{out}: {read} with {', '.join(dataset.indicators)}{left_out}")
    say_map_of_survey(dataset, out)


def remarks(file: Path, dataset: "Dataset") -> Iterator[str]:
    """Yield notes for the user on a survey: rows at 0, 0, missing values, and what may be missing, too."""
    from geolive.sources.survey.columns import NOT_LOCATED
    from geolive.text_encodings import Encoding
    from geolive.wording import count_of, listed, number_text

    told = dataset.extra.get("survey", {})
    yield from _remarks_on_years(told)
    not_located = int((dataset.rejects["reason"] == NOT_LOCATED).sum())
    if not_located:
        yield f"{count_of(not_located, 'row')} left out: the position is 0, 0, which means that it is not known"
    if "encoding" in told:
        yield as_options(
            Encoding(told["encoding"], guessed=True).note(file), running_command(app, ["ingest", "survey"])
        )
    if "positions" in told:
        yield from _remarks_on_positions(told["positions"])
    for column, n in told.get("varying", {}).items():
        yield f"in {count_of(n, 'cluster')} column {column!r} is not constant; the most frequent value was taken"
    titles = told.get("titles", {})
    for column, codes in told.get("missing_codes", {}).items():
        named = listed([f"{code} ({n:,})" for code, n in codes.items()], 5)
        yield f"{_titled(column, titles)}: codes that count as missing, with their rows: {named}"
    for name, n in told.get("rows_without", {}).items():
        yield f"{count_of(n, 'row')} kept without a value of {name}"
    for far in told.get("far_values", {}).values():
        low, high = number_text(far["low"]), number_text(far["high"])
        options = " ".join(f"--missing {value}" for value in far["values"])
        yield (
            f"{_titled(far['column'], titles)}: {count_of(far['rows'], 'value')} ({', '.join(far['values'])}) far from all "
            f"others, which are from {low} to {high}; where they mean missing, add {options}"
        )


def _remarks_on_years(told: dict[str, Any]) -> Iterator[str]:
    """Yield which rows are not read, and which years are pooled."""
    from geolive.sources.survey.row_filter import words_of_years
    from geolive.wording import count_of

    if "rows_not_wanted" in told:
        yield f"{count_of(told['rows_not_wanted'], 'row')} not read, as --where says"
    if "years" in told:
        column, latest = told["year_column"], list(told["years"])[-1]
        yield (
            f"rows of {len(told['years'])} years are pooled: {words_of_years(told['years'], 'row')}; to read one year, add "
            f"--where {shlex.quote(f'{column}={latest}')}"
        )
    if "year_not_taken" in told:
        yield (
            "column 'year' is not kept, since not all of it are years; add --year year --drop-invalid to leave out the "
            "other rows"
        )


def _remarks_on_positions(told: dict[str, Any]) -> Iterator[str]:
    """Yield what the join with a file of positions left out."""
    from geolive.wording import count_of, listed

    if told["rows"]:
        rows, places = count_of(told["rows"], "row"), count_of(told["places"], "place")
        yield f"{rows} of {places} left out: the file of positions lacks {listed(told['named'], 5)}"
    if told["unused"]:
        yield f"{count_of(told['unused'], 'place')} of the file of positions without a row of the survey"


def _titled(column: str, titles: dict[str, str]) -> str:
    return f"column {column!r}" + (f" ({titles[column][:60]})" if column in titles else "")


def named_columns(values: list[str]) -> dict[str, str]:
    """Read the options `--value NAME=COLUMN` as a column for each indicator; `--value NAME` means the column NAME.

    Examples
    --------
    >>> named_columns(["pov=wealth", "bmi"])
    {'pov': 'wealth', 'bmi': 'bmi'}
    >>> named_columns(["pov=a", "pov=b"])
    Traceback (most recent call last):
    geolive.errors.InputError: --value 'pov=b': 'pov' is given twice; choose another name
    """
    columns: dict[str, str] = {}
    for value in values:
        name, _, column = (part.strip() for part in value.partition("="))
        if name in columns:
            raise InputError(f"--value {value!r}: {name!r} is given twice; choose another name")
        columns[name] = column or name
    return columns


def named_values(conditions: list[str]) -> dict[str, list[str]]:
    """Read the options `--where COLUMN=VALUE` as the wanted values of each column.

    Examples
    --------
    >>> named_values(["year=2015", "country=et", "country=ng"])
    {'year': ['2015'], 'country': ['et', 'ng']}
    >>> named_values(["2015"])
    Traceback (most recent call last):
    geolive.errors.InputError: --where '2015': give a column and its value, for example --where year=2015
    """
    wanted: dict[str, list[str]] = {}
    for text in conditions:
        column, _, value = (part.strip() for part in text.partition("="))
        if not (column and value):
            raise InputError(f"--where {text!r}: give a column and its value, for example --where year=2015")
        wanted.setdefault(column, []).append(value)
    return wanted


def named_thresholds(thresholds: list[str]) -> dict[str, float]:
    """Read the options `--threshold NAME=NUMBER`.

    Examples
    --------
    >>> named_thresholds(["pov=0.2", "bmi=18.5"])
    {'pov': 0.2, 'bmi': 18.5}
    >>> named_thresholds(["0.2"])
    Traceback (most recent call last):
    geolive.errors.InputError: --threshold '0.2': give the indicator and a number, for example --threshold pov=0.2
    """
    lines: dict[str, float] = {}
    for text in thresholds:
        name, equals, number = (part.strip() for part in text.partition("="))
        try:
            line = float(number)
        except ValueError:
            line = float("nan")
        if not (name and equals and line == line):
            raise InputError(f"--threshold {text!r}: give the indicator and a number, for example --threshold pov=0.2")
        if name in lines:
            raise InputError(f"--threshold {text!r}: {name!r} is given twice; give one threshold for an indicator")
        lines[name] = line
    return lines
