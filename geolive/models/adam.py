"""Adam with little work in Python a step: for networks so small that a step takes less than a millisecond."""

from typing import Any

import torch

_BETAS, _EPS = (0.9, 0.999), 1e-8
_STATE = ("step", "exp_avg", "exp_avg_sq")


class FusedAdam:
    """The fused Adam of torch, to the same bits, in a fraction of the time.

    `torch.optim` imports torch's compiler as soon as an optimiser is made, which takes 1.5 s. Its `step` looks up the state of
    every parameter, counts its calls for profilers, and keeps gradients. `descend` does none of it.

    Parameters
    ----------
    params : list of dict
        Groups of parameters on one device, as for `torch.optim.Adam`: "params" and, where it is not 0, "weight_decay".
    lr : float
        Learning rate; `param_groups` can change it before any step.

    Examples
    --------
    >>> weight = torch.nn.Parameter(torch.tensor([1.0]))
    >>> adam = FusedAdam([{"params": [weight]}], lr=0.1)
    >>> for _ in range(2):
    ...     (weight**2).sum().backward()
    ...     adam.descend()
    >>> round(weight.item(), 2), weight.grad is None
    (0.8, True)
    """

    def __init__(self, params: list[dict[str, Any]], lr: float) -> None:
        self.param_groups = [
            {"lr": lr, "weight_decay": 0.0, **group, "params": list(group["params"])} for group in params
        ]
        every = [p for group in self.param_groups for p in group["params"]]
        # parameters that have taken as many steps share one number, which is quicker to count
        step = torch.zeros((), dtype=torch.float32, device=every[0].device)
        self._state = {p: (step, *(torch.zeros_like(p, requires_grad=False) for _ in _STATE[1:])) for p in every}

    def state_dict(self) -> dict[str, Any]:
        """Return the state, in the form of `torch.optim.Adam`, in which each parameter has its own number of steps."""
        states = [dict(zip(_STATE, (step.clone(), *rest), strict=True)) for step, *rest in self._state.values()]
        groups = [{name: value for name, value in group.items() if name != "params"} for group in self.param_groups]
        return {"state": dict(enumerate(states)), "param_groups": groups}

    @torch.no_grad()
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take a state from which to go on."""
        for group, given in zip(self.param_groups, state_dict["param_groups"], strict=True):
            group.update({name: value for name, value in given.items() if name != "params"})
        for number, p in enumerate(self._state):
            given = state_dict["state"][number]
            self._state[p] = tuple(given[name].detach().to(p.device, copy=True) for name in _STATE)
        self._share_steps()

    @torch.no_grad()
    def descend(self) -> None:
        """Update all parameters that have gradients, and remove the gradients.

        The numbers of a gradient must lie in memory as those of its parameter do, as automatic differentiation leaves them.
        """
        groups = [(group, [p for p in group["params"] if p.grad is not None]) for group in self.param_groups]
        groups = [(group, params) for group, params in groups if params]
        learning = [p for _, params in groups for p in params]
        steps = {id(self._state[p][0]): self._state[p][0] for p in learning}
        if len(learning) < len(self._state):
            self._keep_steps_of_others(steps)
        torch._foreach_add_(list(steps.values()), 1)
        for group, params in groups:
            states = [self._state[p] for p in params]
            torch._fused_adam_(
                params,
                [p.grad for p in params],
                [state[1] for state in states],
                [state[2] for state in states],
                [],
                [state[0] for state in states],
                lr=group["lr"],
                beta1=_BETAS[0],
                beta2=_BETAS[1],
                weight_decay=group["weight_decay"],
                eps=_EPS,
                amsgrad=False,
                maximize=False,
            )
            for p in params:
                p.grad = None

    def _keep_steps_of_others(self, steps: dict[int, torch.Tensor]) -> None:
        """Give parameters without a gradient a number of steps of their own, where the others share it."""
        for p, (step, *rest) in self._state.items():
            if p.grad is None and id(step) in steps:
                self._state[p] = (step.clone(), *rest)

    def _share_steps(self) -> None:
        """Let parameters that have taken as many steps share one number."""
        shared: dict[float, torch.Tensor] = {}
        for p, (step, *rest) in self._state.items():
            self._state[p] = (shared.setdefault(step.item(), step), *rest)
