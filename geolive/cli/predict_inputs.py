"""What `predict` reads before it predicts: the region and the dataset, the indicators, and the model of each."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from geolive.cli.boundary_options import open_boundaries
from geolive.command_line import command_line
from geolive.errors import InputError

if TYPE_CHECKING:
    from geolive.boundary_files import Boundaries
    from geolive.dataset import Dataset
    from geolive.indicators import Indicator
    from geolive.models.trained_model import TrainedModel
    from geolive.regions import Region

# the sample of India that is made where no dataset is named is kept small; `sample` makes a larger one
IMAGES_PER_PLACE_OF_INDIA = 20


def region_and_dataset(
    context: typer.Context, region: str | None, folder: Path | None, boundaries: Path | None, **options: Any
) -> "tuple[Region, Boundaries | None, Dataset]":
    """Open the region, the file of districts where one is named, and the dataset, which must cover the region.

    Parameters
    ----------
    context : typer.Context
        Of the command, whose options messages name.
    region, folder, boundaries
        The options `--region`, `--dataset` and `--boundaries`.
    **options
        Those of `open_boundaries`.

    Raises
    ------
    InputError
        One of them cannot be read or found, or the dataset lies elsewhere.
    """
    from geolive.cli.parameters import as_options
    from geolive.console import note, step
    from geolive.hexagons import parse_hexagons
    from geolive.mapping.map_region import map_region
    from geolive.mapping.region_sites import check_covers
    from geolive.regions import find_region

    if boundaries is not None and parse_hexagons(str(boundaries)) is not None:
        dataset = _dataset_around_hexagons(region, folder)
        area = map_region(dataset, region, boundaries)
        check_covers(dataset, area)
        return area, boundaries, dataset
    with step("Finding the region's districts"):
        file = open_boundaries(boundaries, **options)
        area = find_region(region, file)
    if boundaries is not None:
        note(f"boundaries: {area.source}")
    for remark in area.notes:
        note(as_options(remark, context.command))
    dataset = _dataset_of(area, folder)
    check_covers(dataset, area)
    return area, file, dataset


def check_file_options(out: list[Path], size: str | None, language: str) -> None:
    """Raise before any work where an option about files is for none of those that are written.

    Examples
    --------
    >>> check_file_options([Path("pov.csv")], "slide", "en")
    Traceback (most recent call last):
    geolive.errors.InputError: --size slide: is for pictures, and none is written; add --formats png
    """
    from geolive.mapping.picture import PICTURES
    from geolive.mapping.picture_sizes import picture_size

    if size is not None:
        picture_size(size)
        if not any(path.suffix in PICTURES for path in out):
            raise InputError(f"--size {size}: is for pictures, and none is written; add --formats png")
    if language != "en" and not any(path.suffix in (".html", ".pmtiles") for path in out):
        raise InputError(f"--language {language}: is for the page, and none is written; add --formats html")


def check_benchmark(
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


def shares_below(
    dataset: "Dataset", model: str | None, names: list[str], threshold: float
) -> tuple["Dataset", list[str]]:
    """Return the dataset with the share of places below a threshold, and the name of that indicator."""
    from geolive.models.registry import FITTED_BY_NAME
    from geolive.shares_below import with_share_below

    if len(names) > 1:
        raise InputError(
            f"threshold={threshold:g}: is for one indicator; give one of: {', '.join(names)}", parameter="threshold"
        )
    if model is not None and not is_fitted_now(model):
        raise InputError(
            f"threshold={threshold:g}: the share below it needs a new model, and {model!r} was trained on other values; "
            f"leave the bundle out, or give one of: {', '.join(FITTED_BY_NAME)}",
            parameter="threshold",
        )
    return with_share_below(dataset, names[0], threshold), [f"{names[0]}_below"]


def indicator_words(file: Path | None, words: dict[str, str | None]) -> dict[str, "Indicator"]:
    """Read the file of indicators, and check the words of the options before any work."""
    from geolive.indicators import indicator, read_indicators

    indicator("any").with_words(**words)
    return {} if file is None else read_indicators(file)


def named_indicators(words: str | None, dataset: Path | None, of_one: dict[str, object]) -> list[str]:
    """Return the indicators to map; an empty name stands for the bundle's own, or that of `default_indicator`."""
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


def default_indicator(dataset: "Dataset") -> str:
    """Return the indicator that is mapped where none is named: the dataset's only one, or pov.

    Examples
    --------
    >>> import geolive as gl
    >>> default_indicator(gl.make_sample("goa"))
    'pov'
    """
    return dataset.indicators[0] if len(dataset.indicators) == 1 else "pov"


