import io
import json
import resource
import shutil
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from geolive.errors import InputError
from geolive.models.attention import AttentionPooling
from geolive.models.baselines import Neighbours
from geolive.models.bundle import load_model, save_model
from geolive.models.cache import fit_cached
from geolive.models.clusterwise import Forest
from geolive.models.count_models import CountModel, RidgeCounts
from geolive.models.graphcnn import GraphCNN
from geolive.models.training import train
from geolive.places import Places


@pytest.fixture(scope="module")
def trained(small_sample):
    return train(small_sample.dataset, Forest(n_estimators=8), "pov")


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    return save_model(trained, tmp_path_factory.mktemp("bundles") / "forest")


@pytest.fixture(scope="module")
def ridge_folder(small_sample, tmp_path_factory):
    """A bundle whose estimator is kept by skops."""
    made = train(small_sample.dataset, RidgeCounts(), "pov")
    return save_model(made, tmp_path_factory.mktemp("bundles") / "ridge")


def test_a_bundle_predicts_as_the_model_did(small_sample, trained, folder):
    places = small_sample.dataset.cluster_places(small_sample.dataset.clusters)
    loaded = load_model(folder)
    assert np.array_equal(loaded.model.predict(places), trained.model.predict(places))
    assert np.array_equal(loaded.residuals["prediction"], trained.residuals["prediction"])
    assert loaded.card.metrics == trained.card.metrics


def test_equal_models_give_equal_bytes(trained, folder, tmp_path):
    again = save_model(replace(trained), tmp_path / "again")
    for path in folder.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes(), path.name


def test_its_card_is_readable_and_says_simulated(folder):
    text = (folder / "README.md").read_text()
    assert "SIMULATED" in text
    assert "| r2 |" in text
    card = json.loads((folder / "card.json").read_text())
    assert len(card["classes"]) == 66
    assert set(card["checksums"]) == {"model.safetensors", "residuals.parquet", "sites.parquet"}


def test_a_classifier_too(small_sample, tmp_path):
    made = train(small_sample.dataset, Forest("classification", n_estimators=8), "pov")
    loaded = load_model(save_model(made, tmp_path / "classifier"))
    places = small_sample.dataset.cluster_places(small_sample.dataset.clusters)
    assert np.array_equal(loaded.model.predict(places), made.model.predict(places))


@pytest.mark.parametrize("name", ["model.safetensors", "residuals.parquet"])
def test_a_bundle_cut_short_or_altered(folder, tmp_path, name):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / name).write_bytes((copy / name).read_bytes()[:-100])
    with pytest.raises(InputError, match=f"{name}: is missing, altered or cut short.*train clusterwise"):
        load_model(copy)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": "evil"}', '{"kind": "clusterwise"}'])
def test_a_card_that_geolive_did_not_write(tmp_path, text):
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(InputError, match=r"card\.json: not a model card"):
        load_model(tmp_path)


def altered(folder, target, change):
    """A copy of a bundle with another card, as a stranger could make one."""
    copy = shutil.copytree(folder, target)
    card = json.loads((copy / "card.json").read_text())
    change(card, copy)
    (copy / "card.json").write_text(json.dumps(card))
    return copy


def test_another_version_of_the_library_ends_with_the_command(ridge_folder, tmp_path):
    copy = altered(ridge_folder, tmp_path / "copy", lambda card, _: card["versions"].update({"scikit-learn": "0.1"}))
    with pytest.raises(InputError, match=r"made with scikit-learn 0\.1.*train clusterwise --estimator ridge DATASET"):
        load_model(copy)


def swap_weights(make):
    def change(card, copy):
        from geolive.files import checksum

        make(copy / "model.skops")
        card["checksums"]["model.skops"] = checksum(copy / "model.skops")

    return change


def test_nothing_but_a_kept_estimator_is_built_from_the_weights(ridge_folder, tmp_path):
    import skops.io
    from sklearn.svm import SVR

    foreign = swap_weights(lambda path: skops.io.dump(SVR().fit(np.eye(67), np.arange(67)), path))
    with pytest.raises(InputError, match=r"that geolive wrote.*train clusterwise --estimator ridge DATASET"):
        load_model(altered(ridge_folder, tmp_path / "foreign", foreign))

    def run_code(path):
        with zipfile.ZipFile(path, "w") as file:
            state = {"__class__": "system", "__module__": "posix", "__loader__": "FunctionNode", "content": "x"}
            file.writestr("schema.json", json.dumps(state | {"protocol": 0, "_skops_version": "0.16.0"}))

    with pytest.raises(InputError, match=r"that geolive wrote.*train clusterwise --estimator ridge DATASET"):
        load_model(altered(ridge_folder, tmp_path / "code", swap_weights(run_code)))


