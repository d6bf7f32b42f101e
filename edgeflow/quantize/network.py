"""The step network: a torch network as the sequence in which it is quantized and lowered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from edgeflow.quantize.operators import (
    Add,
    Concatenate,
    Convolution,
    Dense,
    MaxPool,
    Multiply,
    Relu,
    Relu6,
    Reshape,
    Softmax,
    ZeroPad,
)

INPUT = "input"

# Their results lie on the grid of their inputs already.
EXACT_OPERATORS = (MaxPool, Reshape, ZeroPad, Concatenate)

# What a following RELU or RELU6 becomes a part of.
FUSING_OPERATORS = (Convolution, Dense, Add, Multiply)


@dataclass(frozen=True)
class Step:
    """One operator: its name is that of the tensor it makes; `inputs` are names of tensors.

    `shape` is the result's, NCHW without the batch; `where` says where in the user's network.
    """

    name: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    where: str


class StepNetwork(nn.Module):
    """Steps in order, an operator for each, and a quantizer for each tensor that has one.

    One input [N, *input_shape], one output. Tensors that must share a grid share the quantizer.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        steps: Sequence[Step],
        operators: Mapping[str, nn.Module],
        output: str,
    ) -> None:
        super().__init__()
        self.input_shape = input_shape
        self.steps = tuple(steps)
        self.output = output
        self._operator_keys = {step.name: f"op_{i}" for i, step in enumerate(self.steps)}
        for name, key in self._operator_keys.items():
            self.add_module(key, operators[name])
        self.quantizers = nn.ModuleDict()
        self._quantizer_keys: dict[str, str] = {}

    def forward(self, x: Tensor) -> Tensor:
        """[N, *input_shape] to [N, *output_shape]."""
        return self.values(x)[self.output]

    def values(self, x: Tensor) -> dict[str, Tensor]:
        """Every tensor by its name."""
        values = {INPUT: self._on_grid(INPUT, x)}
        for step in self.steps:
            operator = self.operator(step.name)
            result = operator(*(values[name] for name in step.inputs))
            exact = isinstance(operator, EXACT_OPERATORS)
            values[step.name] = result if exact else self._on_grid(step.name, result)
        return values

    def logits(self, x: Tensor) -> Tensor:
        """The output, or what goes into the softmax that makes it."""
        return self.values(x)[self.logits_name]

    @property
    def logits_name(self) -> str:
        """Name of the tensor that `logits` returns."""
        last = next((s for s in self.steps if s.name == self.output), None)
        if last is not None and isinstance(self.operator(last.name), Softmax):
            return last.inputs[0]
        return self.output

    def operator(self, name: str) -> nn.Module:
        """The operator of the step `name`."""
        return self.get_submodule(self._operator_keys[name])

    def operators(self) -> dict[str, nn.Module]:
        """Every operator by the name of its step."""
        return {step.name: self.operator(step.name) for step in self.steps}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor, batch excluded."""
        return {INPUT: self.input_shape} | {step.name: step.shape for step in self.steps}

    def quantizer(self, tensor: str) -> nn.Module | None:
        """The quantizer of a tensor, if it has one."""
        key = self._quantizer_keys.get(tensor)
        return None if key is None else self.quantizers[key]

    def set_quantizer(self, tensors: Sequence[str], quantizer: nn.Module) -> None:
        """Put `tensors` on one grid."""
        key = f"grid_{len(self.quantizers)}"
        self.quantizers[key] = quantizer
        self._quantizer_keys.update(dict.fromkeys(tensors, key))

    def _on_grid(self, tensor: str, value: Tensor) -> Tensor:
        quantizer = self.quantizer(tensor)
        return value if quantizer is None else quantizer(value)


def use_counts(steps: Sequence[Step], output: str) -> Counter[str]:
    """How often each tensor is read; being the output counts once."""
    counts = Counter(name for step in steps for name in step.inputs)
    counts[output] += 1
    return counts


def fused_activations(network: StepNetwork) -> dict[str, str]:
    """For each activation that becomes a part of the operator before it: that operator's step."""
    counts = use_counts(network.steps, network.output)
    operators = network.operators()
    return {
        step.name: step.inputs[0]
        for step in network.steps
        if isinstance(operators[step.name], Relu | Relu6)
        and counts[step.inputs[0]] == 1
        and isinstance(operators.get(step.inputs[0]), FUSING_OPERATORS)
    }
