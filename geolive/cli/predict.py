"""`predict`: the main job."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from geolive.cli.apps import Seed, app
from geolive.cli.boundary_options import (
    Crs,
    DropInvalid,
    Encoding,
    IdColumn,
    Layer,
    NameColumn,
    PeopleColumn,
    open_boundaries,
)
from geolive.command_line import command_line
from geolive.errors import InputError

if TYPE_CHECKING:
    from geolive.dataset import Dataset
    from geolive.indicators import Indicator
    from geolive.models.trained_model import TrainedModel
    from geolive.regions import Region


@app.command()
def predict(
    context: typer.Context,
    out: Annotated[
        list[Path],
        typer.Option(
            help="A file to write, of the kind that its ending says: .html, .geojson, .gpkg, .tif, .csv, .xlsx, .parquet, .fgb, "
            ".kml, .qgz, .png, .svg or .pdf; may be repeated.",
            metavar="FILE",
        ),
    ],
    region: Annotated[
        str | None,
        typer.Option(
            help="A state's name, a box west,south,east,north, or a polygon file; by default all of --boundaries.",
            metavar="REGION",
        ),
    ] = None,
    indicator: Annotated[
        str | None,
        typer.Option(
            help="pov, pop, bmi, or any that the dataset has; several joined by commas, or all, in one page; by default pov, or "
            "the bundle's own.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="A trained bundle, or neighbours, idw, kriging, mean; by default a forest.", metavar="BUNDLE|NAME"
        ),
    ] = None,
    inputs: Annotated[
        str | None,
        typer.Option(
            help="For --model forest or kriging: what it uses; for example covariates. A bundle knows its own.",
            metavar="INPUTS",
        ),
    ] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="A dataset folder; Bihar has a simulated sample.", metavar="DIR")
    ] = None,
    boundaries: Annotated[
        Path | None,
        typer.Option(
            help="A file of districts in place of India's, or equal-area hexagons around the dataset: hex:50km.",
            metavar="FILE",
        ),
    ] = None,
    name_column: NameColumn = None,
    id_column: IdColumn = None,
    people_column: PeopleColumn = None,
    layer: Layer = None,
    encoding: Encoding = None,
    crs: Crs = None,
    drop_invalid: DropInvalid = False,
    population: Annotated[
        Path | None,
        typer.Option(
            help="A GeoTIFF with the number of people in each cell: cells are predicted, and districts are means over people. "
            "Without it the sites of a district count alike.",
            metavar="FILE",
        ),
    ] = None,
    raster: Annotated[
        list[str] | None,
        typer.Option(
            help="For a model that uses covariates: the raster that a covariate came from; several times for several.",
            metavar="NAME=FILE[:BAND]",
        ),
    ] = None,
    min_people_share: Annotated[
        float,
        typer.Option(
            help="With --population: smallest share of a district's people within reach of a supported prediction.",
            min=0,
            max=1,
        ),
    ] = 0.5,
    reach: Annotated[
        float,
        typer.Option(
            help="With --population and a model of images: how far people may live from the nearest site, km.", min=0.1
        ),
    ] = 5.0,
    estimator: Annotated[
        str | None,
        typer.Option(
            help="A district's value: composite (survey and predictions weighed by their errors), spatial (the same, where "
            "neighbouring districts inform each other), predicted (predictions alone) or direct (survey alone); composite where "
            "the survey allows it.",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Map the share of places whose value is below this number, in the indicator's unit, in place of the mean."
        ),
    ] = None,
    benchmark: Annotated[
        str | None,
        typer.Option(
            help="Make values add up to the survey's own estimate of the region, over people: ratio, difference or "
            "bell-datta-ghosh; needs --people-column or --population.",
        ),
    ] = None,
    diagnostics: Annotated[
        Path | None,
        typer.Option(help="A .html or .csv file with checks of the composite estimates to write.", metavar="FILE"),
    ] = None,
    title: Annotated[
        str | None, typer.Option(help="Title of the map, in place of indicator and region.", metavar="TEXT")
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="What the indicator measures, in words for readers.", metavar="TEXT")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help="The indicator's unit, in words for readers.", metavar="TEXT")
    ] = None,
    higher_is: Annotated[
        str | None, typer.Option(help="better or worse: what a higher value of the indicator means.")
    ] = None,
    indicators: Annotated[
        Path | None,
        typer.Option(help="A TOML file with label, unit and higher_is for indicators of your own.", metavar="FILE"),
    ] = None,
    level: Annotated[float, typer.Option(help="Level of the intervals.", min=0.5, max=0.99)] = 0.9,
    min_sites: Annotated[int, typer.Option(help="Fewest sites for a district to be supported.", min=1)] = 3,
    min_images: Annotated[int, typer.Option(help="Fewest images for a district to be supported.", min=0)] = 50,
    formats: Annotated[
        str | None,
        typer.Option(
            help="Further kinds of files beside the first --out, joined by commas: xlsx,csv,png; or all.",
            metavar="KINDS",
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Print all districts, not only the highest and the lowest.")
    ] = False,
    exports: Annotated[bool, typer.Option(help="Write GeoJSON and GeoTIFF beside the page.")] = True,
    photos: Annotated[
        Path | None,
        typer.Option(help="With an image-wise bundle: folder that img_path starts from.", metavar="DIR"),
    ] = None,
    device: Annotated[str, typer.Option(help="With an image-wise bundle: auto, cpu, cuda or mps.")] = "auto",
    seed: Seed = 0,
) -> None:
    """Draw an indicator's district map, or those of several: a page, GeoJSON and GeoTIFF, styled for QGIS."""
    from geolive.cli.map_summary import show_map
    from geolive.cli.parameters import as_options, recorded_command
    from geolive.console import note, step
    from geolive.covariates.raster_names import as_rasters
    from geolive.extras import has_extra
    from geolive.hexagons import parse_hexagons
    from geolive.mapping.estimation_diagnostics import check_diagnostics_free, write_diagnostics
    from geolive.mapping.exports import files_of_formats, write_files
    from geolive.mapping.map_region import map_region
    from geolive.mapping.output_check import check_outputs_free
    from geolive.mapping.population_cells import check_population
    from geolive.mapping.prediction import predict as predict_districts
    from geolive.mapping.region_sites import check_covers
    from geolive.regions import find_region

    out = [*out, *files_of_formats(out[0], formats)]
    words = {"label": label, "unit": unit, "higher_is": higher_is}
    known = _indicator_words(indicators, words)
    _check_benchmark(estimator, benchmark, people_column, population)
    names = _named_indicators(indicator, dataset, {"title": title, **words, "diagnostics": diagnostics})
    region_file = [Path(region)] if region and Path(region).is_file() else []
    read = [p for p in [dataset, boundaries, population, indicators, *region_file] if p]
    free = check_outputs_free(out, read, exports=exports, indicators=names)
    if diagnostics is not None:
        check_diagnostics_free(diagnostics, [*free, *read])
    file = None
    if boundaries is not None and parse_hexagons(str(boundaries)) is not None:
        data = _dataset_around_hexagons(dataset)
        area = map_region(data, region, boundaries)
    else:
        with step("Finding the region's districts"):
            file = open_boundaries(
                boundaries, layer=layer, name_column=name_column, id_column=id_column, people_column=people_column,
                encoding=encoding, crs=crs, drop_invalid=drop_invalid,
            )  # fmt: skip
            area = find_region(region, file)
        if boundaries is not None:
            note(f"boundaries: {area.source}")
        for remark in area.notes:
            note(as_options(remark, context.command))
        data = _dataset_of(area, dataset)
    check_covers(data, area)
    as_rasters(raster or [])
    if population is not None:
        check_population(population, area.districts)
    if threshold is not None:
        data, names = _shares_below(data, model, [name or "pov" for name in names], threshold)
    maps = []
    for name in names:
        trained = _trained(data, _bundle_of(model, name, names), name or None, inputs, seed)
        with step(f"Predicting {len(area.districts):,} districts") as progress:
            drawn = predict_districts(
                data, trained, area, boundaries=file or boundaries, level=level, min_sites=min_sites, min_images=min_images,
                estimator=estimator, benchmark=benchmark, population=population, rasters=raster or [],
                min_people_share=min_people_share, reach_km=reach, photos=photos, device=device,
                command=recorded_command(context), progress=progress,
            )  # fmt: skip
        own = known.get(drawn.indicator.name)
        if own is not None:
            drawn = replace(drawn, indicator=own.as_probability if trained.card.task == "classification" else own)
        maps.append(drawn.with_words(title=title, **words))
    with step("Writing the map" if len(maps) == 1 else "Writing the maps"):
        checks = [] if diagnostics is None else [write_diagnostics(maps[0], diagnostics)]
        written = [*write_files(maps[0], out, exports=exports, others=maps[1:]), *checks]
    if exports and not has_extra("raster") and any(path.suffix == ".html" for path in out):
        missing = "rasterio or exactextract is not installed; run: pip install rasterio exactextract"
        note(f"no GeoTIFF was written beside the page, since {missing}")
    for drawn in maps[:-1]:
        show_map(drawn, [], everything=everything)
    show_map(maps[-1], written, everything=everything)


