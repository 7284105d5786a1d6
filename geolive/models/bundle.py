"""Bundles: trained models as folders, without pickle."""

import html
import json
import re
from importlib import metadata
from pathlib import Path
from typing import Any

from geolive.command_line import command_line
from geolive.errors import InputError
from geolive.files import checksum, new_folder
from geolive.models.registry import ADDED_MODELS, MODEL_KINDS, ModelKind, find_kind, kind_of
from geolive.models.trained_model import ModelCard, TrainedModel, check_residuals, check_trained
from geolive.remote_paths import address_of, addresses_in_errors, is_remote, local_path
from geolive.storage.outputs import remote_folder
from geolive.storage.views import local_input
from geolive.table_files import read_geoparquet, read_parquet
from geolive.tables import vistas_classes
from geolive.terminal_text import clean

SCHEMA_VERSION = 3
_SITE_COLUMNS = ["site_id", "lon", "lat", "fold", "digest", "prediction"]


def save_model(trained: TrainedModel, folder: str | Path) -> str | Path:
    """Write a trained model to a new folder, completely or not at all.

    Parameters
    ----------
    trained : TrainedModel
    folder : str or Path
        Must not exist, or must be empty. An address in object storage (`s3://…`) is written when the local work is
        done.

    Returns
    -------
    Path
        `folder`, with the weights, `residuals.parquet`, `sites.parquet` (cross-fitted predictions at sites), `card.json` and a
        readable `README.md`.

    Raises
    ------
    InputError
        The folder is not free, or models of this kind cannot be saved (baselines are fitted each time).

    See Also
    --------
    geolive.load_model : Read a trained model from a bundle.
    geolive.train : Fit a model, with out-of-fold residuals.

    Examples
    --------
    >>> import tempfile
    >>> from geolive.models.clusterwise import Forest
    >>> from geolive.models.training import train
    >>> from geolive.simulation.sample import make_sample
    >>> trained = train(make_sample("goa", seed=0), Forest(n_estimators=5), "pov")
    >>> folder = save_model(trained, Path(tempfile.mkdtemp()) / "forest")
    >>> load_model(folder).card.model
    'clusterwise-forest-5'
    """
    if is_remote(folder):
        with remote_folder(folder) as local:
            save_model(trained, local)
        return address_of(folder)
    folder = Path(local_path(folder))
    check_trained(trained)
    kind = kind_of(trained.model)
    if kind is None or not kind.kept:
        raise InputError(f"{trained.model.name} cannot be saved in a bundle; fit it each time")
    with new_folder(folder) as temporary:
        settings = trained.model.save(temporary)
        trained.residuals.to_parquet(temporary / "residuals.parquet", index=False, schema_version="1.1.0")
        if trained.site_predictions is not None:
            trained.site_predictions.to_parquet(temporary / "sites.parquet", index=False)
        files = sorted(path.name for path in temporary.iterdir())
        facts = trained.card.to_json() | {
            "schema_version": SCHEMA_VERSION,
            "kind": kind.name,
            "settings": settings,
            "inputs": trained.model.input_words,
            "classes": [*vistas_classes()["name"], "void"],
            "versions": {kind.library: metadata.version(kind.library)} if kind.library else {},
            "checksums": {name: checksum(temporary / name) for name in files},
        }
        (temporary / "card.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (temporary / "README.md").write_text(_readme(trained.card, trained.model.input_words), encoding="utf-8")
    return folder


@addresses_in_errors()
def load_model(folder: str | Path) -> TrainedModel:
    """Read a trained model that `save_model` wrote.

    Parameters
    ----------
    folder : str or Path
        A bundle, or its address in object storage (`s3://…`).

    Returns
    -------
    TrainedModel

    Raises
    ------
    InputError
        There is no bundle; a file is missing, altered or cut short; or the bundle was made with another version of a library
        that its weights depend on.

    See Also
    --------
    geolive.save_model : Write a trained model to a bundle.
    geolive.predict : Map the districts of a region.

    Examples
    --------
    >>> load_model("no/such/bundle")
    Traceback (most recent call last):
    geolive.errors.InputError: no/such/bundle: no such bundle (it has no card.json); make one with train
    """
    folder = local_input(folder)
    facts, kind, card = _read_card(folder)
    again = f"train again: {_command_of(kind, card)}"
    version = facts["schema_version"]
    if version != SCHEMA_VERSION:
        raise InputError(f"{folder}: its schema version is {version}, and this geolive reads {SCHEMA_VERSION}; {again}")
    for file, expected in facts["checksums"].items():
        path = folder / Path(file).name
        if not path.is_file() or checksum(path) != expected:
            raise InputError(f"{path}: is missing, altered or cut short since training; {again}")
    for library, made_with in facts["versions"].items():
        if metadata.version(library) != made_with:
            here = metadata.version(library)
            raise InputError(f"{folder}: made with {library} {made_with}, but {here} is installed; {again}")
    try:
        model = kind.load_class().load(folder, facts["settings"])
    except InputError as error:
        raise InputError(f"{str(error).removesuffix('; train it again')}; {again}") from error
    try:
        residuals = check_residuals(read_geoparquet(folder / "residuals.parquet"))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder}/residuals.parquet: cannot be read ({error}); {again}") from None
    try:
        # only listed files count
        listed = "sites.parquet" in facts["checksums"]
        sites = read_parquet(folder / "sites.parquet", _SITE_COLUMNS) if listed else None
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder}/sites.parquet: cannot be read ({error}); {again}") from None
    return TrainedModel(model, residuals, card, sites)


