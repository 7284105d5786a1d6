"""The maps that `predict` writes and `report` describes: from the options of the command line to district maps."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from geolive.cli.predict_inputs import bundle_of, default_indicator, region_and_dataset, shares_below, trained_model

if TYPE_CHECKING:
    from geolive.indicators import Indicator
    from geolive.mapping.district_map import DistrictMap


def files_read(region: str | None, *files: Path | None) -> list[Path]:
    """Return the files and folders that a map is made from, which no output may replace.

    Examples
    --------
    >>> len(files_read("goa", Path("data/goa"), None))
    1
    """
    region_file = [Path(region)] if region and Path(region).is_file() else []
    return [*(path for path in files if path), *region_file]


def draw_maps(
    context: typer.Context,
    names: list[str],
    known: "dict[str, Indicator]",
    *,
    region: str | None,
    model: str | None,
    inputs: str | None,
    dataset: Path | None,
    boundaries: Path | None,
    name_column: str | None,
    id_column: str | None,
    people_column: str | None,
    layer: str | None,
    encoding: str | None,
    crs: str | None,
    drop_invalid: bool,
    population: Path | None,
    raster: list[str] | None,
    min_people_share: float,
    reach: float,
    estimator: str | None,
    threshold: float | None,
    benchmark: str | None,
    title: str | None,
    label: str | None,
    unit: str | None,
    higher_is: str | None,
    level: float,
    min_sites: int,
    min_images: int,
    photos: Path | None,
    device: str,
    engine: str,
    address: str | None,
    seed: int,
) -> "list[DistrictMap]":
    """Draw the maps of indicators as the options of `predict` say.

    Parameters
    ----------
    context : typer.Context
        Of the command, which the maps record.
    names : list of str
        The indicators, as `named_indicators` returns them.
    known : dict of str to Indicator
        Words for indicators of the user's own.
    **options
        Those of `predict`.

    Raises
    ------
    InputError
        An option is wrong, or something cannot be read.
    """
    from geolive.cli.parameters import recorded_command
    from geolive.console import step
    from geolive.covariates.raster_names import as_rasters
    from geolive.engine.choosing import choose_engine
    from geolive.hexagons import area_noun
    from geolive.mapping.population_cells import check_population
    from geolive.mapping.prediction import predict as predict_districts
    from geolive.wording import count_of

    chosen = choose_engine(engine, address)
    area, file, data = region_and_dataset(
        context, region, dataset, boundaries, layer=layer, name_column=name_column, id_column=id_column,
        people_column=people_column, encoding=encoding, crs=crs, drop_invalid=drop_invalid,
    )  # fmt: skip
    as_rasters(raster or [])
    if population is not None:
        check_population(population, area.districts)
    if threshold is not None:
        data, names = shares_below(data, model, [name or default_indicator(data) for name in names], threshold)
    maps = []
    with chosen:
        for name in names:
            trained = trained_model(data, bundle_of(model, name, names), name or None, inputs, seed)
            with step(f"Predicting {count_of(len(area.districts), area_noun(area.districts))}") as progress:
                drawn = predict_districts(
                    data, trained, area, boundaries=file, level=level, min_sites=min_sites, min_images=min_images,
                    estimator=estimator, benchmark=benchmark, population=population, rasters=raster or [],
                    min_people_share=min_people_share, reach_km=reach, photos=photos, device=device, engine=chosen,
                    command=recorded_command(context), progress=progress,
                )  # fmt: skip
            own = known.get(drawn.indicator.name)
            if own is not None:
                drawn = drawn.with_indicator(own.as_probability if trained.card.task == "classification" else own)
            maps.append(drawn.with_words(title=title, label=label, unit=unit, higher_is=higher_is))
    return maps
