"""Any torch module with supported operators to a step network, by way of torch.export."""

from __future__ import annotations

import copy
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any

import torch
from torch import Tensor, fx, nn

from edgeflow.errors import ModelError, UnsupportedOperatorError
from edgeflow.quantize.conversions import CONVERSIONS, IDENTITIES, SUPPORTED
from edgeflow.quantize.fold import (
    fold_affines,
    merge_reshapes_into_means,
    separate_fixed_grids,
    without_unused,
)
from edgeflow.quantize.network import INPUT, StepNetwork
from edgeflow.quantize.step_builder import Builder, Operand

# Any size but 1, so that a batch cannot be taken for a dimension of size 1 that may broadcast.
_TRACE_BATCH = 2
_RELATIVE_TOLERANCE = 1e-3


def trace(network: nn.Module, example: Tensor) -> StepNetwork:
    """Steps of `network` in evaluation mode, batch normalization folded; weights are copies.

    `example` is [N, *input_shape], typical input: the result must agree with `network` on it.
    Raises UnsupportedOperatorError for what has no integer operator or mixes the batch, ModelError
    for what torch.export cannot follow and for several inputs or outputs.
    """
    network = copy.deepcopy(network).to("cpu", torch.float32).eval()
    rows = torch.arange(_TRACE_BATCH) % len(example)
    sample = example[rows].clone()
    program = _export(network, sample)
    builder = Builder(tuple(sample.shape[1:]))
    output = _convert(program, builder, _TRACE_BATCH)
    steps = without_unused(builder.steps, output)
    steps, operators, output = fold_affines(steps, builder.operators, output)
    steps, operators, output = merge_reshapes_into_means(steps, operators, output)
    steps, operators = separate_fixed_grids(steps, operators)
    traced = StepNetwork(tuple(sample.shape[1:]), steps, operators, output).eval()
    _require_agreement(network, traced, sample)
    return traced


def _export(network: nn.Module, sample: Tensor) -> torch.export.ExportedProgram:
    try:
        with torch.no_grad(), _quiet_export():
            return torch.export.export(network, (sample,), strict=False)
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        raise ModelError(
            f"{type(network).__name__} cannot be traced with an input of shape "
            f"{tuple(sample.shape)}: {type(error).__name__}: {lines[0]}",
            hint="the network must take one float tensor [N, ...] of the data's shape and be a "
            "fixed sequence of tensor operations: no branch or loop that depends on values",
        ) from error


def _convert(program: torch.export.ExportedProgram, builder: Builder, batch: int) -> str:
    """Run through the exported nodes; gives the name of the output's tensor."""
    values: dict[fx.Node, Any] = _placeholders(program)
    for node in program.graph.nodes:
        if node.op == "call_function":
            _convert_call(node, values, builder, batch)
        elif node.op == "output":
            outputs = [values[n] for n in node.all_input_nodes]
            if len(outputs) != 1 or not isinstance(outputs[0], Operand):
                raise ModelError(
                    f"the network gives {len(outputs)} results where one that depends on the input "
                    f"is expected",
                    hint="wrap it in a module whose forward returns the one tensor to deploy",
                )
            return outputs[0].name
    raise ModelError("the traced network has no output")


def _placeholders(program: torch.export.ExportedProgram) -> dict[fx.Node, Any]:
    specs = {spec.arg.name: spec for spec in program.graph_signature.input_specs}
    kind = torch.export.graph_signature.InputKind
    values: dict[fx.Node, Any] = {}
    for node in program.graph.nodes:
        if node.op != "placeholder":
            continue
        spec = specs[node.name]
        if spec.kind is kind.USER_INPUT:
            values[node] = Operand(INPUT, tuple(node.meta["val"].shape[1:]))
        elif spec.target in program.state_dict:
            values[node] = program.state_dict[spec.target].detach()
        else:
            values[node] = program.constants[spec.target]
    return values


