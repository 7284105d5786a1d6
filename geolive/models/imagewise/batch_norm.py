"""Batch normalisation over the photos of all processes that share a batch."""

import torch
from torch import nn

from geolive.collectives import rank_and_size, sum_of_all


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the photos of all processes; torch's own does this only on CUDA devices.

    With one process it is torch's batch norm.
    """

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Normalise by mean and variance over the photos of all processes, each of which has equally many."""
        world = rank_and_size()[1]
        if not self.training or world == 1:
            return super().forward(inputs)
        mean = sum_of_all(inputs.mean(dim=(0, 2, 3))) / world
        centred = inputs - mean[:, None, None]
        variance = sum_of_all((centred**2).mean(dim=(0, 2, 3))) / world
        with torch.no_grad():
            n = world * inputs.numel() / inputs.shape[1]
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.momentum is not None
            assert self.num_batches_tracked is not None
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * n / max(n - 1, 1), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return centred * scale[:, None, None] + self.bias[:, None, None]


def share_batch_norm(network: nn.Module, device: str) -> nn.Module:
    """Let the batch norms of a network use the photos of all processes; in place, names of weights stay."""
    if device == "cuda":
        try:
            from timm.layers import convert_sync_batchnorm  # converts timm's own batch norms, too
        except ImportError:
            return nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return convert_sync_batchnorm(network)
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = SharedBatchNorm
    return network
