"""The authors' network as a model: its graphs and training against a plain restatement of what their code does.

The network itself is held against numbers from their code in test_graphcnn.py.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.base import clone

from geolive.errors import InputError
from geolive.graphs.authors_network import AuthorsNetwork
from geolive.graphs.batches import Batch
from geolive.models.authors_graphcnn import AuthorsGraphCNN
from geolive.places import ImageFeatures
from geolive.simulation.sample import make_sample
from tests.graphs.places import make_places
from tests.models.test_graphcnn import WHOLE, authors_network

WIDE = 200


@pytest.fixture(scope="module")
def survey():
    """Places of 1 to 200 images with object counts and five features, and their labels, which follow a latent wealth."""
    rng = np.random.default_rng(3)
    wealth = rng.normal(size=90)
    sizes = np.clip(rng.normal(14, 8, 90).round(), 1, 40).astype(int)
    sizes[:3] = 1, 2, 200
    places = make_places(sizes, seed=3, wealth=wealth)
    array = rng.normal(np.repeat(wealth, sizes)[:, None], 2.0, (sizes.sum(), 5)).astype(np.float32)
    features = ImageFeatures("five", array, np.arange(len(array)))
    # far enough from each other for weights below zero
    far = places.image_positions + rng.normal(0, 0.1, places.image_positions.shape)
    return replace(places, features=features, image_positions=far), (wealth >= np.median(wealth)).astype(float)


def haversine_km(a, b):
    (lon1, lat1), (lon2, lat2) = np.radians(a), np.radians(b)
    h = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371 * np.arcsin(np.sqrt(h))


def filled_up(places, row, inputs):
    """Vertices, adjacency and mask of a place with 200 rows, one number after the other."""
    mine = slice(places.offsets[row], places.offsets[row + 1])
    where, n = places.image_positions[mine], places.n_images[row]
    # their histogram has 65 bins, the last of which includes both ends: void, 65, counts as 64
    lists = [np.repeat(np.arange(66), counts) for counts in places.objects[mine]]
    histogram = np.array([np.histogram(one, bins=np.arange(66))[0] for one in lists], float)
    features = places.features.read(np.arange(mine.start, mine.stop)).astype(float)
    columns = {"objects": [histogram], "features": [features]}.get(inputs)
    if columns is None:
        columns = [features, histogram / (np.linalg.norm(histogram) or 1)]
    vertices, adjacency = np.concatenate(columns, axis=1), np.eye(n)
    for i in range(n):
        for j in range(n):
            if i != j:
                adjacency[i, j] = 1 - haversine_km(where[i], where[j]) / 19.890915
    wide = np.zeros((WIDE, vertices.shape[1]), np.float32), np.zeros((WIDE, 1, WIDE), np.float32)
    wide[0][:n], wide[1][:n, 0, :n] = vertices, adjacency
    return *map(torch.from_numpy, wide), (torch.arange(WIDE) < n).float()


def together(places, rows, inputs):
    return (torch.stack(parts) for parts in zip(*(filled_up(places, row, inputs) for row in rows), strict=True))


@pytest.mark.parametrize("inputs", ["objects", "features", "objects,features"])
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_predictions_are_those_of_graphs_filled_up_to_200_rows(survey, task, inputs):
    places, labels = survey
    rows = np.array([0, 1, 2, 7, 30])
    model = AuthorsGraphCNN(task, inputs=inputs, iterations=2).fit(places.take(np.arange(20)), labels[:20])
    vertices, adjacency, mask = together(places, rows, inputs)
    assert adjacency.min() < -0.1
    with torch.inference_mode():
        outputs = model.network_(vertices, adjacency, mask).double().numpy()
    wanted = outputs[:, 0] if task == "regression" else 1 / (1 + np.exp(outputs[:, 0] - outputs[:, 1]))
    np.testing.assert_allclose(model.predict(places.take(rows)), wanted, rtol=1e-4, atol=1e-5)
    assert wanted.std() > 1e-3


def test_an_iteration_is_a_step_of_adam_on_all_images(survey):
    places, labels = survey
    rows = np.arange(12)
    few, wanted = places.take(rows), torch.from_numpy(labels[rows]).long()
    model = AuthorsGraphCNN("classification", inputs="objects,features", iterations=3).fit(few, labels[rows])
    plain = AuthorsNetwork(65 + 5, 2, 1, torch.Generator().manual_seed(0)).train()
    adam = torch.optim.Adam(plain.parameters(), lr=1e-3)
    vertices, adjacency, mask = together(places, rows, "objects,features")
    for _ in range(3):
        loss = torch.nn.functional.cross_entropy(plain(vertices, adjacency, mask), wanted)
        decay = 5e-4 * sum(p.square().sum() / 2 for p in plain.parameters() if p.ndim == 2)
        adam.zero_grad()
        (loss + decay).backward()
        adam.step()
    for (name, found), expected in zip(model.network_.named_parameters(), plain.parameters(), strict=True):
        # a step of Adam is about 1e-3 whatever the gradient, and the sign of a gradient that is 0 is a matter of rounding: that
        # of biases before batch normalisation
        if found.ndim == 2:
            assert (found - expected).abs().median() < 1e-5, name
    with torch.inference_mode():
        outputs = plain.eval()(vertices, adjacency, mask).double().numpy()
    expected = 1 / (1 + np.exp(outputs[:, 0] - outputs[:, 1]))
    np.testing.assert_allclose(model.predict(few), expected, atol=0.02)


@pytest.mark.skipif(not WHOLE.exists(), reason="needs ../shared/data/reference/graphcnn_numerics.npz")
@pytest.mark.parametrize("run", ["net_cls_mask", "net_reg_mask"])
@pytest.mark.parametrize("training", [False, True])
def test_blocks_with_one_row_of_padding_give_the_authors_logits(run, training):
    with np.load(WHOLE) as file:
        numbers = {k: torch.from_numpy(file[k]) for k in file.files if k in ("V", "A") or k.startswith(run)}
    wanted = numbers[f"{run}_{'train' if training else 'infer'}_logits"]
    network = authors_network(numbers, run, wanted.shape[1]).train(training)
    blocks = []
    for row, n in enumerate((5, 120, 200)):
        wide = min(n + 1, WIDE)
        mask = (torch.arange(wide) < n).float()[None]
        blocks.append(Batch(np.array([row]), numbers["V"][[row], :wide], numbers["A"][[row], :wide, :, :wide], mask))
    torch.testing.assert_close(network.forward_blocks(blocks), wanted, atol=1e-3, rtol=0)


@pytest.fixture(scope="module")
def surveyed():
    """The places of a simulated survey with object counts and image features, their labels, and which to learn from."""
    dataset = make_sample("bihar", seed=0, n_clusters=120, n_sites=38, most_images=30, with_features=True)
    places = dataset.cluster_places(dataset.clusters, "simfeats")
    rows = np.arange(len(places))
    return places, dataset.clusters["pov_label"].to_numpy(float), rows[rows % 3 > 0], rows[rows % 3 == 0]


def test_it_learns_by_300_iterations(surveyed):
    places, labels, learn, test = surveyed
    model = AuthorsGraphCNN("classification", inputs="objects,features", iterations=300, batch_size=32)
    model.fit(places.take(learn), labels[learn])
    assert len(model.curve_.train) == 6
    assert model.curve_.train[-1] < 0.7 * model.curve_.train[0]
    right = (model.predict(places.take(test)) > 0.5) == labels[test]
    assert right.mean() > 0.6


def test_the_checkpoint_with_the_highest_accuracy_is_the_best(surveyed):
    places, labels, learn, test = surveyed
    given = {"validation": (places.take(test), labels[test])}
    model = AuthorsGraphCNN("classification", iterations=220, batch_size=16).fit(
        places.take(learn), labels[learn], **given
    )
    of_best, of_last = (
        ((one.predict(places.take(test)) > 0.5) == labels[test]).mean() for one in (model, model.last_checkpoint())
    )
    # four rounds of 50 iterations, and the 20 that are left
    assert len(model.curve_.errors) == 5
    assert of_best == pytest.approx(1 - min(model.curve_.errors))
    assert of_last == pytest.approx(1 - model.curve_.errors[-1])


def test_saved_and_loaded_it_predicts_the_same(survey, tmp_path):
    places, labels = survey
    model = AuthorsGraphCNN("classification", inputs="objects,features", iterations=2, batch_size=8).fit(places, labels)
    loaded = AuthorsGraphCNN.load(tmp_path, json.loads(json.dumps(model.save(tmp_path))))
    assert loaded.predict(places).tobytes() == model.predict(places).tobytes()
    assert (loaded.name, loaded.params) == ("gcn-authors-both-distance", model.params)
    assert clone(loaded).get_params() == {**model.get_params(), "checkpoints": None}


def test_values_are_learnt_in_their_unit_and_predictions_have_no_limits(survey):
    places, labels = survey
    model = AuthorsGraphCNN(iterations=1).fit(places, labels * 1e6)
    # one step of Adam does not reach a million from 0: nothing is standardised
    assert np.abs(model.predict(places)).max() < 1e3


def test_other_edges_and_several_types_of_them(survey):
    places, labels = survey
    model = AuthorsGraphCNN("classification", edges="distance+similarity:cosine+objects", iterations=1, batch_size=4)
    model.fit(places.take(np.arange(3, 12)), labels[3:12])
    assert model.network_.layer1.weights.shape[0] == 65 * 68
    assert np.isfinite(model.predict(places.take(np.arange(3, 12)))).all()


def test_what_the_authors_did_not_have_is_refused(survey):
    places, labels = survey
    with pytest.raises(InputError, match="takes no covariates"):
        AuthorsGraphCNN(inputs="objects,covariates").fit(places, labels)
    with pytest.raises(InputError, match="one indicator at a time"):
        AuthorsGraphCNN().fit(places, np.column_stack([labels, labels]))
    with pytest.raises(InputError, match="no image features"):
        AuthorsGraphCNN(inputs="features").fit(replace(places, features=None), labels)
