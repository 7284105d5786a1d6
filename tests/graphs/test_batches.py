"""Places as padded batches. Not tested here: the edges themselves."""

import numpy as np
import pytest
import torch

from geolive.errors import InputError
from geolive.graphs.batches import batches, largest_distance_km, subsample_images
from geolive.graphs.builders import distance_edges
from geolive.graphs.edges import parse_edges
from geolive.places import Places
from tests.graphs.places import make_places

SIZES = np.array([3, 40, 1, 17, 5, 230, 17, 2])


def all_batches(places, edges="distance", **options):
    options = {"batch_size": 3} | options
    return list(batches(places, places.objects.astype(float), parse_edges(edges), 10.0, **options))


@pytest.mark.parametrize("shuffled", [False, True])
def test_each_place_comes_once_with_its_own_images_edges_and_zeros_after(shuffled):
    places = make_places(SIZES)
    generator = torch.Generator().manual_seed(0) if shuffled else None
    found = all_batches(places, generator=generator)
    assert sorted(np.concatenate([b.rows for b in found])) == list(range(len(SIZES)))
    for batch in found:
        for row, vertices, adjacency, mask in zip(batch.rows, batch.vertices, batch.adjacency, batch.mask, strict=True):
            n = SIZES[row]
            mine = slice(places.offsets[row], places.offsets[row + 1])
            assert mask.tolist() == [1.0] * n + [0.0] * (len(mask) - n)
            assert np.array_equal(vertices[:n], places.objects[mine])
            edges = distance_edges(places.image_positions[mine], 10.0)
            np.testing.assert_allclose(adjacency[edges.target, 0, edges.source], edges.weight, atol=1e-6)
            assert adjacency.count_nonzero() == len(edges.weight)
            assert vertices[n:].count_nonzero() == 0


def test_without_shuffling_similar_sizes_are_together():
    largest = [b.mask.shape[1] for b in all_batches(make_places(SIZES))]
    assert largest == [3, 17, 230]


def test_shuffling_follows_the_generator():
    places = make_places(np.full(40, 2))

    def order(seed):
        found = all_batches(places, generator=torch.Generator().manual_seed(seed))
        return np.concatenate([b.rows for b in found]).tolist()

    assert order(1) == order(1) != order(2)


def test_no_batch_is_left_with_a_single_place_when_others_are_full():
    found = all_batches(make_places(np.full(9, 2)), batch_size=8)
    assert [len(b.rows) for b in found] == [5, 4]


def test_random_edges_of_a_place_do_not_depend_on_the_places_beside_it():
    places = make_places(np.full(6, 20))
    together = {int(r): a for b in all_batches(places, "random:0.3") for r, a in zip(b.rows, b.adjacency, strict=True)}
    (alone,) = all_batches(places.take(np.array([4])), "random:0.3")
    assert torch.equal(alone.adjacency[0], together[4])
    assert not torch.equal(together[3], together[4])


def test_a_place_without_images_is_named():
    places = Places.without_images(np.array(["village"]), np.zeros((1, 2)))
    with pytest.raises(InputError, match="'village' has no images"):
        all_batches(places)


def test_thinned_places_keep_rows_of_their_own_within_the_bounds():
    places = make_places(np.array([1, 3, 100, 200]))
    sizes = []
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        thinned, images = subsample_images(places, 2, 64, generator)
        assert np.array_equal(thinned.objects, places.objects[images])
        assert np.array_equal(thinned.image_positions, places.image_positions[images])
        owner = np.searchsorted(places.offsets, images, side="right") - 1
        assert np.array_equal(np.bincount(owner), thinned.n_images)
        assert len(np.unique(images)) == len(images)
        sizes.append(thinned.n_images)
    sizes = np.array(sizes)
    assert (sizes[:, 0] == 1).all()
    assert (sizes[:, 2:].min(), sizes[:, 2:].max()) == (2, 64)
    assert set(sizes[:, 1]) == {2, 3}
    # as often up to the geometric middle of 2 and 64 as above it
    assert abs((sizes[:, 3] < 11).mean() - 0.5) < 0.12


def test_largest_distance_is_within_places_not_between():
    where = np.array([[85.0, 25.0], [85.0, 25.1], [10.0, 50.0], [10.0, 50.02]])
    places = Places(np.array(["a", "b"]), where[::2], np.array([0, 2, 4]), where, np.zeros((4, 66), np.uint16))
    assert largest_distance_km(places) == pytest.approx(11.1195, abs=1e-3)
    assert largest_distance_km(places.take(np.array([1]))) == pytest.approx(2.2239, abs=1e-3)
    assert largest_distance_km(make_places(np.array([1, 1]))) == 0
