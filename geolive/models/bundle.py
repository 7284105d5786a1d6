"""Bundles: trained models as folders, without pickle."""

import importlib
import json
from importlib import metadata
from pathlib import Path

import geopandas as gpd

from geolive.errors import InputError
from geolive.files import checksum, new_folder
from geolive.models.trained_model import ModelCard, TrainedModel, check_residuals
from geolive.tables import vistas_classes

SCHEMA_VERSION = 1
# kind: module, class, the library whose version must be the same when the bundle is read again (None: any will do)
KINDS = {
    "clusterwise": ("geolive.models.clusterwise", "Forest", "scikit-learn"),
    "gcn": ("geolive.models.graphcnn", "GraphCNN", None),
    "gcn --arch mean-pooling": ("geolive.models.attention", "MeanPooling", None),
    "gcn --arch attention": ("geolive.models.attention", "AttentionPooling", None),
    "gcn --arch stacked": ("geolive.models.stacked", "StackedNetwork", None),
    "imagewise": ("geolive.models.imagewise.model", "ImageWise", None),
}


def save_bundle(trained: TrainedModel, folder: str | Path) -> Path:
    """Write a trained model to a new folder, whole or not at all.

    Parameters
    ----------
    trained : TrainedModel
    folder : str or Path
        Must not exist, or be empty.

    Returns
    -------
    Path
        `folder`, with the weights, `residuals.parquet`, `card.json` and a readable `README.md`.

    Raises
    ------
    InputError
        The folder is not free, or the model is of a kind that is not kept (baselines are fitted anew each time).

    Examples
    --------
    >>> import tempfile
    >>> from geolive.models.clusterwise import Forest
    >>> from geolive.models.training import train
    >>> from geolive.simulation.sample import make_sample
    >>> trained = train(make_sample("goa", seed=0), lambda: Forest(trees=5), "pov")
    >>> folder = save_bundle(trained, Path(tempfile.mkdtemp()) / "forest")
    >>> load_bundle(folder).card.model
    'clusterwise-forest-5'
    """
    kind = next((kind for kind, (_, name, _) in KINDS.items() if name == type(trained.model).__name__), None)
    if kind is None:
        raise InputError(f"{trained.model.name} is not kept in a bundle; it is fitted anew each time")
    library = KINDS[kind][2]
    with new_folder(folder) as temporary:
        settings = trained.model.save(temporary)
        trained.residuals.to_parquet(temporary / "residuals.parquet", index=False, schema_version="1.1.0")
        files = sorted(path.name for path in temporary.iterdir())
        card = trained.card.to_json() | {
            "schema_version": SCHEMA_VERSION,
            "kind": kind,
            "settings": settings,
            "inputs": trained.model.inputs,
            "classes": [*vistas_classes()["name"], "void"],
            "versions": {library: metadata.version(library)} if library else {},
            "checksums": {name: checksum(temporary / name) for name in files},
        }
        (temporary / "card.json").write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (temporary / "README.md").write_text(_readme(card), encoding="utf-8")
    return Path(folder)


def load_bundle(folder: str | Path) -> TrainedModel:
    """Read a bundle.

    Raises
    ------
    InputError
        No bundle there; a file missing, altered or cut short; or made with another version of a library that its weights
        depend on.

    Examples
    --------
    >>> load_bundle("no/such/bundle")
    Traceback (most recent call last):
    geolive.errors.InputError: no/such/bundle: no such bundle (no card.json there); make one with train
    """
    folder = Path(folder)
    path = folder / "card.json"
    if not path.is_file():
        raise InputError(f"{folder}: no such bundle (no card.json there); make one with train")
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        module, name, _ = KINDS[card["kind"]]
        files = {Path(file).name: expected for file, expected in card["checksums"].items()}
        versions, settings, version = card["versions"], card["settings"], card["schema_version"]
        facts = ModelCard.from_json(card)
        again = f"train {card['kind']} DATASET --indicator {card['indicator']} --task {card['task']} --out BUNDLE"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: not a model card as geolive writes it ({type(error).__name__}); train again"
        ) from None
    if version != SCHEMA_VERSION:
        raise InputError(f"{path}: schema version {version}, this geolive reads {SCHEMA_VERSION}; train again: {again}")
    for file, expected in files.items():
        if not (folder / file).is_file() or checksum(folder / file) != expected:
            raise InputError(f"{folder / file}: missing, altered or cut short since training; train again: {again}")
    for library, made_with in versions.items():
        if metadata.version(library) != made_with:
            here = metadata.version(library)
            raise InputError(f"{folder}: made with {library} {made_with}, here is {here}; train again: {again}")
    model = getattr(importlib.import_module(module), name).load(folder, settings)
    try:
        residuals = check_residuals(gpd.read_parquet(folder / "residuals.parquet"))
    except (OSError, ValueError, KeyError, InputError) as error:
        raise InputError(f"{folder}/residuals.parquet: cannot be read ({error}); train again: {again}") from None
    return TrainedModel(model, residuals, facts)


def _readme(card: dict) -> str:
    rows = []
    for name, (value, lower, upper) in card["metrics"].items():
        figures = ["–" if figure is None else f"{figure:.3f}" for figure in (value, lower, upper)]
        rows.append(f"| {name} | {figures[0]} | {figures[1]} to {figures[2]} |")
    folds = card["folds"]
    simulated = "\n**SIMULATED: trained on simulated data. Nothing here says anything of the real world.**\n"
    return f"""# {card["model"]}: {card["indicator"]} ({card["task"]})
{simulated if card["simulated"] else ""}
Predicts the mean of an area, not of a household.

- Trained on: {card["trained_on"]}; {card["clusters"]} surveyed clusters ({card["clusters_without_images"]} more had no images)
- Inputs: {card["inputs"]}
- Folds: {folds["number"]} of whole {folds["kind"]} ({folds["units"]} in all), seed {folds["seed"]}
- Made: {card["made"]}, geolive {card["geolive"]}
{_honest(card)}
Out of fold, at the training clusters, 95 % interval by bootstrap over whole {folds["kind"]}:

| metric | value | interval |
|---|---|---|
{chr(10).join(rows)}

`residuals.parquet` holds each cluster's value and out-of-fold prediction; `card.json` holds all of this for programs.
"""


def _honest(card: dict) -> str:
    """Where predictions are out of fold, of models for which that is not all training clusters; and a warning of others."""
    said = [f"- {card['honest']}"] if "honest" in card else []
    if card.get("permuted"):
        said.append("- **PERMUTED LABELS: trained on values of other clusters, to see what chance alone reaches.**")
    return "".join(f"{line}\n" for line in said)
