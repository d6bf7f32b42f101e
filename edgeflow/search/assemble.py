"""Whole networks of candidates: weights of the pool in the places of the teacher's cells."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgeflow.nets.network import build
from edgeflow.quantize.operators import Convolution, Dense
from edgeflow.quantize.trace import trace
from edgeflow.search.pool import Pool, State
from edgeflow.search.space import Choice, Space, assembly
from edgeflow.search.weight_grids import state_on_grid


def assembled(space: Space, choice: Choice, teacher: nn.Module, pool: Pool) -> nn.Module:
    """The network of a choice (`assembly(space, choice).spec`), in evaluation mode.

    Where the teacher's cells stay, so do their weights; `teacher` is left as it is.
    """
    return _with_states(space, choice, teacher, pool, on_grids=False)


def assembled_on_grids(space: Space, choice: Choice, teacher: nn.Module, pool: Pool) -> nn.Module:
    """The same with the chosen cells' weights on the grids of their bits."""
    return _with_states(space, choice, teacher, pool, on_grids=True)


def layer_weight_bits(space: Space, choice: Choice) -> dict[str, int]:
    """Bits of layers' weights by name, as `QuantizeOptions.layer_weight_bits` wants them.

    Only of those that are not the widest, such as {"3.expand.0": 4}.
    """
    found = assembly(space, choice)
    if set(found.weight_bits) == {space.fixed_weight_bits}:
        return {}
    height, width, channels = found.spec.input_shape
    network = trace(build(found.spec, 0).eval(), torch.zeros(2, channels, height, width))
    weighted = [
        step.name
        for step in network.steps
        if isinstance(network.operator(step.name), Convolution | Dense)
    ]
    bits = {name: found.weight_bits[int(name.partition(".")[0])] for name in weighted}
    return {name: each for name, each in bits.items() if each != space.fixed_weight_bits}


def _with_states(
    space: Space, choice: Choice, teacher: nn.Module, pool: Pool, *, on_grids: bool
) -> nn.Module:
    chosen = {cell.index: number for number, cell in enumerate(space.cells)}
    own: dict[int, State] = {}
    for index, module in enumerate(teacher.children()):
        own[index] = {f"0.{name}": value for name, value in module.state_dict().items()}
        if index in chosen:
            number = chosen[index]
            own[index] = pool.states[number][choice[number]]
            if on_grids:
                bits = space.cells[number].candidates[choice[number]].weight_bits
                own[index] = state_on_grid(own[index], bits)
    found = assembly(space, choice)
    states: dict[str, Tensor] = {}
    for place, origin in enumerate(found.origin):
        prefix = f"{place - found.origin.index(origin)}."
        states |= {
            f"{place}.{name.removeprefix(prefix)}": value
            for name, value in own[origin].items()
            if name.startswith(prefix)
        }
    network = build(found.spec, 0)
    network.load_state_dict(states)
    return network.eval()