def _convert_call(node: fx.Node, values: dict[fx.Node, Any], builder: Builder, batch: int) -> None:
    arguments = fx.node.map_arg((node.args, node.kwargs), lambda n: values[n])
    args, kwargs = arguments
    where = _where(node)
    operator = str(getattr(node.target, "__name__", node.target))
    schema = getattr(node.target, "_schema", None)
    if not any(isinstance(values[n], Operand) for n in node.all_input_nodes):
        values[node] = node.target(*args, **kwargs)  # type: ignore[operator]
        return
    if schema is None:
        raise _unsupported(operator, where)
    in_place = schema.name.endswith("_")
    name = schema.name.split("::")[1].removesuffix("_")
    named = {
        a.name: kwargs.get(a.name, args[i] if i < len(args) else a.default_value)
        for i, a in enumerate(schema.arguments)
    }
    if name in IDENTITIES:
        values[node] = args[0]
        return
    if name.startswith("_assert"):
        return
    if name not in CONVERSIONS:
        raise _unsupported(f"{schema.name}.{schema.overload_name or 'default'}", where)
    shape = tuple(node.meta["val"].shape)
    if len(shape) < 2 or shape[0] != batch:
        raise UnsupportedOperatorError(
            f"{schema.name} in {where} gives a tensor of shape {shape}: the batch must stay the "
            f"first dimension of every tensor (it was {batch} while tracing)",
            hint="use flatten(1), view(x.shape[0], -1) or mean((2, 3)): they leave the batch alone",
        )
    builder.enter(_base_name(node, name), name, where, shape[1:])
    values[node] = CONVERSIONS[name](builder, named)
    if in_place:
        values[node.all_input_nodes[0]] = values[node]


def _unsupported(operator: str, where: str) -> UnsupportedOperatorError:
    return UnsupportedOperatorError(
        f"the operator {operator} in {where} is not supported",
        hint=f"supported are {', '.join(SUPPORTED)}",
    )


def _innermost(node: fx.Node) -> tuple[str, str]:
    """Path and class of the module whose forward made an exported node."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path, kind = stack[-1] if stack else ("", "")
    return path, kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"


def _base_name(node: fx.Node, operator: str) -> str:
    # A layer is its own name; what a container's forward computes is named after the operator.
    path, kind = _innermost(node)
    if path and kind.startswith("torch.nn.modules."):
        return path
    return f"{path}.{operator}" if path else operator


def _where(node: fx.Node) -> str:
    """Module path, class and source line of an exported node."""
    path, kind = _innermost(node)
    place = f"module '{path}'" if path else "the network itself"
    frames = [
        ln.strip() for ln in (node.meta.get("stack_trace") or "").splitlines() if "File " in ln
    ]
    own = [frame for frame in frames if "/torch/nn/" not in frame.replace("\\", "/")]
    source = f", {own[-1]}" if own else ""
    return f"{place} ({kind.rsplit('.', 1)[-1]}{source})"


@contextmanager
def _quiet_export() -> Iterator[None]:
    """Keep torch from logging and printing what an error that it raises says anyway."""
    names = ["torch", *(n for n in logging.root.manager.loggerDict if n.startswith("torch."))]
    levels = {name: logging.getLogger(name).level for name in names}
    try:
        for name in names:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _require_agreement(network: nn.Module, traced: StepNetwork, sample: Tensor) -> None:
    """Guard against aliasing that steps cannot express, such as writing into a view."""
    with torch.no_grad():
        expected, found = network(sample), traced(sample)
    scale = max(1.0, float(expected.abs().max())) if expected.isfinite().all() else float("nan")
    difference = float((expected - found).abs().max())
    if not difference <= _RELATIVE_TOLERANCE * scale:
        raise ModelError(
            f"the traced network differs from {type(network).__name__} by {difference:.3g} "
            f"(largest output {scale:.3g})",
            hint="avoid writing into views of tensors that are used again, and check that weights "
            "and inputs are finite",
        )
