"""The graph network in blocks and in half precision; tests/models/test_graphcnn.py holds it against the authors' numbers."""

import numpy as np
import pytest
import torch

from geolive.graphs.batches import batches_in_blocks
from geolive.graphs.edges import parse_edges
from geolive.graphs.network import GraphNetwork
from tests.graphs.places import make_places


@pytest.fixture(scope="module", params=["distance", "distance+knn:4+random:0.2"])
def blocks(request):
    """One batch of graphs of very different sizes, whole and in blocks."""
    places = make_places(np.array([1, 2, 3, 60, 61, 65, 140, 150, 220, 1]))
    vertices, edges = np.log1p(places.objects, dtype=np.float32), parse_edges(request.param)
    made = [
        next(batches_in_blocks(places, vertices, edges, 10.0, batch_size=10, n_blocks=n_blocks)) for n_blocks in (1, 4)
    ]
    assert [len(batch) for batch in made] == [1, 4]
    return *made, edges.n_types


def network_of(edge_types):
    return GraphNetwork(66, 2, edge_types, torch.Generator().manual_seed(1))


@pytest.mark.parametrize("training", [True, False])
def test_outputs_and_what_is_learned_do_not_depend_on_how_a_batch_is_cut(blocks, training):
    found = {}
    for name, batch in (("whole", blocks[0]), ("cut", blocks[1])):
        network = network_of(blocks[2]).train(training)
        outputs = network.forward_blocks(batch)
        outputs.square().sum().backward()
        rows = np.argsort(np.concatenate([block.rows for block in batch]))
        gradients = {name: p.grad for name, p in network.named_parameters()}
        found[name] = {"outputs": outputs[rows].detach(), **gradients, **dict(network.named_buffers())}
    assert found["whole"]["outputs"].std() > 0.01
    for name, whole in found["whole"].items():
        scale = whole.abs().max().item()
        torch.testing.assert_close(found["cut"][name], whole, atol=2e-5 * max(scale, 1), rtol=1e-4)
    (one,) = blocks[0]
    plain = network_of(blocks[2]).train(training)(one.vertices, one.adjacency, one.mask)
    torch.testing.assert_close(plain[np.argsort(one.rows)], found["whole"]["outputs"], atol=1e-5, rtol=1e-5)


def test_there_is_less_padding_in_blocks(blocks):
    padded, cut = (sum(block.mask.numel() for block in batch) for batch in blocks[:2])
    assert padded == 10 * 220
    assert cut < 0.5 * padded
    assert sum(int(block.mask.sum()) for block in blocks[1]) == 703


def test_padding_and_the_order_of_vertices_have_no_influence_on_three_edge_types():
    generator = torch.Generator().manual_seed(0)
    vertices, edges = torch.randn(2, 9, 66, generator=generator), torch.rand(2, 9, 3, 9, generator=generator)
    network = network_of(3).eval()
    plain = network(vertices, edges, torch.ones(2, 9))
    order = torch.randperm(9, generator=generator)
    wide, padded, mask = torch.full((2, 200, 66), 7.0), torch.zeros(2, 200, 3, 200), torch.zeros(2, 200)
    wide[:, :9], padded[:, :9, :, :9], mask[:, :9] = vertices[:, order], edges[:, order][..., order], 1
    torch.testing.assert_close(network(wide, padded, mask), plain, atol=1e-5, rtol=1e-5)
    assert (plain[0] - plain[1]).abs().max() > 1e-3


def test_one_graph_of_one_vertex_can_be_learned_from():
    network = network_of(1).train()
    network(torch.ones(1, 1, 66), torch.ones(1, 1, 1, 1), torch.ones(1, 1)).sum().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())
    assert all(buffer.isfinite().all() for buffer in network.buffers())


def test_half_precision_gives_about_the_same(blocks):
    batch, network = blocks[1], network_of(blocks[2]).train()
    # averages of one batch first, so that the outputs in prediction are of an ordinary size
    whole = network.forward_blocks(batch).detach()
    with torch.autocast("cpu", torch.bfloat16):
        half = network.forward_blocks(batch)
    half.float().sum().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())
    assert not torch.equal(half.detach().float(), whole)
    assert (half.detach().float() - whole).abs().mean() < 0.1 * whole.std()
