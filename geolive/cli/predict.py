"""`predict`: the main job."""

from pathlib import Path
from typing import Annotated

import typer

from geolive.cli.apps import Indicator, Seed, app
from geolive.errors import InputError


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
    photos: Annotated[
        Path | None,
        typer.Option(help="With an image-wise bundle: folder that img_path starts from.", metavar="DIR"),
    ] = None,
    device: Annotated[str, typer.Option(help="With an image-wise bundle: auto, cpu, cuda or mps.")] = "auto",
    seed: Seed = 0,
) -> None:
    """Draw an indicator's district map: a page, GeoJSON and GeoTIFF, styled for QGIS."""
    from geolive.console import show_map, step
    from geolive.mapping.districts import Support
    from geolive.mapping.exports import check_outputs_free
    from geolive.mapping.photo_inference import predict_photos
    from geolive.mapping.prediction import check_covers, predict_map
    from geolive.models.registry import describe
    from geolive.regions import find_region

    region_file = [Path(region)] if region and Path(region).is_file() else []
    check_outputs_free(out, [p for p in [dataset, boundaries, *region_file] if p], exports=exports)
    with step("Finding the region's districts"):
        area = find_region(region, boundaries)
    data = _dataset_of(area, dataset, region)
    check_covers(data, area)
    trained = _trained(data, model, indicator, seed)
    if trained.card.features == "imagewise":
        with step("Looking at photos") as tell:
            data = predict_photos(data, trained, area, photos=photos, device=device, progress=tell)
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
                indicator=trained.card.indicator,
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


def _dataset_of(area, folder: Path | None, region: str | None):
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
    name = area.states[0] if len(area.states) == 1 and area.states[0] else region
    short = "".join(c if c.isalnum() else "-" for c in name.lower())
    raise InputError(
        f"no dataset for {area.name}: simulate one (python cli.py sample --region '{name}' --out data/{short}), or bring your "
        f"own survey (python cli.py ingest survey FILE --value NAME --out data/{short}) and imagery (ingest photos, "
        f"fetch images), then add --dataset data/{short}"
    )


def _trained(dataset, model: str | None, indicator: str, seed: int):
    """The bundle that was named, a baseline fitted on the spot, or the cached forest."""
    from functools import partial

    from geolive.console import note_dropped, step
    from geolive.models.bundle import load_bundle
    from geolive.models.cache import cached_forest
    from geolive.models.registry import BASELINES, model_maker
    from geolive.models.training import train

    if model in BASELINES:
        with step(f"Fitting {model} to {indicator}") as tell:
            make = partial(model_maker(model), task="regression", seed=seed)
            return train(dataset, make, indicator, seed=seed, needs_images=False, progress=tell)
    if model is None or model == "forest":
        with step(f"Fitting the forest to {indicator}, or opening the one kept") as tell:
            trained = cached_forest(dataset, indicator, seed, tell)
        note_dropped(trained.card.clusters_without_images)
        return trained
    if not Path(model).exists():
        raise InputError(
            f"--model {model}: no such bundle, nor one of: forest, {', '.join(BASELINES)}; train one with: train"
        )
    with step(f"Opening {model}"):
        trained = load_bundle(model)
    if trained.card.indicator != indicator:
        raise InputError(
            f"--model {model}: was trained on {trained.card.indicator!r}, not on {indicator!r}; "
            f"add --indicator {trained.card.indicator}"
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