def _check_benchmark(
    estimator: str | None, benchmark: str | None, people_column: str | None, population: Path | None
) -> None:
    """Raise before any work where options about estimates do not go together."""
    from geolive.mapping.map_estimates import EstimateOptions

    EstimateOptions(estimator, benchmark).check()
    if people_column is not None and population is not None:
        raise InputError("--people-column and --population both give the people of districts; leave one out")
    if benchmark is not None and people_column is None and population is None:
        raise InputError(
            f"--benchmark {benchmark}: needs the people of each district; add --population FILE, or --boundaries FILE with "
            "--people-column COLUMN"
        )


def _shares_below(
    dataset: "Dataset", model: str | None, names: list[str], threshold: float
) -> tuple["Dataset", list[str]]:
    """Return the dataset with the share of places below a threshold, and the name of that indicator."""
    from geolive.models.registry import BASELINES
    from geolive.shares_below import with_share_below

    if len(names) > 1:
        raise InputError(
            f"threshold={threshold:g}: is for one indicator; give one of: {', '.join(names)}", parameter="threshold"
        )
    if model is not None and model not in (*BASELINES, "forest"):
        raise InputError(
            f"threshold={threshold:g}: the share below it is learnt anew, and {model!r} was trained on something else; leave the "
            f"bundle out, or give one of: forest, {', '.join(BASELINES)}",
            parameter="threshold",
        )
    return with_share_below(dataset, names[0], threshold), [f"{names[0]}_below"]


