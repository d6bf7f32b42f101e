"""Integer graph to `.tflite` bytes.

Weights of 4, 3 and 2 bits are written as INT4, those of 5 to 7 bits as INT8. A width that is not
that of the type goes into a metadata entry that runtimes ignore: the schema has no narrower types.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import tflite

from edgeflow.exchange.narrow_weights import packed
from edgeflow.exchange.tflite_options import builtin_code, operator_version, write_options
from edgeflow.exchange.tflite_plan import INT4_BITS, FilePlan, PlannedOperator, plan_file
from edgeflow.exchange.tflite_store import StoredFile, StoredOperator, StoredTensor, to_bytes
from edgeflow.graph.ir import DType, Graph, Tensor

_TENSOR_TYPES: Mapping[DType, int] = {
    DType.INT8: tflite.TensorType.INT8,
    DType.INT32: tflite.TensorType.INT32,
}


def write_graph(graph: Graph) -> bytes:
    """The graph as a `.tflite` file; equal graphs give equal bytes.

    Raises GraphError where TensorFlow Lite has no equal (see `tflite_plan`).
    """
    plan = plan_file(graph)
    return to_bytes(
        StoredFile(
            name=plan.graph_name,
            tensors={name: _stored(plan, tensor) for name, tensor in plan.tensors.items()},
            operators=tuple(stored_operator(plan, each) for each in plan.operators),
            inputs=plan.inputs,
            outputs=plan.outputs,
            metadata=plan.metadata,
        )
    )


def stored_operator(plan: FilePlan, operator: PlannedOperator) -> StoredOperator:
    """An operator with its code, version and options."""
    node = operator.node
    return StoredOperator(
        code=builtin_code(node.kind),
        version=operator_version(plan.tensors, plan.int4, node),
        operands=operator.operands,
        results=node.outputs,
        options=partial(write_options, tensors=plan.tensors, node=node, scheme=operator.scheme),
    )


def little_endian(tensor: Tensor) -> bytes:
    """The elements of a constant."""
    assert tensor.data is not None
    return tensor.data.astype(tensor.data.dtype.newbyteorder("<")).tobytes()


def integer_type(dtype: DType) -> int:
    """The `tflite.TensorType` of elements that are not packed."""
    return _TENSOR_TYPES[dtype]


def _stored(plan: FilePlan, tensor: Tensor) -> StoredTensor:
    narrow = tensor.name in plan.int4
    payload = None
    if tensor.is_constant:
        payload = _int4(tensor) if narrow else little_endian(tensor)
    type_ = tflite.TensorType.INT4 if narrow else _TENSOR_TYPES[tensor.dtype]
    return StoredTensor(tensor.shape, type_, tensor.quantization, payload)


def _int4(tensor: Tensor) -> bytes:
    assert tensor.data is not None
    return packed(tensor.data.astype(np.int8), INT4_BITS)
