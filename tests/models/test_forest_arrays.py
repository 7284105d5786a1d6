import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor

from geolive.errors import InputError
from geolive.files import checksum
from geolive.models.bundle import load_model, save_model
from geolive.models.clusterwise import Forest
from geolive.models.count_models import ExtraTrees
from geolive.models.forest_arrays import ForestArrays, load_forest, save_forest
from geolive.models.training import train


@pytest.mark.parametrize(
    "kind", [RandomForestRegressor, ExtraTreesRegressor, RandomForestClassifier, ExtraTreesClassifier]
)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 60), depth=st.sampled_from([None, 1, 4]))
def test_arrays_predict_as_scikit_learn_does_bit_by_bit(kind, seed, n, depth):
    rng = np.random.default_rng(seed)
    table = rng.poisson(2, (n, 5)).astype(float) * rng.choice([1.0, 0.1, 1e6])
    values = rng.integers(0, 2, n).astype(float) if "Classifier" in kind.__name__ else rng.normal(size=n)
    forest = kind(7, max_depth=depth, random_state=0).fit(table, values)
    arrays, other = ForestArrays.of(forest), rng.normal(size=(5000, 5)) * 3
    assert np.array_equal(arrays.predict(other), forest.predict(other))
    assert np.array_equal(arrays.feature_importances_, forest.feature_importances_)
    if "Classifier" in kind.__name__:
        assert np.array_equal(arrays.predict_proba(other), forest.predict_proba(other))


@pytest.mark.parametrize("model", [Forest, ExtraTrees])
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_models_read_from_a_bundle_predict_as_before(small_sample, tmp_path, model, task):
    dataset = small_sample.dataset
    made = train(dataset, model(task, n_estimators=6), "pov")
    read = load_model(save_model(made, tmp_path / "bundle"))
    places = dataset.cluster_places(dataset.clusters)
    assert np.array_equal(read.model.predict(places), made.model.predict(places))
    assert np.array_equal(read.model.importances_, made.model.importances_)
    # what was read can be written again, and learns anew
    again = save_model(read, tmp_path / "again")
    assert (again / "model.safetensors").read_bytes() == (tmp_path / "bundle" / "model.safetensors").read_bytes()
    values = dataset.clusters["pov_label" if task == "classification" else "pov"].to_numpy(float)
    assert np.array_equal(read.model.fit(places, values).predict(places), made.model.predict(places))


def test_reading_one_needs_neither_skops_nor_torch(small_sample, tmp_path):
    folder = save_model(train(small_sample.dataset, Forest(n_estimators=3), "pov"), tmp_path / "bundle")
    code = (
        "import sys; from geolive.models.bundle import load_model; load_model(sys.argv[1]); "
        "print([name for name in ('skops', 'torch', 'sklearn.ensemble') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    table, values = np.random.default_rng(0).normal(size=(2, 40, 3))
    folder = tmp_path_factory.mktemp("forest")
    save_forest(RandomForestRegressor(4, random_state=0).fit(table, values[:, 0]), folder)
    return folder


def changed(name, place, value):
    def change(tensors):
        tensors[name] = tensors[name].copy()
        tensors[name][place] = value

    return change


def cycle(tensors):
    tensors["left"] = tensors["left"].copy()
    tensors["left"][1] = 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (changed("feature", 0, 3), "points outside"),
        (changed("feature", 0, -1), "points outside"),
        (changed("right", 0, 10**6), "points outside"),
        (changed("left", 0, -5), "points outside"),
        (cycle, "points outside"),
        (changed("roots", 1, 0), "trees without nodes"),
        (changed("roots", 1, 2), "points outside"),
        (changed("roots", 0, 1), "trees without nodes"),
        (changed("roots", -1, 10**9), "trees without nodes"),
        (lambda tensors: tensors.pop("left"), "other arrays"),
        (lambda tensors: tensors.update(more=np.zeros(2)), "other arrays"),
        (lambda tensors: tensors.update(left=tensors["left"].astype(float)), "left in it has another type"),
        (lambda tensors: tensors.update(value=tensors["value"][:-1]), "different lengths"),
        (lambda tensors: tensors.update(classes_=np.array([0.0, 1.0])), "other classes"),
        (lambda tensors: tensors.update(roots=tensors["roots"][:0]), "trees without nodes"),
    ],
)
def test_arrays_that_geolive_did_not_write(kept, tmp_path, change, says):
    tensors = load_file(kept / "model.safetensors")
    change(tensors)
    (tmp_path / "model.safetensors").write_bytes(save(tensors))
    with pytest.raises(
        InputError, match=f"model.safetensors: not a forest that geolive wrote .*{says}.*train it again"
    ):
        load_forest(tmp_path, 3)


def test_other_inputs_are_refused(kept):
    with pytest.raises(InputError, match="it has 3 inputs, not 67"):
        load_forest(kept, 67)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_files_are_refused_or_predict(kept, tmp_path_factory, data):
    whole = (kept / "model.safetensors").read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + data.draw(st.binary(max_size=8)) + whole[at + data.draw(st.integers(0, 8)) :]
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "model.safetensors").write_bytes(damaged)
    try:
        forest = load_forest(folder, 3)
    except InputError as error:
        assert "train it again" in str(error)
    else:
        assert forest.predict(np.zeros((2, 3))).shape == (2,)


def test_a_forest_for_the_other_task_is_refused(small_sample, tmp_path):
    folders = {}
    for task in ("regression", "classification"):
        made = train(small_sample.dataset, Forest(task, n_estimators=3), "pov")
        folders[task] = save_model(made, tmp_path / task)
    mixed = shutil.copytree(folders["regression"], tmp_path / "mixed")
    shutil.copy(folders["classification"] / "model.safetensors", mixed)
    card = json.loads((mixed / "card.json").read_text())
    card["checksums"]["model.safetensors"] = checksum(mixed / "model.safetensors")
    (mixed / "card.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match="holds a forest for another task than regression"):
        load_model(mixed)
