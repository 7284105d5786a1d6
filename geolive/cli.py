"""The command line: one thin command for each step. Imports stand inside the commands, so that --help is instant."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from geolive.errors import InputError

app = typer.Typer(
    help="District maps of poverty, population and women's BMI from street-level photos.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ingest = typer.Typer(help="Read a source into a dataset.", no_args_is_help=True)
train = typer.Typer(help="Train a model on a dataset's surveyed clusters.", no_args_is_help=True)
app.add_typer(ingest, name="ingest")
app.add_typer(train, name="train")

DatasetArgument = Annotated[
    Path, typer.Argument(help="A dataset folder, as sample and ingest make them.", metavar="DATASET")
]
NewFolder = Annotated[
    Path, typer.Option("--out", help="Folder to make; it must not exist, or be empty.", metavar="DIR")
]
Seed = Annotated[int, typer.Option(help="Seed of all randomness; equal seeds give equal results.", min=0)]
Indicator = Annotated[str, typer.Option(help="pov, pop, bmi, or any that the dataset has.")]
Task = Annotated[str, typer.Option(help="regression (the value) or classification (at or above the median).")]


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


@ingest.command("survey")
def ingest_survey(
    file: Annotated[Path, typer.Argument(help="A table of points with measured values (.csv).", metavar="FILE")],
    lon: Annotated[str, typer.Option(help="Column with longitudes, degrees.")],
    lat: Annotated[str, typer.Option(help="Column with latitudes, degrees.")],
    value: Annotated[
        list[str], typer.Option(help="Indicator, or NAME=COLUMN; may be repeated.", metavar="NAME[=COLUMN]")
    ],
    out: NewFolder,
    id: Annotated[str | None, typer.Option(help="Column with a unique id; rows are numbered without it.")] = None,
    group: Annotated[
        str | None, typer.Option(help="Column with districts or other units that folds keep whole.")
    ] = None,
    drop_invalid: Annotated[bool, typer.Option(help="Leave out rows that cannot be used, and list them.")] = False,
) -> None:
    """Read a survey: points with a measured value."""
    from geolive.dataset import write_dataset
    from geolive.files import check_new_folder
    from geolive.sources.surveys import read_survey
    from geolive.terminal import say, step

    check_new_folder(out)
    with step(f"Reading {file}"):
        dataset = read_survey(file, lon, lat, _named_columns(value), id=id, group=group, drop_invalid=drop_invalid)
    with step(f"Writing {out}"):
        write_dataset(dataset, out)
    n_rejects = 0 if dataset.rejects is None else len(dataset.rejects)
    left_out = f"; {n_rejects} rows left out, listed in {out}/rejects.parquet" if n_rejects else ""
    say(f"{out}: {len(dataset.clusters)} survey rows with {', '.join(dataset.indicators)}{left_out}")


@train.command("clusterwise")
def train_clusterwise(
    dataset: DatasetArgument,
    out: NewFolder,
    indicator: Indicator = "pov",
    task: Task = "regression",
    trees: Annotated[int, typer.Option(help="Trees in the forest.", min=1)] = 100,
    seed: Seed = 0,
) -> None:
    """Train a random forest on the objects counted in each cluster's images."""
    _train(dataset, out, indicator, task, seed, "forest", trees=trees)


@train.command("gcn")
def train_gcn(
    dataset: DatasetArgument,
    out: NewFolder,
    indicator: Indicator = "pov",
    task: Task = "regression",
    edges: Annotated[
        str, typer.Option(help="Edges between a cluster's images: distance, knn:8 or random.")
    ] = "distance",
    epochs: Annotated[int | None, typer.Option(help="Passes over the training clusters.", min=1)] = None,
    seed: Seed = 0,
) -> None:
    """Train the graph network on the objects counted in each image."""
    _train(dataset, out, indicator, task, seed, "gcn", edges=edges, **({"epochs": epochs} if epochs else {}))