def _indicator_words(file: Path | None, words: dict[str, str | None]) -> dict[str, "Indicator"]:
    """Read the file of indicators, and check the words of the options before any work."""
    from geolive.indicators import indicator, read_indicators

    indicator("any").with_words(**words)
    return {} if file is None else read_indicators(file)


def _named_indicators(words: str | None, dataset: Path | None, of_one: dict[str, object]) -> list[str]:
    """Return the indicators to map; an empty name stands for the default or the bundle's own."""
    from geolive.dataset_facts import read_facts

    if words != "all":
        names = list(dict.fromkeys(word.strip() for word in (words or "").split(",") if word.strip())) or [""]
    else:
        # the sample of Bihar has the paper's three
        names = ["pov", "pop", "bmi"] if dataset is None else list(read_facts(dataset)["indicators"])
    given = next((name for name, value in of_one.items() if value is not None), None)
    if len(names) > 1 and given is not None:
        remedy = (
            "give words for several in a file, with indicators=FILE" if given != "diagnostics" else "map one at a time"
        )
        raise InputError(
            f"{given}={of_one[given]}: is of one indicator, and {len(names)} are mapped; {remedy}", parameter=given
        )
    return names


def _bundle_of(model: str | None, name: str, names: list[str]) -> str | None:
    """Return the bundle of one of several indicators, which `train` puts into a folder with the indicator's name."""
    from geolive.models.registry import BASELINES

    if len(names) == 1 or model is None or model in (*BASELINES, "forest"):
        return model
    return str(Path(model) / name)


