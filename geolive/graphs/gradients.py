"""The graph network in training on a CPU, with gradients written out.

A step of the network takes a few milliseconds, most of which would go into the many small operations of automatic
differentiation and into padding. Here the layers compute the vertices of all graphs of a batch as one matrix without padding;
only the sums over neighbours are padded. The outputs and gradients are those of `GraphNetwork.forward_blocks`, to rounding.

Two biases have no influence in training, so that their gradient is exactly 0: the one of a layer, whose mean the normalisation
removes, and the one of a pooling, which is the same for all vertices of the softmax.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from geolive.graphs.network import NORM_EPS, GraphCNNLayer, GraphNetwork, VertexNorm
from geolive.graphs.packed import PackedBatch, PackedBlock

_norm, _norm_backward = torch.native_batch_norm, torch.ops.aten.native_batch_norm_backward.default
_relu_backward = torch.ops.aten.threshold_backward.default


def training_outputs(network: GraphNetwork, batch: PackedBatch, covariates: torch.Tensor | None = None) -> torch.Tensor:
    """Compute the outputs of a network in training, and update its running averages.

    Parameters
    ----------
    network : GraphNetwork
        In training mode, on the CPU. `AuthorsNetwork`, which computes other layers, cannot be trained here.
    batch : PackedBatch
    covariates : tensor, shape (b, k), optional
        In the order of the batch's rows.

    Returns
    -------
    tensor of float32, shape (b, outputs)

    Examples
    --------
    >>> from geolive.graphs.edges import parse_edges
    >>> from geolive.graphs.packed import packed_batches
    >>> import numpy as np
    >>> from geolive.places import Places
    >>> where, counts = np.full((3, 2), 25.0), np.ones((3, 66), np.uint16)
    >>> places = Places(np.array(["a", "b"]), where[1:], np.array([0, 1, 3]), where, counts)
    >>> (batch,) = packed_batches(places, counts, parse_edges("distance"), 1.0, batch_size=2, generator=None)
    >>> training_outputs(GraphNetwork(66, 1, 1, torch.Generator()), batch).shape
    torch.Size([2, 1])
    """
    layers, norms = (network.layer1, network.layer2, network.layer3, network.layer4), network.norms
    moments: list[tuple[torch.Tensor, torch.Tensor]] = []
    rows = batch.vertices
    for layer, norm in zip(layers[:2], norms[:2], strict=True):
        rows = _layer(rows, layer, norm, batch.blocks, None, moments)
    pooled, adjacency = _Pool.apply(rows, network.pool1.weights, network.pool1.bias, batch.blocks, True)
    b, n, width = pooled.shape
    rows = _Norm.apply(pooled.view(b * n, width), norms[2].scale, norms[2].shift, moments)
    blocks = [_whole(adjacency)]
    for layer, norm in zip(layers[2:], norms[3:5], strict=True):
        rows = _layer(rows, layer, norm, blocks, adjacency, moments)
    pooled, _ = _Pool.apply(rows, network.pool2.weights, network.pool2.bias, blocks, False)
    b, n, width = pooled.shape
    rows = _Norm.apply(pooled.view(b * n, width), norms[5].scale, norms[5].shift, moments)
    _remember(list(norms), moments)
    return network.answer(rows.view(b, n * width), covariates)


def _whole(means: torch.Tensor) -> PackedBlock:
    """Return a block without padding; the sums and the rows are not used."""
    nothing = means.new_empty(0)
    return PackedBlock(means.detach(), nothing, nothing, None, None)


def _layer(
    rows: torch.Tensor,
    layer: GraphCNNLayer,
    norm: nn.Module,
    blocks: Sequence[PackedBlock],
    adjacency: torch.Tensor | None,
    moments: list[tuple[torch.Tensor, torch.Tensor]],
) -> torch.Tensor:
    """Compute a graph layer, normalisation and ReLU for the rows of all vertices, shape (vertices, outputs)."""
    assert isinstance(norm, VertexNorm)
    return _Layer.apply(
        rows, layer.weights, layer.weights_self, layer.bias, norm.scale, norm.shift, adjacency, blocks, moments
    )


@torch.no_grad()
def _remember(norms: list[Any], moments: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Update the running averages of all normalisations, as `VertexNorm.remember` does for one."""
    # in double precision, because 1 / spread² - eps is a difference
    variances = torch.cat([spread for _, spread in moments]).double().pow_(-2).sub_(NORM_EPS).clamp_min_(0).float()
    of_each = variances.split([len(mean) for mean, _ in moments])
    torch._foreach_lerp_([norm.mean for norm in norms], [mean for mean, _ in moments], norms[0].momentum)
    torch._foreach_lerp_([norm.variance for norm in norms], list(of_each), norms[0].momentum)


