"""Hypothesis strategies for legal integer graphs and their inputs.

`single_operator(kind)` draws one operator with everything that varies in it, `graphs()` several
nodes with branches, `graph_and_input()` graphs with int8 inputs. All that is drawn passes
`edgeflow.graph.checker.check`.

What LiteRT cannot run, or leaves undefined, and is therefore not drawn:

* `Dialect.TFLITE` (the default): paddings of pooling are SAME or VALID, as `.tflite` has no others.
  `Dialect.EDGEFLOW` draws explicit ones too.
* What the checker refuses because LiteRT's reference aborts, refuses, or leaves int32: ADD with
  2 * max(input scales) >= 2**20 * output scale; SOFTMAX with beta * input scale <= 2**-26 or over
  more than 511 entries; RELU6 with an output scale up to 6 / 2**31; accumulators and left shifts
  that overflow.
* ADD, MUL and CONCATENATION of constants alone, which LiteRT computes when it loads a model.
"""

from __future__ import annotations

import numpy as np
from hypothesis import reject
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgeflow.errors import GraphError
from edgeflow.graph.checker import check
from edgeflow.graph.ir import Graph, OpKind, Tensor
from tests.graph.builder import GraphBuilder, Shape
from tests.graph.operator_strategies import (
    IMAGE_OPERATORS,
    OPERATORS,
    SEEDS,
    Dialect,
    Drawing,
    quantization,
)

__all__ = ["Dialect", "graph_and_input", "graphs", "inputs_for", "single_operator"]

Inputs = dict[str, NDArray[np.int8]]

MAX_ELEMENTS = 4096


@st.composite
def single_operator(
    draw: st.DrawFn,
    kind: OpKind,
    max_inputs: int = 2,
    dialect: Dialect = Dialect.TFLITE,
) -> Graph:
    """A graph of one operator (FULLY_CONNECTED may have a RESHAPE before it)."""
    d = Drawing(draw, GraphBuilder(), dialect, max_inputs)
    rank = 4 if kind in IMAGE_OPERATORS else draw(st.integers(2, 4))
    x = d.builder.input(_shape(draw, rank), quantization(d))
    return _checked(d, [_appended(d, kind, x).name])


@st.composite
def graphs(
    draw: st.DrawFn,
    max_nodes: int = 6,
    max_inputs: int = 1,
    max_outputs: int = 1,
    dialect: Dialect = Dialect.TFLITE,
) -> Graph:
    """A graph of several operators with branches; the last one drawn is always an output."""
    d = Drawing(draw, GraphBuilder(), dialect, max_inputs)
    reachable = [d.builder.input(_shape(draw, 4), quantization(d))]
    for _ in range(draw(st.integers(1, max_nodes))):
        # The newest tensor half of the time makes the graph deep, the others make it branch.
        x = draw(st.one_of(st.just(reachable[-1]), st.sampled_from(reachable)))
        kinds = [k for k in OpKind if _applies(k, x)]
        output = _appended(d, draw(st.sampled_from(kinds)), x)
        if np.prod(output.shape) <= MAX_ELEMENTS:
            reachable.append(output)
    produced = [t.name for t in reachable[1:]]
    if not produced:
        reject()
    last, others = produced[-1], [name for name in d.builder.leaves() if name in produced[:-1]]
    extra = draw(st.integers(0, min(len(others), max_outputs - 1)))
    return _checked(d, [last, *others[:extra]])


@st.composite
def inputs_for(draw: st.DrawFn, graph: Graph, batch: int = 1) -> Inputs:
    """int8 arrays [batch, ...] by input name: random, at the ends of the range, or ramps."""
    examples = {
        name: [_values(draw, graph.tensors[name].shape) for _ in range(batch)]
        for name in graph.inputs
    }
    return {name: np.concatenate(values) for name, values in examples.items()}


@st.composite
def graph_and_input(
    draw: st.DrawFn,
    source: st.SearchStrategy[Graph] | None = None,
    batch: int = 1,
) -> tuple[Graph, Inputs]:
    """A graph of `source` (default: `graphs()`) and inputs for it by name, [batch, ...]."""
    graph = draw(graphs() if source is None else source)
    return graph, draw(inputs_for(graph, batch))


def _appended(d: Drawing, kind: OpKind, x: Tensor) -> Tensor:
    try:
        return OPERATORS[kind](d, x)
    except GraphError:
        reject()


def _applies(kind: OpKind, x: Tensor) -> bool:
    if len(x.shape) < 2:
        return kind in (OpKind.LOGISTIC, OpKind.RELU, OpKind.RELU6, OpKind.QUANTIZE, OpKind.ADD)
    return len(x.shape) == 4 or kind not in IMAGE_OPERATORS


def _checked(d: Drawing, outputs: list[str]) -> Graph:
    graph = d.builder.build(outputs)
    try:
        check(graph)
    except GraphError:
        reject()
    return graph


def _shape(draw: st.DrawFn, rank: int) -> Shape:
    if rank == 2:
        return (1, draw(st.integers(1, 64)))
    if rank == 3:
        return (1, draw(st.integers(1, 12)), draw(st.integers(1, 12)))
    sides = st.integers(1, 9)
    return (1, draw(sides), draw(sides), draw(st.integers(1, 6)))


_STYLES = ["range"] * 8 + ["ends", "ramp", "lowest", "highest"]


def _values(draw: st.DrawFn, shape: Shape) -> NDArray[np.int8]:
    rng = np.random.default_rng(draw(SEEDS))
    match draw(st.sampled_from(_STYLES)):
        case "ends":
            return rng.choice(np.array([-128, 127], np.int8), size=shape)
        case "lowest":
            return np.full(shape, -128, np.int8)
        case "highest":
            return np.full(shape, 127, np.int8)
        case "ramp":
            return (np.arange(np.prod(shape)) % 256 - 128).astype(np.int8).reshape(shape)
        case _:
            return rng.integers(-128, 128, size=shape, dtype=np.int8)
