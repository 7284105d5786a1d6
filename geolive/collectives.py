"""Sums and agreements among processes that train one network together; with one process they change nothing."""

from collections.abc import Iterable, Sequence

import torch
from torch import distributed


def rank_and_size() -> tuple[int, int]:
    """Return the number of this process, from 0, and how many processes train together: (0, 1) where it trains alone.

    Examples
    --------
    >>> rank_and_size()
    (0, 1)
    """
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


class _SumOfAll(torch.autograd.Function):
    """The sum over all processes; gradients flow back to all of them."""

    @staticmethod
    def forward(ctx, own: torch.Tensor) -> torch.Tensor:
        total = own.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
        total = gradient.clone()
        distributed.all_reduce(total)
        return total


def sum_of_all(own: torch.Tensor) -> torch.Tensor:
    """Return the sum of a tensor over all processes; gradients flow back to each of them.

    Parameters
    ----------
    own : tensor
        Of the same shape in all processes.

    Returns
    -------
    tensor
        The same numbers, bit for bit, in all processes.

    Examples
    --------
    >>> sum_of_all(torch.tensor([1.0, 2.0])).tolist()
    [1.0, 2.0]
    """
    return _SumOfAll.apply(own) if rank_and_size()[1] > 1 else own


def add_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace the gradients of parameters by their sums over all processes, in one exchange.

    Parameters
    ----------
    parameters : iterable of Parameter
        The same parameters in all processes; one without a gradient counts as zero.

    Examples
    --------
    >>> line = torch.nn.Linear(1, 1)
    >>> line(torch.ones(1, 1)).backward()
    >>> add_gradients(line.parameters())
    >>> line.bias.grad.tolist()
    [1.0]
    """
    if rank_and_size()[1] == 1:
        return
    parameters = list(parameters)
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    total = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(total)
    parts = total.split([gradient.numel() for gradient in gradients])
    for parameter, part in zip(parameters, parts, strict=True):
        parameter.grad = part.view_as(parameter)


def from_first(numbers: Sequence[float], device: torch.device | str = "cpu") -> list[float]:
    """Return the numbers that the first process gives, so that all processes decide alike.

    Parameters
    ----------
    numbers : sequence of float
        As many in each process.
    device : torch.device or str
        A device that the processes can exchange tensors of: "cuda" with the backend nccl.

    Examples
    --------
    >>> from_first([0.5, 2])
    [0.5, 2.0]
    """
    if rank_and_size()[1] == 1:
        return [float(number) for number in numbers]
    shared = torch.tensor(numbers, dtype=torch.float64, device=device)
    distributed.broadcast(shared, 0)
    return shared.tolist()


def all_agree(number: float, device: torch.device | str = "cpu") -> bool:
    """Return whether all processes give the same number.

    Examples
    --------
    >>> all_agree(3)
    True
    """
    if rank_and_size()[1] == 1:
        return True
    # the largest number, and the largest of the negative ones, are alike only where all are
    ends = torch.tensor([number, -number], dtype=torch.float64, device=device)
    distributed.all_reduce(ends, distributed.ReduceOp.MAX)
    return bool(ends[0] == -ends[1])