@app.command()
def evaluate(
    dataset: DatasetArgument,
    out: NewFolder,
    models: Annotated[str, typer.Option(help="'baselines', or names joined by commas.")] = "baselines",
    indicators: Annotated[
        str | None, typer.Option(help="Names joined by commas; all of the dataset's without it.")
    ] = None,
    task: Task = "regression",
    split: Annotated[
        list[str] | None,
        typer.Option(
            help="random (places), blocks:100km, district, or rows (leaks where places repeat); may be repeated."
        ),
    ] = None,
    neighbours: Annotated[int, typer.Option(help="Neighbours that the average of neighbours takes.", min=1)] = 10,
    seed: Seed = 0,
) -> None:
    """Compare models on the same folds of a dataset's surveyed clusters."""
    import pandas as pd

    from geolive.dataset import read_dataset
    from geolive.evaluation.protocols import compare, write_results
    from geolive.files import check_new_folder
    from geolive.models.registry import BASELINES, model_maker
    from geolive.splits import parse_split
    from geolive.terminal import note, say, show_results, step

    _check_task(task)
    check_new_folder(out)
    names = [name for part in models.split(",") for name in (BASELINES if part == "baselines" else (part.strip(),))]
    makers = {name: model_maker(name, **({"k": neighbours} if name == "neighbours" else {})) for name in names}
    splitters = {name: parse_split(name, seed) for name in split or ["blocks:100km"]}
    with step(f"Reading {dataset}"):
        data = read_dataset(dataset)
    found = []
    for name, splitter in splitters.items():
        for indicator in indicators.split(",") if indicators else data.indicators:
            with step(f"Comparing {len(makers)} models of {indicator}, split {name}"):
                found.append(compare(data, makers, indicator, task, splitter, name, seed))
            show_results(found[-1][0], data.simulated)
        if name == "rows":
            note("split rows: rows of one place stand on both sides where places repeat, so these figures flatter")
    results, predictions = (pd.concat(tables, ignore_index=True) for tables in zip(*found, strict=True))
    write_results(results, predictions, out)
    say(f"{out}: results.csv, predictions.parquet")
    failed = results[results["protocol"].str.startswith("failed")].drop_duplicates(["model", "indicator", "split"])
    if len(failed):
        raise InputError(
            "; ".join(f"{row.model} ({row.indicator}, {row.split}) {row.protocol}" for row in failed.itertuples())
        )


@app.command()
def predict(
    out: Annotated[
        list[Path], typer.Option(help="A .html, .geojson or .tif file to write; may be repeated.", metavar="FILE")
    ],
    region: Annotated[
        str | None,
        typer.Option(help="A state's name, a box west,south,east,north, or a polygon file.", metavar="REGION"),
    ] = None,
    indicator: Indicator = "pov",
    model: Annotated[
        str | None,
        typer.Option(
            help="A trained bundle, or neighbours, idw, kriging, mean; a forest without it.", metavar="BUNDLE|NAME"
        ),
    ] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="A dataset folder; Bihar has a simulated sample.", metavar="DIR")
    ] = None,
    boundaries: Annotated[
        Path | None, typer.Option(help="A file of districts in place of India's.", metavar="FILE")
    ] = None,
    level: Annotated[float, typer.Option(help="Level of the intervals.", min=0.5, max=0.99)] = 0.9,
    min_sites: Annotated[int, typer.Option(help="Fewest sites for a district to be supported.", min=1)] = 3,
    min_images: Annotated[int, typer.Option(help="Fewest images for a district to be supported.", min=0)] = 50,
    exports: Annotated[bool, typer.Option(help="Write GeoJSON and GeoTIFF beside the page.")] = True,
    seed: Seed = 0,
) -> None:
    """Draw an indicator's district map: a page, GeoJSON and GeoTIFF, styled for QGIS."""
    from geolive.mapping.districts import Support
    from geolive.mapping.exports import check_outputs_free
    from geolive.mapping.prediction import check_covers, predict_map
    from geolive.models.registry import describe
    from geolive.regions import find_region
    from geolive.terminal import show_map, step

    region_file = [Path(region)] if region and Path(region).is_file() else []
    check_outputs_free(out, [p for p in [dataset, boundaries, *region_file] if p], exports=exports)
    with step("Finding the region's districts"):
        area = find_region(region, boundaries)
    data = _dataset_of(area, dataset, region)
    check_covers(data, area)
    trained = _trained(data, model, indicator, seed)
    with step(f"Predicting {len(area.districts)} districts"):
        drawn = predict_map(
            data,
            trained,
            area,
            level=level,
            support=Support(min_sites, min_images),
            about=describe(trained.model),
            command=_command(
                region=region,
                indicator=trained.card["indicator"],
                model=model,
                dataset=dataset,
                boundaries=boundaries,
                level=level,
                min_sites=min_sites,
                min_images=min_images,
                seed=seed,
            ),
        )
    with step("Writing the map"):
        # pages first: they bring their own exports, which need not be written twice
        written = _write_map(drawn, sorted(out, key=lambda path: path.suffix != ".html"), exports)
    show_map(drawn, written)