def test_a_tree_whose_nodes_point_outside_is_refused(small_sample, tmp_path):
    import skops.io
    from sklearn.ensemble import RandomForestRegressor

    made = train(small_sample.dataset, CountModel(RandomForestRegressor(3)), "pov")
    folder = save_model(made, tmp_path / "trees")
    forest = skops.io.load(folder / "model.skops", trusted=["sklearn.tree._tree.Tree"])
    state = forest.estimators_[0].tree_.__getstate__()
    state["nodes"]["feature"][0] = 5000
    forest.estimators_[0].tree_.__setstate__(state)
    with pytest.raises(InputError, match="points outside"):
        load_model(altered(folder, tmp_path / "copy", swap_weights(lambda path: skops.io.dump(forest, path))))


def test_its_readme_shows_text_of_data_as_text(trained, tmp_path):
    evil = "<script>alert(1)</script> [a](javascript:b) \x1b[2J\n# head"
    save_model(replace(trained, card=replace(trained.card, trained_on=evil)), tmp_path / "bundle")
    line = next(li for li in (tmp_path / "bundle" / "README.md").read_text().splitlines() if "Trained on" in li)
    assert "<" not in line
    assert r"\[a\](javascript" in line
    assert "\x1b" not in line
    assert line.endswith("had no images)")


def test_baselines_are_not_kept(small_sample, tmp_path):
    made = train(small_sample.dataset, Neighbours(), "pov")
    with pytest.raises(InputError, match="fit it each time"):
        save_model(made, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_the_cached_forest_is_fitted_once_and_again_when_damaged(small_folder, tmp_path, monkeypatch):
    from geolive.dataset_folder import read_dataset
    from geolive.files import cache_folder

    monkeypatch.setenv("GEOLIVE_CACHE", str(tmp_path))
    dataset = read_dataset(small_folder)
    first = fit_cached(dataset, Forest(n_estimators=20), "bmi")
    with monkeypatch.context() as patch:
        patch.setattr("geolive.models.cache.train", None)  # a second fit would fail
        second = fit_cached(dataset, Forest(n_estimators=20), "bmi")
    assert np.array_equal(first.residuals["prediction"], second.residuals["prediction"])
    kept = list((cache_folder() / "models").rglob("model.safetensors"))
    assert kept
    for path in kept:
        path.write_bytes(b"damaged")
    assert fit_cached(dataset, Forest(n_estimators=20), "bmi").card.metrics == second.card.metrics


def test_weights_that_inflate_are_refused_before_they_are_read(ridge_folder, tmp_path):
    def bomb(path):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("schema.json", json.dumps({"a": "b"}) + " " * 50_000_000)

    def claim(path):
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("1.npy", header.getvalue())

    for name, make, says in (("bomb", bomb, "is compressed"), ("claim", claim, "is cut short")):
        copy = altered(ridge_folder, tmp_path / name, swap_weights(make))
        tracemalloc.start()
        with pytest.raises(InputError, match=says):
            load_model(copy)
        assert tracemalloc.get_traced_memory()[1] < 40e6
        tracemalloc.stop()


@pytest.mark.parametrize("changed", [{"width": 200_000}, {"width": 10**15}, {"indicators": 10**10}])
@pytest.mark.parametrize("make", [GraphCNN, AttentionPooling])
def test_a_card_that_asks_for_a_network_of_any_size(tmp_path, make, changed):
    rng = np.random.default_rng(0)
    where = rng.normal([85.0, 25.0], 0.01, (20, 2))
    counts = rng.poisson(1.0, (20, 66)).astype(np.uint16)
    places = Places(np.array(list("abcd")), where[::5], np.arange(0, 21, 5), where, counts)
    model = make(epochs=1).fit(places, np.array([0.0, 1.0, 2.0, 3.0]))
    settings = model.save(tmp_path)
    assert np.allclose(make.load(tmp_path, settings).predict(places), model.predict(places))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match="train it again"):
        make.load(tmp_path, settings | changed)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


@pytest.mark.parametrize(
    ("name", "value"),
    [("indicator", 7), ("clusters", "many"), ("simulated", None), ("metrics", {"r2": [{}, 0.1, 0.2]})],
)
def test_facts_of_another_type_are_no_card(folder, tmp_path, name, value):
    with pytest.raises(InputError, match=r"card\.json: not a model card"):
        load_model(altered(folder, tmp_path / "copy", lambda card, _: card.update({name: value})))
