"""CUDA kernels of a network: one for each layer, as tensor expressions with a schedule of our own.

Threads of a block are outputs x parts: neighbours in a warp have neighbouring channels, so that
they read weights side by side, and where outputs alone would leave the GPU idle, several threads
add parts of one sum, which meet in shared memory. Padding and conversions are computed where they
are read, and sums are float32 whatever the values are stored in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.tvm.computes import FLOAT, Network, add, inner_shape
from edgeflow.backends.tvm.module import tvm_modules
from edgeflow.backends.tvm.vectors import Vectors
from edgeflow.graph.ir import Graph, Node, OpKind

THREADS = 128
"""Of a block at least."""
WARP = 32
MOST_PARTS = 32
LEAST_PRODUCTS = 8
"""Of a thread: below that, adding parts costs more than computing them."""
UNROLLED = 16
ALIASES = (OpKind.RESHAPE, OpKind.QUANTIZE)
"""Operators whose result is their input in another shape or on another grid: no kernel."""
_SIGNATURE = re.compile(r'extern "C" __global__ void __launch_bounds__\(\d+\) (\w+)\(([^)]*)\) \{')
_PARAMETER = re.compile(r"\*\s*__restrict__ (\w+)_ptr")
# One block of all channels: weights [.., in, out] as neighbouring threads read them.
_ONE_BLOCK = Vectors("", 1, 1, 1 << 14, 1 << 14)


@dataclass(frozen=True, eq=False)
class Kernel:
    """A layer: its function in CUDA C, and what it is launched with.

    A block has `outputs` x `parts` threads. `arguments` are names of the graph's tensors and of
    `constants`, in the function's order.
    """

    name: str
    node: str
    text: str
    blocks: int
    outputs: int
    parts: int
    arguments: tuple[str, ...]
    constants: Mapping[str, NDArray[Any]]


def kernels(graph: Graph, *, half: bool, threads: int) -> tuple[Kernel, ...]:
    """The kernels in the order of their launches, for a GPU that keeps so many threads busy.

    Values are stored as float16 with `half`.
    Raises MissingToolError without TVM, UnsupportedOperatorError for what it is not taught.
    """
    stored = "float16" if half else FLOAT
    return tuple(
        _kernel(graph, node, f"layer{number:02d}_{node.kind.lower()}", stored, threads)
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


def _kernel(graph: Graph, node: Node, name: str, stored: str, threads: int) -> Kernel:
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
    function = te.create_prim_func(parameters)
    module, outputs, parts = _scheduled(tvm, function, name, threads)
    text = _cuda(tvm, module)
    signature = _SIGNATURE.search(text)
    assert signature is not None, text
    return Kernel(
        name=signature[1],
        node=node.name,
        text=text[signature.start() :].rstrip() + "\n",
        blocks=math.ceil(math.prod(int(n) for n in result.shape) / outputs),
        outputs=outputs,
        parts=parts,
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


def _scheduled(tvm: Any, function: Any, name: str, threads: int) -> tuple[Any, int, int]:
    """All stages in one kernel, with the outputs and the parts of sums that a block computes."""
    plan = tvm.s_tir.Schedule(tvm.IRModule({"main": function.with_attr("global_symbol", name)}))
    *before, last = plan.get_child_blocks(plan.get_sblock("root"))
    flat = plan.fuse(*plan.get_loops(last))
    sums = [stage for stage in before if _reductions(plan, stage)]
    parts = _parts(plan, sums, int(plan.get(flat).extent), threads)
    outputs = THREADS if parts == 1 else WARP
    block, thread = plan.split(flat, [None, outputs])
    plan.bind(block, "blockIdx.x")
    plan.bind(thread, "threadIdx.x")
    for stage in reversed(before):
        if stage in sums:
            plan.compute_at(stage, thread)
            plan.set_scope(stage, 0, "local")
            _share(plan, stage, parts)
        else:
            plan.compute_inline(stage)
    return tvm.IRModule({name: plan.mod["main"]}), outputs, parts


def _reductions(plan: Any, stage: Any) -> list[int]:
    """How far each of a stage's sums runs."""
    axes = plan.get(stage).iter_vars
    return [int(axis.dom.extent) for axis in axes if axis.iter_type == axis.CommReduce]


def _parts(plan: Any, sums: Sequence[Any], outputs: int, threads: int) -> int:
    """Threads that share a sum, a power of two: as many as the GPU has idle ones."""
    if len(sums) != 1:
        return 1
    reductions = _reductions(plan, sums[0])
    parts = 1
    while (
        2 * parts <= min(MOST_PARTS, reductions[-1])
        and 2 * parts * outputs <= threads
        and 2 * parts * LEAST_PRODUCTS <= math.prod(reductions)
    ):
        parts *= 2
    return parts


def _share(plan: Any, stage: Any, parts: int) -> None:
    """Split the innermost sum among threads, and unroll what a thread adds of it."""
    _, _, *own = plan.get_loops(stage)
    if not own:
        return
    inner = own[-1]
    if parts > 1:
        inner, part = plan.split(inner, [None, parts])
        plan.bind(part, "threadIdx.y")
    extent = int(plan.get(inner).extent)
    factor = max(n for n in range(1, min(UNROLLED, extent) + 1) if extent % n == 0)
    plan.unroll(plan.split(inner, [None, factor])[1])


def _cuda(tvm: Any, module: Any) -> str:
    """CUDA C of a module with one kernel, behind definitions of TVM's own."""
    target = tvm.target.Target({"kind": "cuda", "arch": "sm_53"}, host={"kind": "llvm"})
    built = tvm.tirx.build(module, target=target)
    (device,) = (each for each in built.imports if each.kind == "cuda")
    return str(device.inspect_source())
