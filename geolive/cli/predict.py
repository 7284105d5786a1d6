"""`predict`: the main job."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import Address, EngineName, Seed, app
from geolive.cli.boundary_options import (
    Crs,
    DropInvalid,
    Encoding,
    IdColumn,
    Layer,
    NameColumn,
    PeopleColumn,
)
from geolive.cli.drawn_maps import draw_maps, files_read
from geolive.cli.predict_inputs import check_benchmark, check_file_options, indicator_words, named_indicators


@app.command()
def predict(
    context: typer.Context,
    out: Annotated[
        list[Path],
        typer.Option(
            help="A file to write. Its ending chooses the format: .html, .geojson, .gpkg, .tif, .csv, .xlsx, .parquet, "
            ".fgb, .pmtiles, .kml, .qgz, .png, .svg or .pdf. May be repeated.",
            metavar="FILE",
        ),
    ],
    region: Annotated[
        str | None,
        typer.Option(
            help="A state's name, india, a box west,south,east,north, or a polygon file; by default all of --boundaries.",
            metavar="REGION",
        ),
    ] = None,
    indicator: Annotated[
        str | None,
        typer.Option(
            help="pov, pop, bmi, or another indicator of the dataset; several joined by commas, or all, in one page; by "
            "default the indicator of the bundle, the only one of the dataset, or pov.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="A trained bundle, or ensemble, forest, neighbours, idw, kriging, mean; by default ensemble, or a forest "
            "if covariates are the only inputs.",
            metavar="BUNDLE|NAME",
        ),
    ] = None,
    inputs: Annotated[
        str | None,
        typer.Option(
            help="With --model ensemble, forest or kriging: the inputs of the model, for example covariates. A bundle has "
            "its own inputs.",
            metavar="INPUTS",
        ),
    ] = None,
    dataset: Annotated[
        Path | None,
        typer.Option(help="A dataset folder. Without it, geolive makes the simulated sample of Bihar.", metavar="DIR"),
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
            help="A GeoTIFF with the number of people in each cell: geolive predicts the cells, and districts are means "
            "over people. Without it all sites of a district have the same weight.",
            metavar="FILE",
        ),
    ] = None,
    raster: Annotated[
        list[str] | None,
        typer.Option(
            help="With a model that uses covariates: the raster from which a covariate came; may be repeated.",
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
            help="With --population and a model of images: largest distance of people from the nearest site, in km.",
            min=0.1,
        ),
    ] = 5.0,
    estimator: Annotated[
        str | None,
        typer.Option(
            help="The value of a district: composite (survey and predictions, weighed by their errors), spatial "
            "(composite, with information from neighbouring districts), predicted (predictions alone) or direct "
            "(survey alone). The default is composite if the survey is large enough.",
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
            help="Make the values add up to the survey's own estimate of the region, over people: ratio, difference or "
            "bell-datta-ghosh. Needs --people-column or --population.",
        ),
    ] = None,
    diagnostics: Annotated[
        Path | None,
        typer.Option(help="A file to write with checks of the composite estimates (.html or .csv).", metavar="FILE"),
    ] = None,
    title: Annotated[
        str | None, typer.Option(help="Title of the map; by default the indicator and the region.", metavar="TEXT")
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
        typer.Option(help="A TOML file with label, unit and higher_is of your own indicators.", metavar="FILE"),
    ] = None,
    level: Annotated[float, typer.Option(help="Level of the intervals.", min=0.5, max=0.99)] = 0.9,
    min_sites: Annotated[
        int, typer.Option(help="Smallest number of sites that support the predicted value of a district.", min=1)
    ] = 3,
    min_images: Annotated[
        int, typer.Option(help="Smallest number of images that support the predicted value of a district.", min=0)
    ] = 50,
    formats: Annotated[
        str | None,
        typer.Option(
            help="Further formats to write beside the first --out, joined by commas: xlsx,csv,png; or all.",
            metavar="KINDS",
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(help="Size of pictures: slide (16:9), column (of a journal, 89 mm) or page.", metavar="NAME"),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Print all districts, not only the first and the last of the ranking.")
    ] = False,
    language: Annotated[
        str, typer.Option(help="Language of the page: en, hi, fr, or a JSON file of words.", metavar="en|hi|fr|FILE")
    ] = "en",
    exports: Annotated[bool, typer.Option(help="Write GeoJSON and GeoTIFF beside the page.")] = True,
    photos: Annotated[
        Path | None,
        typer.Option(help="With an image-wise bundle: folder of the photos.", metavar="DIR"),
    ] = None,
    device: Annotated[str, typer.Option(help="With an image-wise bundle: auto, cpu, cuda or mps.")] = "auto",
    engine: EngineName = "local",
    address: Address = None,
    seed: Seed = 0,
) -> None:
    """Draw an indicator's district map, or those of several: a page, GeoJSON and GeoTIFF, styled for QGIS."""
    from geolive.cli.map_summary import show_map
    from geolive.console import note, step
    from geolive.extras import has_extra
    from geolive.languages import open_language
    from geolive.mapping.estimation_diagnostics import check_diagnostics_free, write_diagnostics
    from geolive.mapping.exports import files_of_formats, write_files
    from geolive.mapping.output_check import check_outputs_free

    out = [*out, *files_of_formats(out[0], formats)]
    check_file_options(out, size, language)
    words = {"label": label, "unit": unit, "higher_is": higher_is}
    known = indicator_words(indicators, words)
    tongue = open_language(language)
    check_benchmark(estimator, benchmark, people_column, population)
    names = named_indicators(indicator, dataset, {"title": title, **words, "diagnostics": diagnostics})
    language_file = Path(language) if Path(language).is_file() else None
    read = files_read(region, dataset, boundaries, population, indicators, language_file)
    free = check_outputs_free(out, read, exports=exports, indicators=names)
    if diagnostics is not None:
        check_diagnostics_free(diagnostics, [*free, *read])
    maps = draw_maps(
        context, names, known, region=region, model=model, inputs=inputs, dataset=dataset, boundaries=boundaries,
        name_column=name_column, id_column=id_column, people_column=people_column, layer=layer, encoding=encoding, crs=crs,
        drop_invalid=drop_invalid, population=population, raster=raster, min_people_share=min_people_share, reach=reach,
        estimator=estimator, threshold=threshold, benchmark=benchmark, title=title, label=label, unit=unit,
        higher_is=higher_is, level=level, min_sites=min_sites, min_images=min_images, photos=photos, device=device,
        engine=engine, address=address, seed=seed,
    )  # fmt: skip
    with step("Writing the map" if len(maps) == 1 else "Writing the maps"):
        checks = [] if diagnostics is None else [write_diagnostics(maps[0], diagnostics)]
        written = (
            write_files(maps[0], out, exports=exports, others=maps[1:], language=tongue, picture_size=size) + checks
        )
    if exports and not has_extra("raster") and any(path.suffix == ".html" for path in out):
        missing = "rasterio or exactextract is not installed; run: pip install rasterio exactextract"
        note(f"no GeoTIFF was written beside the page, since {missing}")
    if not has_extra("tiles") and any(path.suffix == ".pmtiles" for path in out):
        note("no page was written beside the .pmtiles file, since maplibre is not installed; run: pip install maplibre")
    for drawn in maps[:-1]:
        show_map(drawn, [], everything=everything)
    show_map(maps[-1], written, everything=everything)