def is_fitted_now(model: str) -> bool:
    """Return whether a name is that of a model that is fitted as the map is made; other names are folders of bundles.

    Examples
    --------
    >>> is_fitted_now("kriging"), is_fitted_now("data/bmi-forest")
    (True, False)
    """
    from geolive.models.registry import ADDED_MODELS, FITTED_BY_NAME

    return model in FITTED_BY_NAME or model in ADDED_MODELS


def bundle_of(model: str | None, name: str, names: list[str]) -> str | None:
    """Return the bundle of one of several indicators, which `train` puts into a folder with the indicator's name."""
    if len(names) == 1 or model is None or is_fitted_now(model):
        return model
    return str(Path(model) / name)


def _dataset_around_hexagons(region: str | None, folder: Path | None) -> "Dataset":
    from geolive.console import step
    from geolive.dataset_folder import read_dataset
    from geolive.regions import find_region

    if folder is not None:
        with step(f"Reading {folder}"):
            return read_dataset(folder)
    if region is None:
        raise InputError(
            "boundaries: hexagons lie around the places of a dataset; add --dataset DIR, or --region bihar for a sample",
            parameter="boundaries",
        )
    return _dataset_of(find_region(region), None)


def _dataset_of(area: "Region", folder: Path | None) -> "Dataset":
    from geolive.console import note, step
    from geolive.dataset_folder import read_dataset
    from geolive.regions import INDIA
    from geolive.simulation.sample import cached_sample

    if folder is not None:
        with step(f"Reading {folder}"):
            return read_dataset(folder)
    if area.name == INDIA:
        with step("Opening the sample of India (SIMULATED survey and imagery; made once, then kept)"):
            dataset = cached_sample("india", 0, IMAGES_PER_PLACE_OF_INDIA)
        note("no --dataset was named: the survey and the imagery are SIMULATED")
        return dataset
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


def trained_model(
    dataset: "Dataset", model: str | None, indicator: str | None, inputs: str | None, seed: int
) -> "TrainedModel":
    """Return the model of the named bundle, or one of a named kind that is fitted now or was kept by an earlier command."""
    from geolive.console import note_dropped, step
    from geolive.model_inputs import photo_inputs
    from geolive.models.cache import fit_cached
    from geolive.models.registry import DEFAULT_MODEL, DEFAULT_WITHOUT_PHOTOS, make_model

    wanted = indicator or default_indicator(dataset)
    if model is None:
        model = DEFAULT_MODEL if inputs is None or photo_inputs(inputs) else DEFAULT_WITHOUT_PHOTOS
    if is_fitted_now(model):
        with step(f"Fitting {model} to {wanted}, or opening the one kept") as progress:
            own = make_model(model, **({} if inputs is None else {"inputs": inputs})).for_task("regression", seed)
            trained = fit_cached(dataset, own, wanted, random_state=seed, progress=progress)
        without_images = trained.card.clusters_without_images if trained.card.needs_images else 0
        note_dropped(without_images, trained.card.clusters_without_covariates)
        return trained
    if inputs is not None:
        raise InputError(
            f"inputs={inputs!r}: the bundle {model} knows what it uses; leave inputs out", parameter="inputs"
        )
    return _bundle(model, indicator)


def _bundle(model: str, indicator: str | None) -> "TrainedModel":
    from geolive.console import note, step
    from geolive.models.bundle import load_model
    from geolive.models.registry import FITTED_BY_NAME

    if not Path(model).exists():
        training = command_line("train", "clusterwise", "DATASET", "--out", model)
        raise InputError(
            f"model={model!r}: no such bundle, nor one of: {', '.join(FITTED_BY_NAME)}; train one with: {training}",
            parameter="model",
        )
    with step(f"Opening {model}"):
        trained = load_model(model)
    if getattr(trained.model, "kind", "") == "gcn-authors":
        training = command_line("train", "gcn", "DATASET", "--arch", "gcn", "--out", "FOLDER")
        note(
            f"{model} is the network of the authors' code (--compat authors): to compare with their figures, not to map; "
            f"train one to map with: {training}"
        )
    known = trained.card.indicator
    if indicator is not None and indicator != known:
        raise InputError(
            f"model={model!r}: was trained on {known!r}, not on {indicator!r}; give indicator={known!r}",
            parameter="model",
        )
    return trained
