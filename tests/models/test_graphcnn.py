"""The graph network: its numbers against those of the authors' code, and the model made of it.

The authors' network as a model is in test_authors_graphcnn.py. Not tested here: how well it does on real images (there are none).
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from geolive.errors import InputError
from geolive.graphs.authors_network import AuthorsNetwork, AuthorsPool
from geolive.graphs.network import GraphCNNLayer, GraphEmbedPool, GraphNetwork
from geolive.models.graphcnn import GraphCNN
from geolive.places import Places
from tests.graphs.places import make_places

EXTRACT = Path(__file__).parent / "data" / "graphcnn_reference.npz"
WHOLE = Path(__file__).parents[2].parent / "shared" / "data" / "reference" / "graphcnn_numerics.npz"
EDGE_TYPES = {"L1": ("A", 1), "L3": ("A3", 3)}


@pytest.fixture(scope="module")
def reference():
    with np.load(EXTRACT) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def padded(array, n, axes):
    """The same with zeros up to n along these axes, and a first axis for the batch."""
    widths = [(0, n - size if axis in axes else 0) for axis, size in enumerate(array.shape)]
    return torch.from_numpy(np.pad(array.numpy(), widths))[None]


def mask_of(valid, n):
    return (torch.arange(n) < valid).float()[None]


def fill(module, **values):
    with torch.no_grad():
        for name, value in values.items():
            getattr(module, name).copy_(value)


def fill_layer(layer, numbers, own):
    weights, weights_self = numbers[f"{own}/weights"], numbers[f"{own}/weights_I"]
    fill(layer, weights=weights, weights_self=weights_self, bias=numbers[f"{own}/bias"])


def fill_pool(pool, numbers, own):
    fill(pool, weights=numbers[f"{own}/weights"], bias=numbers[f"{own}/bias"])


def authors_network(numbers, prefix, outputs):
    """The network with the weights and moving averages of the authors' run; its dense part where the numbers have it."""
    network = AuthorsNetwork(8, outputs, edge_types=1, generator=torch.Generator()).eval()
    layers = ["Graph-CNN", "Graph-CNN_1", "Graph-CNN_2", "Graph-CNN_3"]
    for name, layer in zip(layers, [network.layer1, network.layer2, network.layer3, network.layer4], strict=True):
        fill_layer(layer, numbers, f"{prefix}/{name}/Graph-CNN")
    for name, pool in (("GraphEmbedPool", network.pool1), ("GraphEmbedPool_1", network.pool2)):
        fill_pool(pool, numbers, f"{prefix}/{name}/GraphEmbedPooling/Factors")
    order = [*layers[:2], "GraphEmbedPool", *layers[2:], "GraphEmbedPool_1"]
    for at, (name, norm) in enumerate(zip(order, network.norms, strict=True)):
        own, moments = f"{prefix}/{name}/BatchNorm", "weighted_moments" if at < 2 else "moments"
        moving = f"{own}/{name}/BatchNorm/{moments}"
        fill(
            norm,
            scale=numbers[f"{own}/gamma"],
            shift=numbers[f"{own}/bias"],
            mean=numbers[f"{moving}/Squeeze/ExponentialMovingAverage"],
            variance=numbers[f"{moving}/Squeeze_1/ExponentialMovingAverage"],
        )
    if f"{prefix}/FC/Embed/weights" in numbers:
        for name, dense in (("FC", network.dense), ("final", network.output)):
            own = f"{prefix}/{name}/Embed"
            fill(dense, weights=numbers[f"{own}/weights"], bias=numbers[f"{own}/bias"])
    return network


