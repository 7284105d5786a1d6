"""Networks of photos beside the graph network: attention, mean pooling, and the stacked one. How they compare is measured by
benchmarks/contestants.py."""

import copy
import inspect
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from geolive.errors import InputError
from geolive.model_inputs import short_name
from geolive.models.attention import AttentionNetwork, AttentionPooling, MeanPooling
from geolive.models.graphcnn import GraphCNN
from geolive.models.inner_folds import inner_folds
from geolive.models.photo_pooling import PhotoBatch
from geolive.models.photo_summaries import view_names
from geolive.models.ridge import combine, fit_ridge
from geolive.models.stacked import StackedNetwork
from geolive.places import ImageFeatures
from geolive.simulation.sample import make_sample
from tests.graphs.places import make_places

ALL = [GraphCNN, MeanPooling, AttentionPooling, StackedNetwork]


def r2(truth, found):
    return 1 - ((truth - found) ** 2).mean() / truth.var()


@pytest.fixture(scope="module")
def survey():
    """120 places to learn from, 60 to test on."""
    rng = np.random.default_rng(5)
    wealth = rng.normal(size=180)
    places = make_places(rng.integers(1, 60, 180), seed=5, wealth=wealth)
    learn, test = np.arange(120), np.arange(120, 180)
    return places.take(learn), wealth[learn] + rng.normal(0, 0.4, 120), places.take(test), wealth[test]


@pytest.fixture(scope="module")
def stacked(survey):
    return StackedNetwork(epochs=20).fit(*survey[:2])


def with_features(places, size=30, seed=0):
    """The same with image features: what some classes' counts say, through noise."""
    noise = np.random.default_rng(seed).normal(size=(len(places.objects), size))
    array = (np.log1p(places.objects[:, :size]) + 0.3 * noise).astype(np.float16)
    return replace(places, features=ImageFeatures("some", array, np.arange(len(array))))


@pytest.mark.parametrize("kind", [MeanPooling, AttentionPooling])
def test_a_planted_signal_is_learned(survey, kind):
    assert r2(survey[3], kind().fit(*survey[:2]).predict(survey[2])) > 0.3


def test_the_stacked_network_learns_it_and_permuted_values_teach_nothing(survey, stacked):
    places, values, test, truth = survey
    assert r2(truth, stacked.predict(test)) > 0.4
    permuted = np.random.default_rng(0).permutation(values)
    assert r2(truth, StackedNetwork(epochs=20).fit(places, permuted).predict(test)) < 0.1


def test_without_bounds_a_value_may_leave_the_range_of_training(survey, stacked):
    places, values, test, _ = survey
    bounded = MeanPooling().fit(places, np.sign(values))
    free = bounded.unbounded().predict(test)
    assert np.abs(free).max() > 1
    assert np.allclose(np.clip(free, -1, 1), bounded.predict(test))
    assert np.abs(bounded.predict(test)).max() <= 1
    inside = np.abs(stacked.predict(test)) < 1
    assert np.allclose(stacked.unbounded().predict(test)[inside], stacked.predict(test)[inside], atol=0.2)


@pytest.mark.slow
def test_few_decisive_photos_are_found_by_attention():
    sample = make_sample("bihar", 1, n_clusters=200, n_sites=38, scenario="few")
    places, values = sample.cluster_places(sample.clusters), sample.clusters["pov"].to_numpy()
    test = np.arange(200) % 3 == 0
    found = {}
    for kind in (AttentionPooling, MeanPooling):
        model = kind(epochs=25).fit(places.take(np.flatnonzero(~test)), values[~test])
        found[kind] = r2(values[test], model.predict(places.take(np.flatnonzero(test))))
    assert found[AttentionPooling] > found[MeanPooling] + 0.15


@pytest.mark.slow
def test_where_things_stand_is_found_by_the_stacked_network():
    sample = make_sample("bihar", 1, n_sites=38, scenario="arrangement")
    places, values = sample.cluster_places(sample.clusters), sample.clusters["pov"].to_numpy()
    test = np.arange(len(values)) % 3 == 0
    model = StackedNetwork(epochs=10).fit(places.take(np.flatnonzero(~test)), values[~test])
    assert r2(values[test], model.predict(places.take(np.flatnonzero(test)))) > 0.2
    assert [*view_names("objects"), "attention"][int(np.argmax(model.weights_[0]))] == "object centrality"


