"""The graph network of Such et al. (2017), "Robust Spatial Filtering with Graph Convolutional Neural Networks".

Tensors are vertices, shape (b, n, f); adjacency, shape (b, n, L, n) with L edge types; and mask, shape (b, n), 1 at vertices
and 0 at padding, where adjacency is 0, too. The outputs depend neither on padding nor on the order of vertices.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from geolive.collectives import rank_and_size, sum_of_all

if TYPE_CHECKING:
    from geolive.graphs.batches import Batch

# the values that Lee et al. (2021) used, as numbers from their code show
NORM_EPS = 1e-3
BIAS = 0.1


class GraphCNNLayer(nn.Module):
    """A graph layer, H = reshape(A·V)·W + V·W_I + b; the reshape puts edge types outside and features inside.

    Parameters
    ----------
    features, outputs : int
        Features of a vertex before and after the layer.
    edge_types : int
    generator : torch.Generator
        Draws the weights.

    Examples
    --------
    >>> layer = GraphCNNLayer(66, 64, edge_types=1, generator=torch.Generator())
    >>> layer(torch.ones(2, 5, 66), torch.ones(2, 5, 1, 5)).shape
    torch.Size([2, 5, 64])
    """

    def __init__(self, features: int, outputs: int, edge_types: int, generator: torch.Generator):
        super().__init__()
        std = math.sqrt(1 / (features * (edge_types + 1)))
        self.weights = _drawn((edge_types * features, outputs), std, generator)
        self.weights_self = _drawn((features, outputs), std, generator)
        self.bias = nn.Parameter(torch.full((outputs,), BIAS))

    def forward(
        self, vertices: torch.Tensor, adjacency: torch.Tensor, scale: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Compute new vertex features, shape (b, n, outputs); `scale`, (b, n, L, 1), multiplies the sums over neighbours."""
        b, n, edge_types, _ = adjacency.shape
        rows = vertices.reshape(b * n, -1)
        # (A·V)·W = A·(V·W), which is several times less work; one product computes V·W for all edge types and V·W_I
        by_type = self.weights.view(edge_types, rows.shape[1], -1).unbind()
        made = (rows @ torch.cat([*by_type, self.weights_self], 1)).view(b, n, edge_types + 1, -1)
        own = made[:, :, -1] + self.bias
        if edge_types == 1:
            near, sent = adjacency[:, :, 0], made[:, :, 0]
        else:
            scaled = adjacency if scale is None else adjacency * scale
            near, sent, scale = scaled.view(b, n, -1), made[:, :, :-1].transpose(1, 2).flatten(1, 2), None
        # not in place, because autocast ignores in-place operations
        return torch.baddbmm(own, near, sent) if scale is None else torch.addcmul(own, near @ sent, scale[:, :, 0])