@pytest.mark.parametrize(("types", "n"), [("L1", 5), ("L1", 120), ("L3", 5)])
def test_graph_layer_gives_the_authors_numbers(reference, types, n):
    adjacency, edge_types = EDGE_TYPES[types]
    layer = GraphCNNLayer(8, 64, edge_types, torch.Generator())
    fill_layer(layer, reference, f"gcn_{types}/gcn")
    found = layer(reference[f"V_{n}"][None], reference[f"{adjacency}_{n}"][None])[0]
    torch.testing.assert_close(found, reference[f"gcn_{types}_out_{n}"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("n", [5, 120])
@pytest.mark.parametrize("padding", ["ones", "mask"])
def test_pooling_gives_the_authors_numbers(reference, n, padding):
    # "ones": padding counts as vertices; "mask": what the authors did with padding
    pool = (AuthorsPool if padding == "mask" else GraphEmbedPool)(8, 32, torch.Generator())
    fill_pool(pool, reference, "gep_L1/m/gep/Factors")
    vertices, edges = padded(reference[f"V_{n}"], 200, (0,)), padded(reference[f"A_{n}"], 200, (0, 2))
    found = pool(vertices, edges, mask_of(200 if padding == "ones" else n, 200))
    for tensor, name in zip(found, "VA", strict=True):
        torch.testing.assert_close(tensor[0], reference[f"gep_L1_{padding}_{name}_{n}"], atol=1e-4, rtol=0)


def test_pooling_treats_each_edge_type_alike():
    vertices, adjacency = graph(20, edge_types=3)
    pool = GraphEmbedPool(66, 4, torch.Generator().manual_seed(0))
    together = pool(vertices, adjacency, torch.ones(1, 20))[1]
    alone = [pool(vertices, adjacency[:, :, [t]], torch.ones(1, 20))[1] for t in range(3)]
    torch.testing.assert_close(together, torch.cat(alone, dim=2))


@pytest.mark.skipif(not WHOLE.exists(), reason="needs ../shared/data/reference/graphcnn_numerics.npz")
@pytest.mark.parametrize("padding", ["ones", "mask"])
def test_pooling_of_three_edge_types_gives_the_authors_numbers(padding):
    with np.load(WHOLE) as file:
        numbers = {
            k: torch.from_numpy(file[k]) for k in file.files if k in ("V", "A3", "mask") or k.startswith("gep_L3")
        }
    pool = (AuthorsPool if padding == "mask" else GraphEmbedPool)(8, 32, torch.Generator())
    fill_pool(pool, numbers, "gep_L3/m/gep/Factors")
    mask = numbers["mask"][..., 0] if padding == "mask" else torch.ones(3, 200)
    for tensor, name in zip(pool(numbers["V"], numbers["A3"], mask), "VA", strict=True):
        torch.testing.assert_close(tensor, numbers[f"gep_L3_{padding}_{name}"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("n", [5, 120])
def test_graph_part_of_the_whole_network_gives_the_authors_numbers(reference, n):
    network = authors_network(reference, "net_cls_mask", 2)
    with torch.inference_mode():
        vertices, adjacency = padded(reference[f"V_{n}"], 200, (0,)), padded(reference[f"A_{n}"], 200, (0, 2))
        found = network.embed(vertices, adjacency, mask_of(n, 200))[0]
    assert found.std() > 0.1
    torch.testing.assert_close(found, reference[f"net_cls_mask_infer_act7_{n}"], atol=1e-3, rtol=0)


@pytest.mark.skipif(not WHOLE.exists(), reason="needs ../shared/data/reference/graphcnn_numerics.npz")
@pytest.mark.parametrize("run", ["net_cls_mask", "net_cls_ones", "net_reg_mask", "net_reg_ones"])
def test_logits_of_the_whole_network_are_the_authors(run):
    with np.load(WHOLE) as file:
        numbers = {k: torch.from_numpy(file[k]) for k in file.files if k in ("V", "A", "mask") or k.startswith(run)}
    wanted = numbers[f"{run}_infer_logits"]
    network = authors_network(numbers, run, wanted.shape[1])
    mask = numbers["mask"][..., 0] if run.endswith("mask") else torch.ones(3, 200)
    with torch.inference_mode():
        found = network(numbers["V"], numbers["A"], mask)
    torch.testing.assert_close(found, wanted, atol=1e-3, rtol=0)
    decay = 5e-4 * sum(p.double().square().sum().item() / 2 for p in network.parameters() if p.ndim == 2)
    assert decay == pytest.approx(numbers[f"{run}_regloss"].item(), rel=1e-5)


# the labels of the three graphs in the reference run, found by its loss
REFERENCE_LABELS = [0, 1, 1]
PARTS = {
    "layer1.weights": "Graph-CNN/Graph-CNN/weights",
    "layer1.weights_self": "Graph-CNN/Graph-CNN/weights_I",
    "norms.0.scale": "Graph-CNN/BatchNorm/gamma",
    "pool1.weights": "GraphEmbedPool/GraphEmbedPooling/Factors/weights",
    "norms.2.shift": "GraphEmbedPool/BatchNorm/bias",
    "layer4.weights": "Graph-CNN_3/Graph-CNN/weights",
    "pool2.weights": "GraphEmbedPool_1/GraphEmbedPooling/Factors/weights",
    "dense.weights": "FC/Embed/weights",
    "output.weights": "final/Embed/weights",
}


@pytest.mark.skipif(not WHOLE.exists(), reason="needs ../shared/data/reference/graphcnn_numerics.npz")
@pytest.mark.parametrize("run", ["net_cls_mask", "net_cls_ones", "net_reg_mask", "net_reg_ones"])
def test_a_training_step_of_the_authors_network_is_theirs(run):
    with np.load(WHOLE) as file:
        numbers = {k: torch.from_numpy(file[k]) for k in file.files if k in ("V", "A", "mask") or k.startswith(run)}
    wanted = numbers[f"{run}_train_logits"]
    network = authors_network(numbers, run, wanted.shape[1]).train()
    mask = numbers["mask"][..., 0] if run.endswith("mask") else torch.ones(3, 200)
    found = network(numbers["V"], numbers["A"], mask)
    torch.testing.assert_close(found, wanted, atol=1e-3, rtol=0)
    if wanted.shape[1] == 1:
        return
    loss = torch.nn.functional.cross_entropy(found, torch.tensor(REFERENCE_LABELS))
    assert loss.item() == pytest.approx(numbers[f"{run}_train_loss"].item(), abs=1e-5)
    decay = 5e-4 * sum(p.square().sum() / 2 for p in network.parameters() if p.ndim == 2)
    (loss + decay).backward()
    gradients = {name: p.grad for name, p in network.named_parameters()}
    for name, theirs in PARTS.items():
        torch.testing.assert_close(gradients[name], numbers[f"{run}_grad/{theirs}"], atol=1e-4, rtol=0)


def graph(n, seed=0, edge_types=1):
    generator = torch.Generator().manual_seed(seed)
    adjacency = torch.rand(1, n, edge_types, n, generator=generator)
    return torch.randn(1, n, 66, generator=generator), adjacency + adjacency.transpose(1, 3)


@pytest.mark.parametrize("edge_types", [1, 2])
@pytest.mark.parametrize("training", [False, True])
def test_padding_and_the_order_of_vertices_have_no_influence(training, edge_types):
    n = 30
    vertices, adjacency = graph(n, edge_types=edge_types)
    network = GraphNetwork(66, 2, edge_types, torch.Generator().manual_seed(1)).train(training)
    plain = network(vertices, adjacency, torch.ones(1, n))
    order = torch.randperm(n, generator=torch.Generator().manual_seed(2))
    shuffled = network(vertices[:, order], adjacency[:, order][..., order], torch.ones(1, n))
    torch.testing.assert_close(shuffled, plain, atol=1e-5, rtol=1e-5)
    # what stands in the features of padding must not matter either
    wide = torch.full((1, n + 70, 66), 3.0)
    wide[:, :n] = vertices
    edges = torch.zeros(1, n + 70, edge_types, n + 70)
    edges[:, :n, :, :n] = adjacency
    torch.testing.assert_close(network(wide, edges, mask_of(n, n + 70)), plain, atol=1e-5, rtol=1e-5)
    another = network(*graph(n, seed=3, edge_types=edge_types), torch.ones(1, n))
    assert (another - plain).abs().max() > 1e-2


def test_weights_are_drawn_as_stated():
    network = GraphNetwork(66, 2, edge_types=3, generator=torch.Generator().manual_seed(0))
    cut = 0.88  # the standard deviation of a normal that is cut at two of them
    assert network.layer1.weights.std().item() == pytest.approx(cut * (1 / (66 * 4)) ** 0.5, rel=0.03)
    assert network.layer1.weights_self.std().item() == pytest.approx(cut * (1 / (66 * 4)) ** 0.5, rel=0.05)
    assert network.dense.weights.std().item() == pytest.approx(cut / 256**0.5, rel=0.03)
    assert set(network.dense.bias.tolist()) == {torch.tensor(0.1).item()}


@pytest.fixture(scope="module")
def countryside():
    """155 places to learn from and 100 to test on, whose objects follow a latent wealth, as the measured value does."""
    rng = np.random.default_rng(5)
    wealth = rng.normal(size=255)
    sizes = np.clip(rng.normal(60, 30, 255).round(), 1, 200).astype(int)
    sizes[:2] = 1, 230
    places = make_places(sizes, seed=5, wealth=wealth)
    learn, test = np.arange(155), np.arange(155, 255)
    return places.take(learn), wealth[learn] + rng.normal(0, 0.5, 155), places.take(test), wealth[test]


@pytest.fixture(scope="module")
def fitted(countryside):
    places, values, _, _ = countryside
    return GraphCNN("regression", random_state=0).fit(places, values)


def r2(truth, found):
    return 1 - ((truth - found) ** 2).mean() / truth.var()


@pytest.mark.slow
def test_a_planted_signal_is_learned_and_permuted_labels_teach_nothing(countryside, fitted):
    places, values, test, truth = countryside
    assert r2(truth, fitted.predict(test)) > 0.3
    permuted = GraphCNN("regression", random_state=0).fit(places, np.random.default_rng(0).permutation(values))
    assert r2(truth, permuted.predict(test)) < 0.1


@pytest.mark.parametrize("edges", ["knn:8", "random"])
@pytest.mark.slow
def test_other_edges_learn_it_too(countryside, edges):
    places, values, test, truth = countryside
    model = GraphCNN("regression", random_state=0, edges=edges).fit(places, values)
    assert r2(truth, model.predict(test)) > 0.3


def test_a_classifier_gives_probabilities_that_rank(countryside):
    places, values, test, truth = countryside
    model = GraphCNN("classification", random_state=0, epochs=15).fit(
        places, (values >= np.median(values)).astype(float)
    )
    found = model.predict(test)
    assert ((found >= 0) & (found <= 1)).all()
    upper, lower = found[truth > 0.5], found[truth < -0.5]
    assert (upper[:, None] > lower).mean() > 0.8


def test_a_prediction_is_within_the_range_of_the_training_values(countryside, fitted):
    _, values, test, _ = countryside
    extreme = Places(test.ids, test.positions, test.offsets, test.image_positions, test.objects * 30)
    found = fitted.predict(extreme)
    assert values.min() <= found.min() <= found.max() <= values.max()


def test_one_seed_gives_the_same_bits_and_leaves_torchs_own_generator_alone(countryside):
    places, values, test, _ = countryside

    def predictions(seed, edges):
        return GraphCNN("regression", random_state=seed, edges=edges, epochs=3).fit(places, values).predict(test)

    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = {edges: predictions(7, edges) for edges in ("distance", "random")}
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    for edges, found in first.items():
        assert predictions(7, edges).tobytes() == found.tobytes()
        assert not np.allclose(predictions(8, edges), found)


def test_a_place_is_predicted_alike_whatever_is_beside_it_and_in_any_order_of_images(countryside, fitted):
    _, _, test, _ = countryside
    found = fitted.predict(test)
    alone = np.array([fitted.predict(test.take(np.array([i])))[0] for i in (0, 50, 99)])
    np.testing.assert_allclose(alone, found[[0, 50, 99]], atol=1e-4)
    one = test.take(np.array([50]))
    order = np.random.default_rng(0).permutation(len(one.objects))
    mixed = Places(one.ids, one.positions, one.offsets, one.image_positions[order], one.objects[order])
    np.testing.assert_allclose(fitted.predict(mixed), found[50], atol=1e-4)


def test_places_of_one_image_of_many_and_at_one_point_work(fitted):
    places = make_places(np.array([1, 350, 20]))
    where = places.image_positions.copy()
    where[351:] = where[351]
    found = fitted.predict(Places(places.ids, places.positions, places.offsets, where, places.objects))
    assert np.isfinite(found).all()
    for edges in ("distance", "knn:3", "random:0.5"):
        stacked = Places(places.ids, places.positions, places.offsets, where * 0 + 25.0, places.objects)
        model = GraphCNN("regression", random_state=0, edges=edges, epochs=1).fit(stacked, np.array([0.0, 1.0, 2.0]))
        assert np.isfinite(model.predict(stacked)).all()


def test_images_change_the_prediction_and_so_do_their_positions(countryside, fitted):
    _, _, test, _ = countryside
    found = fitted.predict(test)
    moved = Places(test.ids, test.positions, test.offsets, test.image_positions * 0.9, test.objects)
    assert np.abs(fitted.predict(moved) - found).max() > 1e-4
    other = Places(test.ids, test.positions, test.offsets, test.image_positions, test.objects[::-1])
    assert np.corrcoef(fitted.predict(other), found)[0, 1] < 0.5


def test_names_and_params_tell_the_edges():
    model = GraphCNN("regression", random_state=0, edges="knn")
    assert model.name == "gcn-obj-knn:8"
    assert json.loads(json.dumps(model.params))["edges"] == "knn:8"


def test_progress_is_told(countryside):
    places, values, _, _ = countryside
    said = []
    GraphCNN("regression", random_state=0, epochs=2).fit(places.take(np.arange(5)), values[:5], progress=said.append)
    assert [line.split(",")[0] for line in said] == ["gcn-obj-distance: epoch 1 of 2", "gcn-obj-distance: epoch 2 of 2"]


def test_saved_and_loaded_it_predicts_the_same(countryside, fitted, tmp_path):
    settings = json.loads(json.dumps(fitted.save(tmp_path)))
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]
    loaded = GraphCNN.load(tmp_path, settings)
    assert loaded.predict(countryside[2]).tobytes() == fitted.predict(countryside[2]).tobytes()
    assert (loaded.name, loaded.params, loaded.task) == (fitted.name, fitted.params, fitted.task)


def damage_by_cutting(path):
    path.write_bytes(path.read_bytes()[:-1000])


def damage_by_removing(path):
    path.unlink()


def damage_by_writing_text(path):
    path.write_text("not weights")


def damage_shape(path):
    tensors = load_file(path)
    save_file(tensors | {"network.dense.bias": torch.zeros(3)}, path)


def damage_names(path):
    tensors = load_file(path)
    tensors["scaling.other"] = tensors.pop("scaling.mean")
    save_file(tensors, path)


def damage_numbers(path):
    tensors = load_file(path)
    save_file(tensors | {"network.dense.bias": tensors["network.dense.bias"] * torch.nan}, path)


@pytest.mark.parametrize(
    "damage",
    [damage_by_cutting, damage_by_removing, damage_by_writing_text, damage_shape, damage_names, damage_numbers],
)
def test_a_damaged_file_ends_in_one_line(fitted, tmp_path, damage):
    settings = fitted.save(tmp_path)
    damage(tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"model\.safetensors: .*train it again") as error:
        GraphCNN.load(tmp_path, settings)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        {"edges": "nearest"},
        {"unknown": 1},
        {"task": "classification"},
        {"task": "other"},
        {"epochs": "many"},
        {"edges": 3},
    ],
)
def test_settings_that_do_not_fit_end_in_one_line(fitted, tmp_path, change):
    with pytest.raises(InputError) as error:
        GraphCNN.load(tmp_path, fitted.save(tmp_path) | change)
    assert "\n" not in str(error.value)


def test_places_without_images_are_refused(fitted):
    nothing = Places.without_images(np.array(["village"]), np.zeros((1, 2)))
    with pytest.raises(InputError, match="'village'"):
        fitted.predict(nothing)
    with pytest.raises(InputError, match="'village'"):
        GraphCNN("regression", random_state=0).fit(nothing, np.zeros(1))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_it_predicts_as_on_the_cpu(countryside, fitted, tmp_path, monkeypatch):
    settings = fitted.save(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    on_cpu = GraphCNN.load(tmp_path, settings).predict(countryside[2])
    np.testing.assert_allclose(fitted.predict(countryside[2]), on_cpu, atol=1e-2)