def test_the_order_of_photos_and_the_other_places_have_no_influence():
    network = AttentionNetwork(66, 2, 16, 4, torch.Generator().manual_seed(0))
    with torch.no_grad():
        network.answer.copy_(torch.randn(network.answer.shape, generator=torch.Generator().manual_seed(1)))
    x = torch.randn(9, 66, generator=torch.Generator().manual_seed(2))
    rows = np.arange(2)
    plain = network(PhotoBatch.of(rows[:1], x, np.array([9])))
    # photos of a larger place beside them, whose attention scores would drown those of the first
    both = torch.cat([x.flip(0), torch.full((12, 66), 50.0)])
    beside = network(PhotoBatch.of(rows, both, np.array([9, 12])))
    torch.testing.assert_close(beside[:1], plain, atol=1e-5, rtol=1e-5)
    assert (network(PhotoBatch.of(rows[:1], x + 1, np.array([9]))) - plain).abs().max() > 0.1


@pytest.mark.parametrize("heads", [0, 2])
@pytest.mark.parametrize("n_covariates", [0, 3])
def test_the_gradients_are_those_of_automatic_differentiation(heads, n_covariates):
    generator = torch.Generator().manual_seed(0)
    network = AttentionNetwork(6, 2, 4, heads, generator, n_covariates).double()
    for parameter in network.parameters():
        parameter.data.normal_(generator=generator)
    sizes, place = np.array([3, 1, 5]), torch.tensor([0] * 3 + [1] + [2] * 5)
    x, weigh, covariates = (
        torch.randn(shape, generator=generator).double() for shape in ((9, 6), (3, 2), (3, n_covariates))
    )

    def literal(network):
        hidden, of_places = torch.relu(x @ network.hidden + network.hidden_bias), []
        for number in range(3):
            own = hidden[place == number]
            found = [own.mean(0), x[place == number].mean(0)]
            if heads:
                found += list(torch.softmax(own @ network.gate, 0).T @ own)
            if n_covariates:
                of_place = covariates[number]
                found += [of_place, torch.relu(of_place @ network.of_place + network.of_place_bias)]
            of_places.append(torch.cat(found))
        return torch.stack(of_places) @ network.answer + network.bias

    batch, given = PhotoBatch.of(np.arange(3), x, sizes), covariates if n_covariates else None
    outputs = literal(network)
    torch.testing.assert_close(network(batch, given), outputs.detach())
    (outputs.square() * weigh).sum().backward()
    wanted = {name: parameter.grad for name, parameter in network.named_parameters()}
    loss = network.set_gradients(batch, given, lambda out: ((out.square() * weigh).sum(), 2 * out * weigh))
    torch.testing.assert_close(loss, (outputs.square() * weigh).sum().detach())
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name], msg=name)
        assert parameter.grad.abs().max() > 0
        assert parameter.grad.stride() == parameter.stride()  # the optimiser takes numbers as they lie in memory


@pytest.mark.parametrize("kind", ALL)
def test_several_indicators_at_once_with_missing_labels(survey, kind):
    places, values, test, _ = survey
    places, values = places.take(np.arange(80)), values[:80]
    both = np.column_stack([values, -values])
    both[::3, 1] = np.nan
    model = kind(epochs=12).fit(places, both)
    found = model.predict(test)
    assert found.shape == (60, 2)
    assert np.isfinite(found).all()
    assert np.corrcoef(found.T)[0, 1] < -0.5
    assert np.array_equal(model.column(1).predict(test), found[:, 1])
    other = both.copy()
    other[1::3, 1] += 1
    assert not np.allclose(kind(epochs=12).fit(places, other).predict(test)[:, 1], found[:, 1])
    with pytest.raises(InputError, match="no value"):
        kind(epochs=1).fit(places, np.column_stack([values, np.full(80, np.nan)]))


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("inputs", ["features", "objects,features"])
def test_image_features_are_looked_at(survey, kind, inputs):
    places, values, test, _ = survey
    known, unknown = with_features(places), with_features(test, seed=1)
    model = kind(inputs=inputs, epochs=2).fit(known, values)
    found = model.predict(unknown)
    assert short_name(inputs) in model.name
    assert np.abs(model.predict(with_features(test, seed=2)) - found).max() > 1e-6
    with pytest.raises(InputError, match="training saw"):
        model.predict(with_features(test, size=4))
    with pytest.raises(InputError, match="image features"):
        model.predict(test)
    known.features.array[7] = np.nan
    with pytest.raises(InputError, match="not numbers"):
        kind(inputs=inputs, epochs=1).fit(known, values)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_saved_and_loaded_it_predicts_the_same(survey, tmp_path, kind, task):
    places, values, test, _ = survey
    values = values if task == "regression" else (values > 0).astype(float)
    model = kind(task, random_state=3, epochs=2).fit(places, np.column_stack([values, values[::-1]])).column(1)
    settings = json.loads(json.dumps(model.save(tmp_path)))
    loaded = kind.load(tmp_path, settings)
    found = loaded.predict(test)
    assert found.tobytes() == model.predict(test).tobytes()
    assert found.shape == (60,)
    assert (loaded.name, loaded.task) == (model.name, model.task)
    if task == "classification":
        assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize("kind", [AttentionPooling, StackedNetwork])