def _read_card(folder: Path) -> tuple[dict[str, Any], ModelKind, ModelCard]:
    """Read the facts in `card.json`, the kind of model that they name, and the card."""
    path = folder / "card.json"
    if not path.is_file():
        raise InputError(f"{folder}: no such bundle (it has no card.json); make one with train")
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["schema_version"] == 1:
            raise InputError(f"{path}: made by an earlier geolive; train the model again")
        kind, card = _kind_named(path, str(facts["kind"]), facts["versions"]), ModelCard.from_json(facts)
        if not kind.kept or not all(isinstance(facts[name], dict) for name in ("checksums", "versions", "settings")):
            raise TypeError
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: not a model card that geolive wrote ({type(error).__name__}); train the model again"
        ) from None
    return facts, kind, card


def _kind_named(path: Path, name: str, versions: dict[str, Any]) -> ModelKind:
    """Find the kind of model that a card names; only packages that are installed are asked for it."""
    if name not in MODEL_KINDS and name not in ADDED_MODELS and re.fullmatch(r"[a-z0-9-]{1,80}", name):
        packages = clean(", ".join(f"{package} {version}" for package, version in versions.items()))[:200]
        raise InputError(
            f"{path}: its model {name!r} is none of geolive's ({packages or 'no package is named'}); install the package that "
            "adds it, if you trust it"
        )
    return find_kind(name)


def _command_of(kind: ModelKind, card: ModelCard) -> str:
    """Return the command that makes such a bundle again."""
    if not kind.command:
        return f"save_model(train(dataset, {kind.class_name}(...), {card.indicator!r}), folder)"
    options = ("--indicator", card.indicator, "--task", card.task)
    return f"{command_line('train', *kind.command.split(), 'DATASET', *options, '--out', 'BUNDLE')}"


def _left_out(card: ModelCard) -> str:
    """Say how many surveyed clusters were left out, and why."""
    words = [f"{card.clusters_without_images} more had no images"]
    if card.clusters_with_few_images:
        words.append(f"{card.clusters_with_few_images} too few images")
    if card.clusters_without_covariates:
        words.append(f"{card.clusters_without_covariates} no number of some covariate")
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])}, and {words[-1]}"


def _readme(card: ModelCard, inputs: str) -> str:
    rows = []
    for name, figure in card.metrics.items():
        value, lower, upper = ("–" if number is None else f"{number:.3f}" for number in figure)
        rows.append(f"| {name} | {value} | {lower} to {upper} |")
    folds = card.folds
    simulated = "\n**SIMULATED: trained on simulated data. Nothing here describes the real world.**\n"
    return f"""# {_as_text(card.model)}: {_as_text(card.indicator)} ({_as_text(card.task)})
{simulated if card.simulated else ""}
Predicts the mean of an area, not of a household.

- Trained on: {_as_text(card.trained_on)}; {card.clusters} surveyed clusters ({_left_out(card)})
- Inputs: {inputs}
- Folds: {folds.number} of whole {folds.kind} ({folds.units} in all), seed {folds.seed}
- Made: {card.made}, geolive {card.geolive}
{_honest(card)}
Out of fold, at the training clusters, with 95 % intervals by bootstrap over whole {folds.kind}:

| metric | value | interval |
|---|---|---|
{chr(10).join(rows)}

`residuals.parquet` holds each cluster's value and out-of-fold prediction; `card.json` holds all of this for programs.
"""


def _as_text(text: str) -> str:
    """Text from data as Markdown shows it: on one line, without HTML, links or other marks."""
    plain = html.escape(" ".join(clean(text).split()), quote=False)
    return re.sub(r"([\\`*_\[\]|!])", r"\\\1", plain)


def _honest(card: ModelCard) -> str:
    """Say which predictions are out of fold, if not those of all training clusters, and warn of permuted labels."""
    lines = [f"- {_as_text(card.honest)}"] if card.honest else []
    if card.permuted:
        lines.append("- **PERMUTED LABELS: trained on values of other clusters, to see what chance alone reaches.**")
    return "".join(f"{line}\n" for line in lines)
