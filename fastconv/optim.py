"""Optimizers with torch's update rules; they change the parameters' arrays in place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from .functional._coerce import as_array
from .nn.parameter import Parameter

__all__ = ["SGD", "Adam"]

Array = npt.NDArray[Any]
Parameters = Iterable[Parameter] | Iterable[dict[str, Any]]


class Optimizer:
    """Base of the optimizers: groups of parameters, each with its settings, and a state for each.

    Attributes
    ----------
    param_groups : list of dict
        "params" and the settings, which may be changed between steps.
    state : dict
        For each parameter what the rule remembers of it.
    """

    def __init__(self, params: Parameters, defaults: dict[str, Any]) -> None:
        name = type(self).__name__
        if isinstance(params, (Parameter, Mapping)):
            raise TypeError(f"{name}: params is a {type(params).__name__} (wanted an iterable)")
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError(f"{name}: params is empty (wanted at least one Parameter)")
        if not isinstance(groups[0], Mapping):
            groups = [{"params": groups}]
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Parameter, dict[str, Any]] = {}
        for group in groups:
            members = group["params"]
            members = [members] if isinstance(members, Parameter) else list(members)
            self.param_groups.append({**defaults, **group, "params": members})
            self._check(name, self.param_groups[-1])
        ids = [id(parameter) for parameter in self._parameters()]
        if len(set(ids)) < len(ids):
            raise ValueError(f"{name}: params has a Parameter twice (wanted each once)")

    def step(self) -> None:
        """Change every parameter that has a gradient by its rule."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    state = self.state.setdefault(parameter, {})
                    self._update(parameter.data, parameter.grad, state, group)

    def zero_grad(self) -> None:
        """Set every parameter's ``grad`` to None."""
        for parameter in self._parameters():
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Settings and state, with numbers in place of the parameters, as torch has it."""
        number = {id(parameter): i for i, parameter in enumerate(self._parameters())}
        groups = [
            {**group, "params": [number[id(parameter)] for parameter in group["params"]]}
            for group in self.param_groups
        ]
        state = {number[id(parameter)]: dict(state) for parameter, state in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take settings and copies of the state of an optimizer of like parameters."""
        name = type(self).__name__
        groups, parameters = state_dict["param_groups"], self._parameters()
        sizes = [len(group["params"]) for group in groups]
        wanted = [len(group["params"]) for group in self.param_groups]
        if sizes != wanted:
            raise ValueError(f"{name}: state has groups of {sizes} parameters (wanted {wanted})")
        numbers = [number for group in groups for number in group["params"]]
        loaded: dict[Parameter, dict[str, Any]] = {}
        for number, parameter in zip(numbers, parameters, strict=True):
            saved = state_dict["state"].get(number)
            if saved is None:
                continue
            loaded[parameter] = {
                key: self._copied(f"{key} of parameter {number}", value, parameter)
                for key, value in saved.items()
            }
        self.state = loaded
        for own, group in zip(self.param_groups, groups, strict=True):
            own.update({key: value for key, value in group.items() if key != "params"})

    def _copied(self, what: str, value: Any, parameter: Parameter) -> Any:
        if value is None or isinstance(value, (int, float)):
            return value
        name = type(self).__name__
        array = np.array(as_array(name, what, value), parameter.dtype)
        if array.ndim == 0 and parameter.ndim:
            return array.item()  # torch keeps the step as a tensor
        if array.shape != parameter.shape:
            raise ValueError(f"{name}: {what} has shape {array.shape} (wanted {parameter.shape})")
        return array

    def _parameters(self) -> list[Parameter]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def _check(self, name: str, group: dict[str, Any]) -> None:
        for parameter in group["params"]:
            if not isinstance(parameter, Parameter):
                raise TypeError(
                    f"{name}: params has a {type(parameter).__name__} (wanted Parameters)"
                )
        for setting in ("lr", "momentum", "weight_decay", "eps"):
            if group.get(setting, 0) < 0:
                raise ValueError(f"{name}: {setting} is {group[setting]} (wanted 0 or more)")

    def _update(
        self, data: Array, grad: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        raise NotImplementedError

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for number, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {number}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join((*lines, ")"))


class SGD(Optimizer):
    """Stochastic gradient descent.

    With g the gradient plus weight_decay · p: buffer = momentum · buffer + (1 - dampening) · g
    (the first is g), and p -= lr · buffer, or lr · (g + momentum · buffer) with `nesterov`.

    Parameters
    ----------
    params : iterable of Parameter, or of dicts with "params" and settings of their own
    lr, momentum, dampening, weight_decay : float
    nesterov : bool

    >>> import fastconv.nn as nn
    >>> import fastconv.optim as optim
    >>> import numpy as np
    >>> p = nn.Parameter(np.ones(2))
    >>> p.grad = np.array([1.0, 2.0])
    >>> optim.SGD([p], lr=0.5).step()
    >>> p.data
    array([0.5, 0. ])
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
            },
        )

    def _check(self, name: str, group: dict[str, Any]) -> None:
        super()._check(name, group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError(
                f"{name}: nesterov with momentum {group['momentum']} and dampening "
                f"{group['dampening']} (wanted momentum above 0 and no dampening)"
            )

    def _update(
        self, data: Array, grad: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        momentum, first = float(group["momentum"]), False
        if momentum:
            first = state.get("momentum_buffer") is None
            if first:
                state["momentum_buffer"] = np.empty_like(data)
        _core.sgd_step(
            data, grad, state["momentum_buffer"] if momentum else None, float(group["lr"]),
            momentum, float(group["dampening"]), float(group["weight_decay"]),
            bool(group["nesterov"]), first,
        )  # fmt: skip


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015), with AMSGrad (Reddi et al. 2018) if asked for.

    With g the gradient plus weight_decay · p: m = β₁ m + (1 - β₁) g, v = β₂ v + (1 - β₂) g²,
    p -= lr · m / (1 - β₁ᵗ) / (sqrt(v / (1 - β₂ᵗ)) + eps); `amsgrad` takes the largest v so far.

    Parameters
    ----------
    params : iterable of Parameter, or of dicts with "params" and settings of their own
    lr : float
    betas : (float, float)
    eps, weight_decay : float
    amsgrad : bool
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
            },
        )

    def _check(self, name: str, group: dict[str, Any]) -> None:
        super()._check(name, group)
        if not all(0 <= beta < 1 for beta in group["betas"]):
            raise ValueError(f"{name}: betas is {group['betas']} (wanted two from 0 to below 1)")

    def _update(
        self, data: Array, grad: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        beta1, beta2 = group["betas"]
        if not state:
            state.update(step=0, exp_avg=np.zeros_like(data), exp_avg_sq=np.zeros_like(data))
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = np.zeros_like(data)
        state["step"] += 1
        _core.adam_step(
            data, grad, state["exp_avg"], state["exp_avg_sq"], state.get("max_exp_avg_sq"),
            int(state["step"]), float(group["lr"]), float(beta1), float(beta2),
            float(group["eps"]), float(group["weight_decay"]),
        )  # fmt: skip