def main() -> None:
    """Run the command line; every error is one line, with exit code 2 for bad input, 1 for our own fault, 130 when stopped."""
    sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        return app(prog_name="geolive", standalone_mode=False) or 0
    except InputError as error:
        return _fail(str(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        return _fail("stopped; nothing was left half-written", 130)
    except typer.TyperException as error:
        return _fail(f"{error.format_message()} (see --help)", 2)
    except PermissionError as error:
        return _fail(f"{error.filename}: permission denied; choose another place, or change its permissions", 2)
    except Exception as error:
        if os.environ.get("GEOLIVE_DEBUG"):
            raise
        said = " ".join(f"{type(error).__name__}: {error}".split())
        return _fail(f"geolive failed: {said} (set GEOLIVE_DEBUG=1 for the traceback, and please report it)", 1)


def _fail(words: str, code: int) -> int:
    print(f"error: {' '.join(words.split())}", file=sys.stderr)
    return code


def _named_columns(values: list[str]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    return {name.strip(): (column or name).strip() for name, _, column in pairs}


def _check_task(task: str) -> None:
    if task not in ("regression", "classification"):
        raise InputError(f"--task {task!r}: must be regression or classification")


def _train(folder: Path, out: Path, indicator: str, task: str, seed: int, name: str, **options) -> None:
    from functools import partial

    from geolive.dataset import read_dataset
    from geolive.files import check_new_folder
    from geolive.metrics import NAMES
    from geolive.models.bundle import save_bundle
    from geolive.models.registry import model_maker
    from geolive.models.training import train
    from geolive.terminal import say, step

    _check_task(task)
    check_new_folder(out)
    with step(f"Reading {folder}"):
        dataset = read_dataset(folder)
    with step(f"Training {name} on {indicator}") as tell:
        trained = train(
            dataset, partial(model_maker(name, **options), task=task, seed=seed), indicator, seed=seed, progress=tell
        )
    save_bundle(trained, out)
    _note_dropped(trained)
    shown = {NAMES[name]: f"{value[0]:.3f}" for name, value in trained.card["metrics"].items() if value[0] is not None}
    kind = trained.card["folds"]["kind"]
    simulated = "SIMULATED: " if trained.card["simulated"] else ""
    say(
        f"{out}: {simulated}{trained.card['model']}; out of fold, whole {kind} left out: "
        + ", ".join(f"{metric} {figure}" for metric, figure in shown.items())
    )


def _note_dropped(trained) -> None:
    from geolive.terminal import note

    if dropped := trained.card["clusters_without_images"]:
        note(f"{dropped} surveyed clusters have no images and were left out of training")


def _dataset_of(area, folder: Path | None, region: str | None):
    from geolive.dataset import read_dataset
    from geolive.sources.sample import cached_sample
    from geolive.terminal import note, step

    if folder is not None:
        with step(f"Reading {folder}"):
            return read_dataset(folder)
    if area.states == ["Bihar"] or area.name == "Bihar":
        with step("Opening the sample of Bihar (SIMULATED survey and imagery; made once, then kept)"):
            dataset = cached_sample("bihar", 0)
        note("no --dataset was named: the survey and the imagery are SIMULATED")
        return dataset
    name = area.states[0] if len(area.states) == 1 and area.states[0] else region
    short = "".join(c if c.isalnum() else "-" for c in name.lower())
    raise InputError(
        f"no dataset for {area.name}: simulate one (python cli.py sample --region '{name}' --out data/{short}) or read "
        f"your own (python cli.py ingest survey FILE.csv --lon LON --lat LAT --value NAME --out data/{short}), then add "
        f"--dataset data/{short}"
    )


def _trained(dataset, model: str | None, indicator: str, seed: int):
    """The bundle that was named, a baseline fitted on the spot, or the cached forest."""
    from functools import partial

    from geolive.models.bundle import load_bundle
    from geolive.models.cache import cached_forest
    from geolive.models.registry import BASELINES, model_maker
    from geolive.models.training import train
    from geolive.terminal import step

    if model in BASELINES:
        with step(f"Fitting {model} to {indicator}") as tell:
            make = partial(model_maker(model), task="regression", seed=seed)
            return train(dataset, make, indicator, seed=seed, needs_images=False, progress=tell)
    if model is None or model == "forest":
        with step(f"Fitting the forest to {indicator}, or opening the one kept") as tell:
            trained = cached_forest(dataset, indicator, seed, tell)
        _note_dropped(trained)
        return trained
    if not Path(model).exists():
        raise InputError(
            f"--model {model}: no such bundle, nor one of: forest, {', '.join(BASELINES)}; train one with: train"
        )
    with step(f"Opening {model}"):
        trained = load_bundle(model)
    if trained.card["indicator"] != indicator:
        raise InputError(
            f"--model {model}: was trained on {trained.card['indicator']!r}, not on {indicator!r}; "
            f"add --indicator {trained.card['indicator']}"
        )
    return trained


def _command(**options) -> str:
    """The command that makes a map again, without options that have their default."""
    import shlex

    defaults = {"indicator": "pov", "level": 0.9, "min_sites": 3, "min_images": 50, "seed": 0}
    words = ["python", "cli.py", "predict"]
    for name, value in options.items():
        if value is not None and defaults.get(name) != value:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)


def _write_map(drawn, outs: list[Path], exports: bool) -> list[Path]:
    from geolive.mapping.exports import write_exports, write_geojson, write_geotiff

    written: list[Path] = []
    for out in outs:
        if out.suffix == ".html":
            from geolive.mapping.webmap import write_page

            write_page(drawn, out)
            written += [out, *(write_exports(drawn, out) if exports else [])]
        elif out not in written:
            written += (write_geojson if out.suffix == ".geojson" else write_geotiff)(drawn, out)
    return written
