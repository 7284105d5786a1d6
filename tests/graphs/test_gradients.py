"""The graph network in training with gradients written out, against the same network by automatic differentiation."""

import numpy as np
import pytest
import torch

from geolive.graphs.batches import batches_in_blocks
from geolive.graphs.edges import parse_edges
from geolive.graphs.gradients import training_outputs
from geolive.graphs.network import GraphNetwork
from geolive.graphs.packed import packed_batches
from tests.graphs.places import make_places

SIZES = np.array([1, 2, 3, 30, 31, 35, 70, 75, 110, 1])
SEVERAL = "distance+knn:4+random:0.2"


def seeded():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(("kinds", "n_blocks", "covariates"), [("distance", 1, 0), ("random", 4, 2), (SEVERAL, 4, 0)])
def test_outputs_gradients_and_averages_are_those_of_automatic_differentiation(kinds, n_blocks, covariates):
    places, edges = make_places(SIZES), parse_edges(kinds)
    vertices, columns = np.log1p(places.objects, dtype=np.float32), torch.randn(10, covariates, generator=seeded())
    options = {"batch_size": 10}
    blocks = next(batches_in_blocks(places, vertices, edges, 10.0, generator=seeded(), **options))
    packed = next(packed_batches(places, vertices, edges, 10.0, generator=seeded(), n_blocks=n_blocks, **options))
    assert (len(packed.blocks) > 1) == (n_blocks > 1)
    found = []
    for rows in (np.concatenate([block.rows for block in blocks]), packed.rows):
        network = GraphNetwork(66, 2, edges.n_types, seeded(), covariates=covariates).train()
        own = columns[rows] if covariates else None
        outputs = training_outputs(network, packed, own) if found else network.forward_blocks(blocks, own)
        outputs.square().sum().backward()
        by_place = outputs.detach()[np.argsort(rows)]
        gradients = {name: p.grad for name, p in network.named_parameters()}
        found.append({"outputs": by_place, **gradients, **dict(network.named_buffers())})
    assert found[0]["outputs"].std() > 0.01
    for name, wanted in found[0].items():
        scale = max(wanted.abs().max().item(), 1)
        torch.testing.assert_close(found[1][name], wanted, atol=2e-4 * scale, rtol=0, msg=lambda m, n=name: f"{n}: {m}")


def test_packed_batches_have_the_graphs_of_batches_in_blocks():
    places, edges = make_places(np.arange(1, 41)), parse_edges("distance+knn:4")
    options = {"batch_size": 7, "seed": 3}
    blocks = list(batches_in_blocks(places, places.objects, edges, 10.0, n_blocks=1, generator=seeded(), **options))
    packed = list(packed_batches(places, places.objects, edges, 10.0, generator=seeded(), **options))
    assert len(blocks) == len(packed) == 6
    for (one,), other in zip(blocks, packed, strict=True):
        order = np.argsort(places.n_images[one.rows], kind="stable")
        assert one.rows[order].tolist() == other.rows.tolist()
        vertices = torch.cat([one.vertices[i][one.mask[i] > 0] for i in order])
        assert torch.equal(vertices, other.vertices)
        graph = 0
        for block in other.blocks:
            b, n, _ = block.means.shape
            means = block.means.view(b, n, 2, n)
            for i in range(b):
                size = int(places.n_images[other.rows[graph]])
                wanted = one.adjacency[order[graph], :size, :, :size]
                torch.testing.assert_close((means * block.sums)[i, :size, :, :size], wanted)
                assert means[i, size:].abs().sum() == means[i, :, :, size:].abs().sum() == 0
                graph += 1
        assert graph == len(other.rows)
