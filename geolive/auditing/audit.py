"""The one call that audits anything: a dataset, a trained model, a map, or a file or folder of one."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geolive
from geolive.auditing.passport import Check, Passport
from geolive.auditing.survey_imagery import years_of
from geolive.errors import InputError
from geolive.files import today
from geolive.wording import count_of

if TYPE_CHECKING:
    from geolive.dataset import Dataset
    from geolive.models.trained_model import TrainedModel


def audit(subject: Any, dataset: "Dataset | str | Path | None" = None) -> Passport:
    """Check a dataset, a trained model or a district map, and return its passport.

    Parameters
    ----------
    subject : Dataset, TrainedModel, DistrictMap, str or Path
        A path may be the folder of a dataset or a bundle, or a file of a map that holds a passport. For a page with
        several indicators, the function returns the first passport; `geolive.auditing.embedded.read_passports`
        returns all.
    dataset : Dataset, str or Path, optional
        With a trained model: the dataset on which it was trained. The passport then also has the checks of this
        dataset.

    Returns
    -------
    Passport
        Checks with the status FAIL, WARN, PASS or NOT KNOWN, their figures, thresholds and remedies.

    Raises
    ------
    InputError
        The subject is none of these, or a file holds no passport.

    See Also
    --------
    geolive.evaluate : Compare models on the same folds.
    geolive.predict : Map the districts of a region.

    Examples
    --------
    >>> import geolive as gl
    >>> passport = gl.audit(gl.make_sample("goa"))
    >>> passport.summary
    'SIMULATED. 11 checks: 1 FAIL, 7 PASS, 3 NOT KNOWN'
    >>> passport.check("duplicate_clusters").says
    '0 of 14 clusters repeat another one in place, year and all values.'
    """
    from geolive.dataset import Dataset
    from geolive.models.trained_model import TrainedModel

    if isinstance(subject, str | Path):
        return passports_of(subject, dataset)[0]
    if isinstance(subject, Dataset):
        return _of_dataset(subject)
    if isinstance(subject, TrainedModel):
        return _of_model(subject, _as_dataset(dataset))
    if isinstance(passport := getattr(subject, "passport", None), Passport):
        return passport
    raise InputError(
        f"subject={type(subject).__name__}: give a dataset, a trained model, a map that predict made, or a path of one",
        parameter="subject",
    )


def passports_of(path: str | Path, dataset: "Dataset | str | Path | None" = None) -> list[Passport]:
    """Return the passports of a path: of a dataset's or a bundle's folder, or those that a map's file holds.

    Parameters
    ----------
    path : str or Path
    dataset : Dataset, str or Path, optional
        As for `audit`.

    Raises
    ------
    InputError
        There is no such path, or it holds no passport.

    Examples
    --------
    >>> passports_of("no/such/path")
    Traceback (most recent call last):
    geolive.errors.InputError: no/such/path: there is no such file or folder; give a map's file, a bundle or a dataset
    """
    from geolive.auditing.embedded import read_passports
    from geolive.dataset_facts import FACTS

    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder; give a map's file, a bundle or a dataset")
    if not path.is_dir():
        if dataset is not None:
            raise InputError(f"{path}: a map's file holds its passport already; leave the dataset out", "dataset")
        return read_passports(path)
    if (path / FACTS).is_file():
        from geolive.dataset_folder import read_dataset

        return [_of_dataset(read_dataset(path))]
    if (path / "card.json").is_file():
        from geolive.models.bundle import load_model

        return [_of_model(load_model(path), _as_dataset(dataset))]
    raise InputError(f"{path}: is neither the folder of a dataset (no {FACTS}) nor that of a bundle (no card.json)")


def make_passport(
    name: str, subject: str, checks: Sequence[Check], facts: dict[str, str], *, simulated: bool, version: str = ""
) -> Passport:
    """Make a passport of today by this geolive; facts without a text are left out.

    Examples
    --------
    >>> make_passport("mine", "dataset", [], {"source": "points.csv", "command": ""}, simulated=False).facts
    {'source': 'points.csv'}
    """
    known = {key: fact for key, fact in facts.items() if fact}
    made = today().isoformat()
    # a map is simulated where its dataset or its model is; one cause needs one check
    first = next((check for check in checks if check.id == "simulation"), None)
    kept = tuple(check for check in checks if check.id != "simulation" or check is first)
    return Passport(name, subject, kept, known, simulated, made, version or geolive.__version__)


def dataset_facts(dataset: "Dataset") -> dict[str, str]:
    """Return what a passport states of a dataset besides its checks.

    Examples
    --------
    >>> import geolive as gl
    >>> from dataclasses import replace
    >>> goa = gl.make_sample("goa")
    >>> dataset_facts(replace(goa, clusters=goa.clusters.assign(year=[2015] * 4 + [2019] * 10)))["survey years"]
    '2015 (4 clusters), 2019 (10 clusters)'
    """
    years = years_of(dataset.clusters, "year").dropna().astype(int).value_counts().sort_index()
    return {
        "dataset": dataset.source,
        "survey years": ", ".join(f"{year} ({count_of(n, 'cluster')})" for year, n in years.items()),
        "dataset command": dataset.command,
        "dataset checksum": dataset.checksum,
    }


def model_facts(trained: "TrainedModel") -> dict[str, str]:
    """Return what a passport states of a model besides its checks.

    Examples
    --------
    >>> import geolive as gl
    >>> model_facts(gl.train(gl.make_sample("goa"), gl.Mean(), "pov"))["model"]
    'mean'
    """
    card = trained.card
    return {
        "model": card.model,
        "indicator": card.indicator,
        "trained on": card.trained_on,
        "training data checksum": card.training_checksum,
        "trained": f"{card.made} with geolive {card.geolive}",
    }


def _of_dataset(dataset: "Dataset") -> Passport:
    from geolive.auditing.dataset_checks import dataset_checks

    return make_passport(
        dataset.name, "dataset", dataset_checks(dataset), dataset_facts(dataset), simulated=dataset.simulated
    )


def _of_model(trained: "TrainedModel", dataset: "Dataset | None") -> Passport:
    from geolive.auditing.dataset_checks import check_simulation, dataset_checks
    from geolive.auditing.model_checks import model_checks

    card = trained.card
    checks = [*model_checks(trained, dataset), *(dataset_checks(dataset) if dataset is not None else [])]
    facts = {**(dataset_facts(dataset) if dataset is not None else {}), **model_facts(trained)}
    simulated = card.simulated or bool(dataset is not None and dataset.simulated)
    checks = [check_simulation(simulated, "model"), *checks]
    return make_passport(f"{card.model}: {card.indicator}", "model", checks, facts, simulated=simulated)


def _as_dataset(dataset: "Dataset | str | Path | None") -> "Dataset | None":
    from geolive.dataset import check_dataset
    from geolive.dataset_folder import read_dataset

    if dataset is None:
        return None
    if isinstance(dataset, str | Path):
        return read_dataset(dataset)
    check_dataset(dataset)
    return dataset