class GraphEmbedPool(nn.Module):
    """Graph-embed pooling to a fixed number of vertices.

    V' = Fᵀ·V and A' = Fᵀ·A·F, where F is the softmax over vertices of V·W_f + b_f.

    Parameters
    ----------
    features : int
        Features of a vertex.
    outputs : int
        Number of vertices after pooling.
    generator : torch.Generator
        Draws the weights.

    Examples
    --------
    >>> pool = GraphEmbedPool(64, 32, torch.Generator())
    >>> vertices, adjacency = pool(torch.ones(2, 5, 64), torch.ones(2, 5, 1, 5), torch.ones(2, 5))
    >>> vertices.shape, adjacency.shape
    (torch.Size([2, 32, 64]), torch.Size([2, 32, 1, 32]))
    """

    def __init__(self, features: int, outputs: int, generator: torch.Generator):
        super().__init__()
        self.weights = _drawn((features, outputs), 1 / math.sqrt(features), generator)
        self.bias = nn.Parameter(torch.full((outputs,), BIAS))

    def forward(
        self, vertices: torch.Tensor, adjacency: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the pooled vertices (b, outputs, f) and adjacency (b, outputs, L, outputs)."""
        b, n, edge_types, _ = adjacency.shape
        logits = torch.addmm(self.bias, vertices.flatten(0, 1), self.weights).view(b, n, -1)
        factors = torch.softmax(self._without_padding(logits, mask), dim=1)
        received = (adjacency.reshape(b, n * edge_types, n) @ factors).reshape(b, n, -1)
        gathered = factors.transpose(1, 2)
        return gathered @ vertices, (gathered @ received).reshape(b, -1, edge_types, factors.shape[-1])

    def _without_padding(self, logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return logits if is_full(mask) else logits.masked_fill(mask[..., None] == 0, -math.inf)


class VertexNorm(nn.Module):
    """Batch normalisation over vertices, then ReLU.

    Parameters
    ----------
    features : int
    momentum : float
        Weight of each training batch in the running averages that prediction uses.

    Examples
    --------
    >>> norm = VertexNorm(2)
    >>> norm(torch.tensor([[1.0, 5.0], [3.0, 5.0]])).detach().round().tolist()
    [[0.0, 0.0], [1.0, 0.0]]
    """

    mean: torch.Tensor
    variance: torch.Tensor

    def __init__(self, features: int, momentum: float = 0.1):
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.ones(features)), nn.Parameter(torch.zeros(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("variance", torch.ones(features))
        self.momentum = momentum

    def forward(self, vertices: torch.Tensor) -> torch.Tensor:
        """Normalise vertices without padding, shape (…, features)."""
        rows = vertices.flatten(0, -2)
        if self.training and rank_and_size()[1] > 1:
            return torch.relu_(self._shared(rows)).view_as(vertices)
        averages = (None, None) if self.training else (self.mean, self.variance)
        normalised, mean, spread = torch.native_batch_norm(
            rows, self.scale, self.shift, averages[0], averages[1], self.training, 0.0, NORM_EPS
        )
        if self.training:
            # `spread` is 1 / √(variance + eps)
            self.remember(mean, spread.double().pow(-2).sub(NORM_EPS).clamp_min(0).to(self.variance.dtype))
        return torch.relu_(normalised).view_as(vertices)

    def _shared(self, rows: torch.Tensor) -> torch.Tensor:
        """Normalise by mean and variance over the vertices of all processes that share a batch."""
        count = sum_of_all(rows.new_tensor([len(rows)], dtype=torch.float32))
        mean = sum_of_all(rows.float().sum(0)) / count
        centred = rows.float() - mean
        variance = sum_of_all((centred**2).sum(0)) / count
        self.remember(mean, variance)
        return (centred * torch.rsqrt(variance + NORM_EPS) * self.scale + self.shift).to(rows.dtype)

    @torch.no_grad()
    def remember(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        """Update the running averages with the moments of a training batch."""
        self.mean.lerp_(mean, self.momentum)
        self.variance.lerp_(variance, self.momentum)


class GraphNetwork(nn.Module):
    """The network of Lee et al. (2021): two graph layers, pooling, two graph layers, pooling, a dense layer and the output.

    Its widths are 64, 64, pooling to 32 vertices, 32, 32, pooling to 8 vertices, dense 256. Each layer takes the weighted mean
    over a vertex's neighbours, where the authors take the sum: a sum grows with the number of images, which differs much more
    between places than the signal does.

    Parameters
    ----------
    features : int
        Features of a vertex.
    outputs : int
        Outputs for each graph.
    edge_types : int
    generator : torch.Generator
        Draws the weights; torch's global generator is not used.
    width : int
        Width of the first two layers; the later layers have half of it. The authors use 64.
    covariates : int
        Numbers of each graph that join its pooled vertices before the dense layer.

    See Also
    --------
    geolive.graphs.authors_network.AuthorsNetwork : Exactly the network of their code, for comparison.

    Examples
    --------
    >>> network = GraphNetwork(66, 1, edge_types=1, generator=torch.Generator())
    >>> network(torch.ones(2, 5, 66), torch.ones(2, 5, 1, 5), torch.ones(2, 5)).shape
    torch.Size([2, 1])
    """

    first_pool: type[GraphEmbedPool] = GraphEmbedPool

    def __init__(
        self,
        features: int,
        outputs: int,
        edge_types: int,
        generator: torch.Generator,
        width: int = 64,
        covariates: int = 0,
    ):
        super().__init__()
        half = max(width // 2, 1)
        self.layer1 = GraphCNNLayer(features, width, edge_types, generator)
        self.layer2 = GraphCNNLayer(width, width, edge_types, generator)
        self.pool1 = self.first_pool(width, 32, generator)
        self.layer3 = GraphCNNLayer(width, half, edge_types, generator)
        self.layer4 = GraphCNNLayer(half, half, edge_types, generator)
        self.pool2 = GraphEmbedPool(half, 8, generator)
        self.norms = nn.ModuleList([VertexNorm(size) for size in (width, width, width, half, half, half)])
        self.dense = _Dense(8 * half + covariates, 256, generator)
        self.output = _Dense(256, outputs, generator)

    def forward(self, vertices: torch.Tensor, adjacency: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Compute the outputs for each graph, shape (b, outputs)."""
        return self.answer(self.embed(vertices, adjacency, mask))

    def forward_blocks(self, blocks: "Sequence[Batch]", covariates: torch.Tensor | None = None) -> torch.Tensor:
        """Compute the outputs for a batch of `batches_in_blocks`, in the order of its blocks, shape (b, outputs)."""
        pooled = self._embed([(block.vertices, block.adjacency, block.mask) for block in blocks])
        return self.answer(pooled, covariates)

    def embed(self, vertices: torch.Tensor, adjacency: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Compute the 8 vertices of each graph after both poolings, shape (b, 8, 32)."""
        return self._embed([(vertices, adjacency, mask)])

    def answer(self, pooled: torch.Tensor, covariates: torch.Tensor | None = None) -> torch.Tensor:
        """Compute the outputs from the 8 vertices of each graph and the covariates of its place, shape (b, outputs)."""
        of_place = pooled.flatten(1) if covariates is None else torch.cat([pooled.flatten(1), covariates], 1)
        return self.output(torch.relu(self.dense(of_place)))

    def _embed(self, blocks: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]) -> torch.Tensor:
        all_vertices, adjacencies, masks = (list(tensors) for tensors in zip(*blocks, strict=True))
        real = [None if is_full(mask) else mask.flatten().nonzero()[:, 0] for mask in masks]
        scales = [self._scale(adjacency) for adjacency in adjacencies]
        for layer, norm in ((self.layer1, self.norms[0]), (self.layer2, self.norms[1])):
            all_vertices = [layer(*block) for block in zip(all_vertices, adjacencies, scales, strict=True)]
            all_vertices = self._normed(norm, all_vertices, real)
        pooled = [self.pool1(*block) for block in zip(all_vertices, adjacencies, masks, strict=True)]
        vertices, adjacency = (torch.cat(tensors) for tensors in zip(*pooled, strict=True))
        vertices, scale = self.norms[2](vertices), self._scale(adjacency)
        vertices = self.norms[3](self.layer3(vertices, adjacency, scale))
        vertices = self.norms[4](self.layer4(vertices, adjacency, scale))
        vertices, _ = self.pool2(vertices, adjacency, torch.ones_like(vertices[..., 0]))
        return self.norms[5](vertices)

    def _scale(self, adjacency: torch.Tensor) -> torch.Tensor | None:
        """Return the factor from sums over neighbours to means, shape (b, n, L, 1); None to keep the sums."""
        return adjacency.sum(3, keepdim=True).clamp_min(torch.finfo(adjacency.dtype).tiny).reciprocal()

    def _normed(
        self, norm: nn.Module, blocks: list[torch.Tensor], real: list[torch.Tensor | None]
    ) -> list[torch.Tensor]:
        """Normalise over the vertices of all blocks together; `real` are the rows of vertices, None where there is no padding."""
        if not norm.training:
            return [norm(vertices) for vertices in blocks]
        rows = real_rows(blocks, real)
        normalised = norm(torch.cat(rows) if len(rows) > 1 else rows[0]).split([len(part) for part in rows])
        return [
            part.view_as(vertices)
            if own is None
            else part.new_zeros(vertices[..., 0].numel(), part.shape[1]).index_copy(0, own, part).view_as(vertices)
            for vertices, own, part in zip(blocks, real, normalised, strict=True)
        ]


def real_rows(blocks: list[torch.Tensor], real: list[torch.Tensor | None]) -> list[torch.Tensor]:
    """Return the rows of the vertices of each block, without padding.

    Parameters
    ----------
    blocks : list of tensor, each of shape (b, n, features)
    real : list of tensor of int64, or None
        For each block the row numbers of vertices among the b·n rows; None where there is no padding.

    Examples
    --------
    >>> real_rows([torch.tensor([[[1.0], [0.0]]])], [torch.tensor([0])])
    [tensor([[1.]])]
    """
    return [
        vertices.flatten(0, 1) if own is None else vertices.flatten(0, 1)[own]
        for vertices, own in zip(blocks, real, strict=True)
    ]


def is_full(mask: torch.Tensor) -> bool:
    """Return whether there is no padding.

    Examples
    --------
    >>> is_full(torch.tensor([[1.0, 0.0]]))
    False
    """
    return bool(mask.amin() > 0)


class _Dense(nn.Module):
    """A dense layer with the authors' initial weights; nn.Linear would draw from torch's global generator."""

    def __init__(self, features: int, outputs: int, generator: torch.Generator):
        super().__init__()
        self.weights = _drawn((features, outputs), 1 / math.sqrt(features), generator)
        self.bias = nn.Parameter(torch.full((outputs,), BIAS))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values @ self.weights + self.bias


def _drawn(shape: tuple[int, ...], std: float, generator: torch.Generator) -> nn.Parameter:
    """Draw from a normal distribution, truncated at two standard deviations."""
    return nn.Parameter(nn.init.trunc_normal_(torch.empty(shape), std=std, a=-2 * std, b=2 * std, generator=generator))
