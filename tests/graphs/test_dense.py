"""The dense edges of batches are the sparse edges of each graph. Not tested here: what the sparse builders give."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geolive.graphs.batches import batches, batches_in_blocks
from geolive.graphs.builders import random_edges
from geolive.graphs.edges import Points, parse_edges
from geolive.graphs.random_pairs import is_chosen, seed_keys
from geolive.places import Places
from tests.graphs.places import make_places

KINDS = ["distance", "knn:1", "knn:3", "delaunay", "sequence", "objects", "knn:2+distance+objects", "complete"]
KINDS += ["similarity:cosine", "similarity:jaccard", "distance+similarity:jaccard+similarity:cosine"]


@st.composite
def many_places(draw):
    """A few places whose images are anywhere, often at the same or at equally distant points."""
    sizes = draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
    n = sum(sizes)
    step = draw(st.sampled_from([0.0, 0.01, 1.0, 40.0]))
    cells = np.array(draw(st.lists(st.tuples(st.integers(0, 4), st.integers(-2, 2)), min_size=n, max_size=n)))
    where = cells * step + [178.0, 0.0]
    walks = draw(st.lists(st.tuples(st.integers(-1, 2), st.integers(0, 5)), min_size=n, max_size=n))
    objects = np.random.default_rng(n).poisson(0.5, (n, 66)).astype(np.uint16)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    ids = np.array([f"p{i}" for i in range(len(sizes))])
    return Places(ids, where[offsets[:-1]], offsets, where, objects, None, np.array(walks, np.int64))


@pytest.mark.parametrize("kind", KINDS)
@given(places=many_places())
@settings(max_examples=40, deadline=None)
def test_a_batch_has_the_edges_of_each_graph(kind, places):
    edges = parse_edges(kind)
    for batch in batches(places, places.objects, edges, 30.0, batch_size=3):
        assert batch.adjacency.shape[2] == edges.n_types
        for row, adjacency in zip(batch.rows, batch.adjacency, strict=True):
            mine = slice(places.offsets[row], places.offsets[row + 1])
            points = Points(places.image_positions[mine], places.sequences[mine], places.objects[mine])
            wanted = torch.zeros_like(adjacency)
            for t, found in enumerate(edges.build(points, 30.0)):
                wanted[found.target, t, found.source] = torch.from_numpy(found.weight)
            torch.testing.assert_close(adjacency, wanted, atol=2e-6, rtol=0)


@given(places=many_places(), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_a_batch_has_the_random_edges_of_each_graph(places, seed):
    # sparse random edges are those of a place without a name
    places = replace(places, ids=np.full(len(places), ""))
    for batch in batches(places, places.objects, parse_edges("random:0.4"), 1.0, batch_size=3, seed=seed):
        for row, adjacency in zip(batch.rows, batch.adjacency, strict=True):
            n = places.n_images[row]
            wanted = np.zeros(adjacency.shape)
            wanted[:n, 0, :n] = random_edges(np.zeros((n, 2)), 0.4, seed).matrix(n).toarray()
            assert np.array_equal(adjacency, wanted)


def test_random_edges_are_drawn_alike_by_numpy_and_torch_and_evenly():
    keys = seed_keys(5, ["a", "b"])
    first, second = np.triu_indices(400, 1)
    by_numpy = is_chosen(keys[:, None], first, second, 0.1)
    by_torch = is_chosen(torch.from_numpy(keys)[:, None], torch.from_numpy(first), torch.from_numpy(second), 0.1)
    assert np.array_equal(by_numpy, by_torch.numpy())
    # 79,800 pairs a graph: four standard errors are 0.0043; two graphs are drawn independently
    assert np.abs(by_numpy.mean(axis=1) - 0.1).max() < 0.0043
    assert abs(by_numpy.all(axis=0).mean() - 0.01) < 0.0014
    degree = np.bincount(first[by_numpy[0]], minlength=400) + np.bincount(second[by_numpy[0]], minlength=400)
    # the degrees of a graph drawn evenly have the variance of a binomial
    assert 0.8 < degree.var() / (399 * 0.1 * 0.9) < 1.2


def test_random_edges_of_a_batch_are_symmetric_with_loops_and_follow_the_seed():
    places = make_places(np.array([30, 12, 30]))
    one, again, other = (
        next(batches(places, places.objects, parse_edges("random:0.3"), 1.0, batch_size=3, seed=seed)).adjacency
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(one, one.transpose(1, 3))
    assert torch.equal(one[0, :, 0].diagonal(), (torch.arange(30) < 12).float())
    assert one[0, 12:].count_nonzero() == 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", ["distance", "knn:8", "random:0.2", "delaunay"])
def test_edges_made_on_a_gpu_are_those_of_the_cpu(kind):
    places = make_places(np.array([3, 40, 1, 200]))
    options = {"batch_size": 4}
    (here,) = batches_in_blocks(places, places.objects, parse_edges(kind), 10.0, **options)
    (there,) = batches_in_blocks(places, places.objects, parse_edges(kind), 10.0, device="cuda", **options)
    for block, same in zip(here, there, strict=True):
        assert same.adjacency.is_cuda
        assert same.vertices.is_cuda
        torch.testing.assert_close(same.adjacency.cpu(), block.adjacency, atol=2e-6, rtol=0)