class _Norm(torch.autograd.Function):
    """relu(normalised(rows)); appends mean and 1 / √(variance + eps) to `moments`."""

    @staticmethod
    def forward(ctx: Any, rows, scale, shift, moments):
        out, mean, spread = _norm(rows, scale, shift, None, None, True, 0.0, NORM_EPS)
        moments.append((mean, spread))
        torch.relu_(out)
        ctx.save_for_backward(rows, scale, mean, spread, out)
        return out

    @staticmethod
    def backward(ctx: Any, gradient):
        return *_normed_backward(gradient, *ctx.saved_tensors), None


def _normed_backward(gradient, rows, scale, mean, spread, out):
    """Return the gradients of rows, scale and shift of relu(normalised(rows)), which is `out`."""
    of_out = _relu_backward(gradient, out, 0)
    return _norm_backward(of_out, rows, scale, None, None, mean, spread, True, NORM_EPS, [True, True, True])


class _Layer(torch.autograd.Function):
    """relu(normalised(A·V·W + V·W_I + b)); where the edges have a gradient, too, they are given as `adjacency`."""

    @staticmethod
    def forward(ctx: Any, rows, weights, weights_self, bias, scale, shift, adjacency, blocks, moments):
        features, width = weights_self.shape
        n_types = len(weights) // features
        all_weights = torch.cat([*weights.view(n_types, features, width).unbind(), weights_self], 1)
        made = rows @ all_weights
        near = made[:, : n_types * width]
        found, of_blocks = [], []
        for block in blocks:
            alone = block.slots is None and len(blocks) == 1
            sent = _by_type(near if alone else near.index_select(0, block.take), len(block.means), n_types)
            found.append(_unpadded(torch.bmm(block.means, sent), block))
            if adjacency is not None:
                of_blocks.append(sent)
        linear = made[:, n_types * width :] + (found[0] if len(found) == 1 else torch.cat(found))
        out, mean, spread = _norm(linear, scale, shift, None, None, True, 0.0, NORM_EPS)
        moments.append((mean + bias, spread))
        torch.relu_(out)
        ctx.blocks, ctx.n_types, ctx.of_blocks = blocks, n_types, of_blocks
        ctx.save_for_backward(rows, all_weights, linear, scale, mean, spread, out)
        return out

    @staticmethod
    def backward(ctx: Any, gradient):
        rows, all_weights, linear, scale, mean, spread, out = ctx.saved_tensors
        blocks, n_types = ctx.blocks, ctx.n_types
        gradient, of_scale, of_shift = _normed_backward(gradient, linear, scale, mean, spread, out)
        of_near, of_adjacency = [], None
        for number, block in enumerate(blocks):
            b, n, _ = block.means.shape
            padded = gradient if block.slots is None and len(blocks) == 1 else gradient.index_select(0, block.take)
            padded = padded.view(b, n, -1)
            of_near.append(_unpadded(_by_row(torch.bmm(block.means.transpose(1, 2), padded), n, n_types), block))
            if ctx.of_blocks:
                of_adjacency = torch.bmm(padded, ctx.of_blocks[number].transpose(1, 2))
        of_made = torch.cat([of_near[0] if len(of_near) == 1 else torch.cat(of_near), gradient], 1)
        of_all = (rows.T @ of_made).view(len(all_weights), n_types + 1, -1)
        of_rows = of_made @ all_weights.T if ctx.needs_input_grad[0] else None
        of_weights = of_all[:, :-1].transpose(0, 1).flatten(0, 1)
        return (
            of_rows,
            of_weights,
            of_all[:, -1],
            torch.zeros_like(of_shift),
            of_scale,
            of_shift,
            of_adjacency,
            None,
            None,
        )