@pytest.mark.parametrize("damage", ["cut", "renamed", "shape", "not finite", "gone"])
def test_a_damaged_file_ends_in_one_line(survey, tmp_path, kind, damage):
    settings = kind(epochs=1).fit(*survey[:2]).save(tmp_path)
    path = tmp_path / "model.safetensors"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "gone":
        path.unlink()
    else:
        tensors = load_file(path)
        name = next(name for name in tensors if name.endswith("network.answer"))
        tensor = tensors.pop(name)
        new = {"renamed": {f"{name}x": tensor}, "shape": {name: tensor[1:].clone()}, "not finite": {name: tensor / 0}}
        save_file(tensors | new[damage], path)
    with pytest.raises(InputError, match=r"model\.safetensors: .*train it again") as error:
        kind.load(tmp_path, settings)
    assert "\n" not in str(error.value)


def test_one_seed_gives_the_same_bits(survey, stacked):
    places, values, test, _ = survey
    torch.manual_seed(1)
    before = torch.get_rng_state()
    again = StackedNetwork(epochs=20).fit(places, values)
    assert torch.equal(torch.get_rng_state(), before)
    assert again.predict(test).tobytes() == stacked.predict(test).tobytes()
    assert not np.allclose(
        StackedNetwork(epochs=20, random_state=1).fit(places, values).predict(test), stacked.predict(test)
    )


def test_places_are_predicted_alike_whatever_is_beside_them(survey, stacked):
    test = survey[2]
    found = stacked.predict(test)
    alone = np.array([stacked.predict(test.take(np.array([i])))[0] for i in (0, 20, 59)])
    np.testing.assert_allclose(alone, found[[0, 20, 59]], atol=1e-4)


def test_settings_are_found_within_the_training_places(survey):
    said = []
    places, values = survey[0].take(np.arange(40)), survey[1][:40]
    model = MeanPooling(epochs=3, search=True).fit(places, values, progress=said.append)
    tried = [line for line in said if "held out" in line and "learning rate" in line]
    assert len(tried) == 6
    best = min(tried, key=lambda line: float(line.split(": ")[-1].split()[0]))
    assert f"learning rate {model.params['learning_rate']:g}, width {model.params['width']}" in best
    assert (model.learning_rate, model.width) == (3e-3, 32)  # what the user gave stays
    again = model.as_unfitted()
    assert (again.learning_rate, again.width, again.search) == (model.learning_rate_, model.width_, False)


@pytest.mark.parametrize("kind", [GraphCNN, StackedNetwork])
def test_a_model_that_searched_is_saved_and_loaded(survey, tmp_path, kind):
    places, values = survey[0].take(np.arange(60)), survey[1][:60]
    model = kind(epochs=1, search=True).fit(places, values)
    loaded = kind.load(tmp_path, json.loads(json.dumps(model.save(tmp_path))))
    assert loaded.predict(survey[2]).tobytes() == model.predict(survey[2]).tobytes()


