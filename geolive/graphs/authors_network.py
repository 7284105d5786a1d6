"""The graph network exactly as the code of Lee et al. (2021) computes it, for comparison with their numbers.

It differs from `geolive.graphs.network.GraphNetwork` in three ways, which the tests hold against numbers from their code:

- A layer takes the sum over neighbours, not the mean.
- Their code fills each graph up with rows of zeros to 200 vertices, and multiplies the logits of these rows by 0 before the
  softmax of the first pooling, so each of them has the weight exp(0): 97 % of a graph with 5 images is padding.
- Batch normalisation has the moments of vertices only, but is applied to padding, too. Its shift begins at 0.1, and its running
  averages take 0.7 of each new batch.
"""

import torch
from torch import nn

from geolive.graphs.network import BIAS, NORM_EPS, GraphEmbedPool, GraphNetwork, VertexNorm, real_rows

PADDED_TO = 200
# their decay of 0.3 is the weight of the old average
MOMENTUM = 0.7


class AuthorsPool(GraphEmbedPool):
    """Graph-embed pooling in which padding takes part, as if each graph had 200 rows.

    All padded rows of a graph are alike, so a few rows stand for all of them: each has the weight exp(0) as many times as there
    are missing rows for it. A graph with fewer than 200 vertices needs one padded row at least.

    Parameters
    ----------
    features, outputs, generator
        As for `geolive.graphs.network.GraphEmbedPool`.

    Examples
    --------
    >>> pool, vertices = AuthorsPool(3, 2, torch.Generator().manual_seed(0)), torch.zeros(1, 200, 3)
    >>> vertices[:, :4] = torch.arange(12.0).view(4, 3)
    >>> mask = (torch.arange(200) < 4).float()[None]
    >>> whole, _ = pool(vertices, torch.zeros(1, 200, 1, 200), mask)
    >>> short, _ = pool(vertices[:, :6], torch.zeros(1, 6, 1, 6), mask[:, :6])
    >>> bool(torch.allclose(whole, short))
    True
    """

    def _without_padding(self, logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        present = mask.sum(1)
        missing = (PADDED_TO - present).clamp_min(0)
        # log of the number of rows that each padded row stands for; -inf where there is nothing to stand for
        stands_for = torch.log(missing / (mask.shape[1] - present).clamp_min(1))
        return torch.where(mask[..., None] > 0, logits, stands_for[:, None, None])


class AuthorsNetwork(GraphNetwork):
    """The network of Lee et al. (2021), as their code has it.

    Parameters
    ----------
    features, outputs, edge_types, generator
        As for `geolive.graphs.network.GraphNetwork`; their classifier has two outputs.

    Examples
    --------
    >>> network = AuthorsNetwork(65, 2, edge_types=1, generator=torch.Generator())
    >>> network(torch.ones(3, 6, 65), torch.ones(3, 6, 1, 6), torch.ones(3, 6)).shape
    torch.Size([3, 2])
    """

    first_pool = AuthorsPool

    def __init__(self, features: int, outputs: int, edge_types: int, generator: torch.Generator):
        super().__init__(features, outputs, edge_types, generator)
        for norm in self.norms:
            assert isinstance(norm, VertexNorm)
            norm.momentum = MOMENTUM
            nn.init.constant_(norm.shift, BIAS)

    def _scale(self, adjacency: torch.Tensor) -> None:
        return None

    def _normed(
        self, norm: nn.Module, blocks: list[torch.Tensor], real: list[torch.Tensor | None]
    ) -> list[torch.Tensor]:
        if not norm.training:
            return [norm(vertices) for vertices in blocks]
        assert isinstance(norm, VertexNorm)
        variance, mean = torch.var_mean(torch.cat(real_rows(blocks, real)), 0, correction=0)
        norm.remember(mean, variance)
        scale = norm.scale * torch.rsqrt(variance + NORM_EPS)
        shift = norm.shift - mean * scale
        return [torch.relu(torch.addcmul(shift, vertices, scale)) for vertices in blocks]
