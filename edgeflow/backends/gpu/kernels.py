"""CUDA kernels of a network: one for each layer, as tensor expressions with a schedule of our own.

A thread computes one value of the layer's output; neighbours in a warp have neighbouring channels,
so that they read weights side by side. Padding and conversions are computed where they are read,
sums stay in a register, and sums are float32 whatever the values are stored in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.tvm.computes import FLOAT, Network, add, inner_shape
from edgeflow.backends.tvm.module import tvm_modules
from edgeflow.backends.tvm.vectors import Vectors
from edgeflow.graph.ir import Graph, Node, OpKind

THREADS = 128
ALIASES = (OpKind.RESHAPE, OpKind.QUANTIZE)
"""Operators whose result is their input in another shape or on another grid: no kernel."""
_SIGNATURE = re.compile(r'extern "C" __global__ void __launch_bounds__\(\d+\) (\w+)\(([^)]*)\) \{')
_PARAMETER = re.compile(r"\*\s*__restrict__ (\w+)_ptr")
# One block of all channels: weights [.., in, out] as neighbouring threads read them.
_ONE_BLOCK = Vectors("", 1, 1, 1 << 20)


@dataclass(frozen=True, eq=False)
class Kernel:
    """A layer: its function in CUDA C, and what it is launched with.

    `arguments` are names of the graph's tensors and of `constants`, in the function's order.
    """

    name: str
    node: str
    text: str
    blocks: int
    arguments: tuple[str, ...]
    constants: Mapping[str, NDArray[Any]]


def kernels(graph: Graph, *, half: bool) -> tuple[Kernel, ...]:
    """The kernels in the order of their launches; values are stored as float16 with `half`.

    Raises MissingToolError without TVM, UnsupportedOperatorError for what it is not taught.
    """
    stored = "float16" if half else FLOAT
    return tuple(
        _kernel(graph, node, f"layer{number:02d}_{node.kind.lower()}", stored)
        for number, node in enumerate(graph.nodes)
        if node.kind not in ALIASES
    )


@dataclass
class _Stored(Network):
    """A network whose constants are stored in another type and widened where they are read."""

    stored: str = FLOAT

    def constant(self, values: NDArray[Any], name: str) -> Any:
        """A placeholder of the stored type, as float32."""
        from tvm import te

        array = np.ascontiguousarray(values, dtype=self.stored)
        placeholder = te.placeholder(array.shape, self.stored, name=name)
        self.constants.append((placeholder, array))
        return _as(placeholder, FLOAT, f"{name}_wide")


def _kernel(graph: Graph, node: Node, name: str, stored: str) -> Kernel:
    te, tvm = tvm_modules()
    network = _Stored(graph, _ONE_BLOCK, stored=stored)
    names: dict[str, str] = {}
    placeholders: list[Any] = []
    for tensor in dict.fromkeys(node.inputs):
        if not graph.tensors[tensor].is_constant:
            given = f"given{len(names)}"
            names[given] = tensor
            shape = inner_shape(graph.tensors[tensor].shape)
            placeholders.append(te.placeholder(shape, stored, name=given))
            network.values[tensor] = _as(placeholders[-1], FLOAT, f"{given}_wide")
    add(network, node, "k")
    result = _as(network.values[node.outputs[0]], stored, "narrow")
    own = {placeholder.op.name: array for placeholder, array in network.constants}
    names |= {each: f"{name}_{each.removeprefix('k_')}" for each in own}
    parameters = [*placeholders, *(placeholder for placeholder, _ in network.constants), result]
    text = _cuda(tvm, _scheduled(tvm, te.create_prim_func(parameters), name))
    signature = _SIGNATURE.search(text)
    assert signature is not None, text
    return Kernel(
        name=signature[1],
        node=node.name,
        text=text[signature.start() :].rstrip() + "\n",
        blocks=math.ceil(math.prod(int(n) for n in result.shape) / THREADS),
        arguments=tuple(
            names.get(each, node.outputs[0]) for each in _PARAMETER.findall(signature[2])
        ),
        constants={names[each]: array for each, array in own.items()},
    )


def _as(value: Any, dtype: str, name: str) -> Any:
    """The same values in another type."""
    from tvm import te

    if value.dtype == dtype:
        return value
    return te.compute(value.shape, lambda *at: value[at].astype(dtype), name=name)


def _scheduled(tvm: Any, function: Any, name: str) -> Any:
    """One thread for each value of the last stage; all stages before it within the thread."""
    plan = tvm.s_tir.Schedule(tvm.IRModule({"main": function.with_attr("global_symbol", name)}))
    *before, last = plan.get_child_blocks(plan.get_sblock("root"))
    flat = plan.fuse(*plan.get_loops(last))
    block, thread = plan.split(flat, [None, THREADS])
    plan.bind(block, "blockIdx.x")
    plan.bind(thread, "threadIdx.x")
    for stage in reversed(before):
        if any(axis.iter_type == axis.CommReduce for axis in plan.get(stage).iter_vars):
            plan.compute_at(stage, thread)
            plan.set_scope(stage, 0, "local")
        else:
            plan.compute_inline(stage)
    return tvm.IRModule({name: plan.mod["main"]})


def _cuda(tvm: Any, module: Any) -> str:
    """CUDA C of a module with one kernel, behind definitions of TVM's own."""
    target = tvm.target.Target({"kind": "cuda", "arch": "sm_53"}, host={"kind": "llvm"})
    built = tvm.tirx.build(module, target=target)
    (device,) = (each for each in built.imports if each.kind == "cuda")
    return str(device.inspect_source())