def test_early_stopping_holds_near_places_out_together(survey):
    model = GraphCNN(epochs=8, patience=2).fit(*survey[:2])
    (curve,) = model.curves
    assert len(curve.validation) == len(curve.train)
    assert curve.best == int(np.argmin(curve.validation)) + 1
    lon, lat = np.meshgrid(np.arange(10.0), np.arange(10.0))
    where = np.column_stack([lon.ravel(), lat.ravel()])
    folds = inner_folds(np.concatenate([where, where]), 5)
    assert np.array_equal(folds[:100], folds[100:])
    apart = np.abs(where[:, None] - where[None]).sum(2)
    same = folds[:100, None] == folds[None, :100]
    assert same[apart == 1].mean() > 0.5 > same[apart > 5].mean()
    with pytest.raises(InputError, match="too few"):
        GraphCNN(patience=2).fit(survey[0].take(np.arange(5)), survey[1][:5])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"inputs": "pixels"}, "^inputs='pixels'"),
        ({"device": "tpu"}, "^device='tpu'"),
        ({"patience": -1}, "^patience=-1"),
        ({"epochs": 0}, "^epochs=0"),
        ({"width": 1.5}, "^width=1.5"),
        ({"learning_rate": 0.0}, "^learning_rate=0.0"),
        ({"task": "regresion"}, "^task='regresion'"),
        ({"random_state": -1}, "^random_state=-1"),
    ],
)
@pytest.mark.parametrize("kind", ALL)
def test_parameters_that_make_no_sense_are_refused_by_fit(survey, kind, options, match):
    model = kind(**options)
    with pytest.raises(InputError, match=match):
        model.fit(*survey[:2])
    assert not [name for name in vars(model) if name.endswith("_")]


def test_edges_that_make_no_sense_are_refused_by_fit(survey):
    with pytest.raises(InputError, match=r"^edges='nearest'"):
        GraphCNN(edges="nearest").fit(*survey[:2])


@pytest.mark.parametrize("kind", ALL)
def test_a_network_is_an_estimator(survey, kind):
    places, values = survey[0].take(np.arange(60)), survey[1][:60]
    model = kind(epochs=1, width=8, random_state=3)
    assert set(model.get_params()) == set(inspect.signature(kind).parameters)
    copied = clone(model).set_params(width=4)
    assert (copied.width, copied.random_state, model.width) == (4, 3, 8)
    with pytest.raises(NotFittedError, match="is not fitted yet; call fit"):
        model.predict(places)
    model.fit(places, values)
    assert model.get_params() == clone(model).get_params()
    with pytest.raises(NotFittedError):
        clone(model).predict(places)
    json.dumps(model.params)


@pytest.mark.parametrize("kind", ALL)
def test_a_model_of_one_indicator_stays_one_through_copies_and_without_limits(survey, kind):
    places, values, test, _ = survey
    places, values = places.take(np.arange(80)), np.sign(values[:80])
    both = kind(epochs=12, learning_rate=1e-2).fit(places, np.column_stack([values, -values]))
    one, free = both.column(1), both.column(1).unbounded()
    assert np.array_equal(free.predict(test), both.unbounded().predict(test)[:, 1])
    assert np.array_equal(free.predict(test), both.unbounded().column(1).predict(test))
    assert np.abs(free.predict(test)).max() > 1 >= np.abs(one.predict(test)).max()
    for model in (one, free):
        for again in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert np.array_equal(again.predict(test), model.predict(test))
    assert both.predict(test).shape == (60, 2)  # the whole model is as it was


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_missing_gpu_is_said():
    with pytest.raises(InputError, match=r"^device='cuda': torch finds no CUDA device"):
        GraphCNN(device="cuda").check_parameters()


def test_lines_and_their_combination():
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(90, 200)), rng.normal(size=90)
    line, left_out = fit_ridge(x, x[:, :3].sum(1) + 4, np.arange(90) % 3)
    assert np.corrcoef(left_out, x[:, :3].sum(1))[0, 1] > 0.5
    assert line.predict(x).mean() == pytest.approx(4, abs=0.5)
    assert combine(rng.normal(size=(90, 6)), noise).sum() < 0.2
    good = combine(np.column_stack([noise * 0.9 + rng.normal(size=90) * 0.1, rng.normal(size=90)]), noise)
    assert good[0] > 0.9
    assert good[1] < 0.1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", ALL)
def test_on_a_gpu_it_learns_as_on_the_cpu(survey, tmp_path, kind):
    places, values, test, truth = survey
    on_gpu = kind(device="cuda", epochs=20).fit(places, values)
    assert r2(truth, on_gpu.predict(test)) > 0.2
    settings = on_gpu.save(tmp_path)
    on_cpu = kind.load(tmp_path, settings | {"device": "cpu"})
    np.testing.assert_allclose(on_cpu.predict(test), on_gpu.predict(test), atol=0.05)
