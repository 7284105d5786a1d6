"""Where the signal sits in each scenario. How well models do there is measured by benchmarks/contestants.py."""

import hashlib

import numpy as np
import pytest

from geolive.errors import InputError
from geolive.simulation.sample import make_sample, simulate
from geolive.simulation.scenarios import DECISIVE_MARKS, SCENARIOS
from geolive.tables import vistas_classes
from tests.commands import run


@pytest.fixture(scope="module")
def scenarios():
    return {name: make_sample("bihar", 0, n_sites=38, scenario=name) for name in SCENARIOS}


def clusters_of(dataset):
    return dataset.cluster_places(dataset.clusters), dataset.clusters["pov"].to_numpy()


def held_out_r2(inputs, values):
    """R² of a ridge on every third cluster, learnt from the others."""
    test = np.arange(len(values)) % 3 == 0
    mean, spread = inputs[~test].mean(0), inputs[~test].std(0) + 0.05
    x, y = (inputs - mean) / spread, values - values[~test].mean()
    weights = np.linalg.solve(x[~test].T @ x[~test] + 100 * np.eye(x.shape[1]), x[~test].T @ y[~test])
    return 1 - ((y - x @ weights)[test] ** 2).sum() / (y[test] ** 2).sum()


def log_rates(places):
    counts = places.counts()
    return np.log((counts[:, :66] + 0.5) / (counts[:, 66:] + 1))


@pytest.mark.slow
def test_the_default_is_the_sample_as_it_ever_was(scenarios):
    plain = make_sample("bihar", 0)
    objects = np.ascontiguousarray(plain.features["objects"])
    assert hashlib.sha256(objects.tobytes()).hexdigest().startswith("9ad2370773bbc626")
    assert hashlib.sha256(plain.clusters["pov"].to_numpy().tobytes()).hexdigest().startswith("76f0974319963233")
    assert "scenario" not in plain.extra
    assert scenarios["few"].extra["scenario"] == "few"
    assert "scenario few" in scenarios["few"].source
    assert "--scenario few" in scenarios["few"].command


def test_all_scenarios_share_survey_and_numbers_of_images(scenarios):
    first = scenarios["composition"]
    for dataset in scenarios.values():
        assert dataset.simulated
        assert dataset.clusters["pov"].tolist() == first.clusters["pov"].tolist()
        assert dataset.clusters["n_images"].tolist() == first.clusters["n_images"].tolist()


def test_sums_tell_where_they_shall_and_nowhere_else(scenarios):
    found = {
        name: held_out_r2(log_rates(clusters_of(d)[0]), d.clusters["pov"].to_numpy()) for name, d in scenarios.items()
    }
    assert found["composition"] > 0.4
    assert found["alike"] > 0.4
    assert found["few"] < found["composition"] - 0.1
    assert found["arrangement"] < 0.2
    assert found["none"] < 0.2


def test_few_photos_decide(scenarios):
    places, values = clusters_of(scenarios["few"])
    marks = np.flatnonzero(vistas_classes()["name"].isin(DECISIVE_MARKS))
    marked = np.flatnonzero(places.objects[:, marks].any(axis=1))
    assert len(marked) < 0.2 * len(places.objects)
    others = np.setdiff1d(np.arange(len(places.objects)), marked)
    seen = places.n_images > 60
    told = held_out_r2(log_rates(places.keep_images(marked))[seen], values[seen])
    assert told > 0.3
    assert held_out_r2(log_rates(places.keep_images(others))[seen], values[seen]) < told - 0.2


def test_in_the_arrangement_scenario_only_where_things_stand_tells(scenarios):
    places, values = clusters_of(scenarios["arrangement"])
    x = np.log1p(places.objects)
    likeness = []
    for start, stop in zip(places.offsets[:-1], places.offsets[1:], strict=True):
        away = np.hypot(*(places.image_positions[start:stop] - np.median(places.image_positions[start:stop], 0)).T)
        far = (away - away.mean()) / max(away.std(), 1e-9)
        likeness.append((x[start:stop] * far[:, None]).mean(0))
    assert held_out_r2(np.array(likeness), values) > 0.15
    assert np.hypot(*(places.image_positions[: places.offsets[1]] - places.positions[0]).T).max() < 0.06


@pytest.mark.slow
def test_simulated_features_tell_of_the_place_and_not_in_the_null_scenario():
    for scenario, least, most in (("composition", 0.2, 0.9), ("none", -1, 0.15)):
        dataset = make_sample("bihar", 0, n_sites=38, scenario=scenario, with_features=True)
        assert dataset.features["simfeats"].dtype == np.float16
        places = dataset.cluster_places(dataset.clusters, "simfeats")
        means = np.add.reduceat(places.features.read(), places.offsets[:-1]) / places.n_images[:, None]
        assert least < held_out_r2(means, dataset.clusters["pov"].to_numpy()) < most
    fewer = make_sample("goa", 1, most_images=3, with_features=True)
    assert len(fewer.features["simfeats"]) == len(fewer.images)


@pytest.mark.slow
def test_the_command_names_scenarios_and_features(tmp_path):
    done = run("sample", "--region", "goa", "--scenario", "few", "--with-features", "--out", tmp_path / "goa")
    assert done.returncode == 0, done.stderr
    assert "SIMULATED" in done.stdout
    assert (tmp_path / "goa" / "features" / "simfeats.npy").is_file()
    done = run("sample", "--region", "goa", "--scenario", "flat", "--out", tmp_path / "other")
    assert done.returncode == 2
    assert "composition, few, arrangement, alike, none" in done.stderr.splitlines()[-1]


def test_an_unknown_scenario_is_refused():
    with pytest.raises(InputError, match="no such scenario"):
        simulate("goa", scenario="flat")