def _dataset_around_hexagons(folder: Path | None) -> "Dataset":
    from geolive.console import step
    from geolive.dataset import read_dataset

    if folder is None:
        raise InputError(
            "boundaries: hexagons lie around the places of a dataset; add --dataset DIR", parameter="boundaries"
        )
    with step(f"Reading {folder}"):
        return read_dataset(folder)


def _dataset_of(area: "Region", folder: Path | None) -> "Dataset":
    from geolive.console import note, step
    from geolive.dataset import read_dataset
    from geolive.simulation.sample import cached_sample

    if folder is not None:
        with step(f"Reading {folder}"):
            return read_dataset(folder)
    if "Bihar" in area.states or area.name == "Bihar":
        with step("Opening the sample of Bihar (SIMULATED survey and imagery; made once, then kept)"):
            dataset = cached_sample("bihar", 0)
        note("no --dataset was named: the survey and the imagery are SIMULATED, and of Bihar only")
        return dataset
    raise InputError(_no_dataset_words(area))


def _no_dataset_words(area: "Region") -> str:
    """Say which commands make a dataset of a region; simulated ones exist for the states of India only."""
    from geolive.regions import INDIA_SOURCE

    state = area.states[0] if len(area.states) == 1 else ""
    name = state or area.name
    folder = "data/" + "".join(c if c.isalnum() else "-" for c in name.lower()).strip("-")
    sample = command_line("sample", "--region", state, "--out", folder)
    simulate = f"simulate one ({sample}), or " if state and area.source == INDIA_SOURCE else ""
    survey = command_line("ingest", "survey", "FILE", "--value", "NAME", "--out", folder)
    return (
        f"no dataset for {name}; {simulate}bring your own survey ({survey}) and imagery (ingest photos, fetch images), then "
        f"add --dataset {folder}"
    )


def _trained(
    dataset: "Dataset", model: str | None, indicator: str | None, inputs: str | None, seed: int
) -> "TrainedModel":
    """Return the model of the named bundle, a baseline that is fitted now, or the cached forest."""
    from geolive.console import note_dropped, step
    from geolive.models.cache import fit_cached
    from geolive.models.registry import BASELINES, make_model
    from geolive.models.training import train

    wanted = indicator or "pov"
    chosen: dict[str, Any] = {"random_state": seed} | ({} if inputs is None else {"inputs": inputs})
    if model in BASELINES:
        with step(f"Fitting {model} to {wanted}") as progress:
            trained = train(dataset, make_model(model, **chosen), wanted, random_state=seed, progress=progress)
        note_dropped(0, trained.card.clusters_without_covariates)
        return trained
    if model is None or model == "forest":
        with step(f"Fitting the forest to {wanted}, or opening the one kept") as progress:
            forest = make_model("forest", **chosen)
            trained = fit_cached(dataset, forest, wanted, random_state=seed, progress=progress)
        note_dropped(trained.card.clusters_without_images, trained.card.clusters_without_covariates)
        return trained
    if inputs is not None:
        raise InputError(
            f"inputs={inputs!r}: the bundle {model} knows what it uses; leave inputs out", parameter="inputs"
        )
    return _bundle(model, indicator)


def _bundle(model: str, indicator: str | None) -> "TrainedModel":
    from geolive.console import step
    from geolive.models.bundle import load_model
    from geolive.models.registry import BASELINES

    if not Path(model).exists():
        training = command_line("train", "clusterwise", "DATASET", "--out", model)
        raise InputError(
            f"model={model!r}: no such bundle, nor one of: forest, {', '.join(BASELINES)}; train one with: {training}",
            parameter="model",
        )
    with step(f"Opening {model}"):
        trained = load_model(model)
    known = trained.card.indicator
    if indicator is not None and indicator != known:
        raise InputError(
            f"model={model!r}: was trained on {known!r}, not on {indicator!r}; give indicator={known!r}",
            parameter="model",
        )
    return trained