class _Pool(torch.autograd.Function):
    """Graph-embed pooling to k vertices, shape (graphs, k, features), and the pooled edges as means, shape (graphs, k, L * k)."""

    @staticmethod
    def forward(ctx: Any, rows, weights, bias, blocks, with_edges):
        k = weights.shape[1]
        logits = rows @ weights
        pooled, edges, kept = [], [], []
        for block in blocks:
            b, n, _ = block.means.shape
            alone = block.slots is None and len(blocks) == 1
            own = (logits if alone else logits.index_select(0, block.take)).view(b, n, k)
            factors = torch.softmax(own if block.padding is None else own.add_(block.padding), 1)
            vertices = (rows if alone else rows.index_select(0, block.take)).view(b, n, -1)
            gathered, received = factors.transpose(1, 2), None
            pooled.append(torch.bmm(gathered, vertices))
            if with_edges:
                received = (
                    torch.bmm(block.means.view(b, -1, n), factors).view(b, n, -1, k).mul_(block.sums).view(b, n, -1)
                )
                edges.append(torch.bmm(gathered, received))
            kept.append((factors, vertices, received))
        ctx.blocks, ctx.kept, ctx.sums, means = blocks, kept, None, None
        if with_edges:
            by_type = (edges[0] if len(edges) == 1 else torch.cat(edges)).view(-1, k, edges[0].shape[2] // k, k)
            ctx.sums = by_type.sum(3, keepdim=True).clamp_min_(torch.finfo(by_type.dtype).tiny)
            means = by_type.div_(ctx.sums).flatten(2)
        ctx.save_for_backward(rows, weights, means)
        return pooled[0] if len(pooled) == 1 else torch.cat(pooled), means

    @staticmethod
    def backward(ctx: Any, of_pooled, of_means):
        rows, weights, means = ctx.saved_tensors
        k = weights.shape[1]
        of_edges = None
        if means is not None and of_means is not None:
            # the derivative of the division by the sum
            own, by_type = of_means.view(len(means), k, -1, k), means.view(len(means), k, -1, k)
            of_edges = ((own - (own * by_type).sum(3, keepdim=True)) / ctx.sums).flatten(2)
        of_logits, of_rows, graph = [], [], 0
        for block, (factors, vertices, received) in zip(ctx.blocks, ctx.kept, strict=True):
            b, n, _ = block.means.shape
            of_own = of_pooled[graph : graph + b]
            of_factors = torch.bmm(vertices, of_own.transpose(1, 2))
            if of_edges is not None:
                of_these = of_edges[graph : graph + b]
                of_received = torch.bmm(factors, of_these).view(b, n, -1, k).mul_(block.sums).view(b, -1, k)
                of_factors.baddbmm_(received, of_these.transpose(1, 2))
                of_factors.baddbmm_(block.means.view(b, -1, n).transpose(1, 2), of_received)
            of_logits.append(_unpadded(torch._softmax_backward_data(of_factors, factors, 1, factors.dtype), block))
            of_rows.append(_unpadded(torch.bmm(factors, of_own), block))
            graph += b
        logits = of_logits[0] if len(of_logits) == 1 else torch.cat(of_logits)
        all_rows = of_rows[0] if len(of_rows) == 1 else torch.cat(of_rows)
        return all_rows.addmm_(logits, weights.T), rows.T @ logits, rows.new_zeros(k), None, None


def _by_type(rows: torch.Tensor, b: int, n_types: int) -> torch.Tensor:
    """Turn rows of all edge types beside each other, shape (b * n, L * width), to (b, L * n, width)."""
    if n_types == 1:
        return rows.view(b, -1, rows.shape[1])
    return rows.view(b, -1, n_types, rows.shape[1] // n_types).transpose(1, 2).flatten(1, 2)


def _by_row(sent: torch.Tensor, n: int, n_types: int) -> torch.Tensor:
    """Turn shape (b, L * n, width) back to (b, n, L * width)."""
    return sent if n_types == 1 else sent.view(len(sent), n_types, n, -1).transpose(1, 2).flatten(2)


def _unpadded(padded: torch.Tensor, block: PackedBlock) -> torch.Tensor:
    """Return the rows of vertices of a block, shape (vertices, width)."""
    rows = padded.flatten(0, 1)
    return rows if block.slots is None else rows.index_select(0, block.slots)
