"""A program that checks many models against the interpreter."""

from __future__ import annotations

import numpy as np

from edgeflow.graph.interpreter import run
from edgeflow.graph.ir import Graph
from tests.graph.strategies import Inputs

Case = tuple[Graph, Inputs]


def _array(name: str, values: np.ndarray) -> str:
    numbers = ", ".join(str(v) for v in values.reshape(-1).tolist())
    return f"static const int8_t {name}[{values.size}] = {{{numbers}}};\n"


def checking_main(cases: list[Case]) -> str:
    """A program that runs each model once and fails on the first output that differs."""
    declarations, calls = "#include <stdio.h>\n#include <string.h>\n#include <stdint.h>\n", ""
    for index, (graph, inputs) in enumerate(cases):
        expected = run(graph, inputs)[graph.outputs[0]]
        x = inputs[graph.inputs[0]]
        p = f"g{index}_"
        declarations += f"int8_t *{p}edgeflow_input(void);\nvoid {p}edgeflow_invoke(void);\n"
        declarations += f"const int8_t *{p}edgeflow_output(void);\n"
        declarations += _array(f"{p}x", x) + _array(f"{p}y", expected)
        calls += f"    memcpy({p}edgeflow_input(), {p}x, {x.size});\n    {p}edgeflow_invoke();\n"
        calls += f"    if (memcmp({p}edgeflow_output(), {p}y, {expected.size})) {{\n"
        calls += f'        puts("model {index} differs");\n        return 1;\n    }}\n'
    return f"{declarations}int main(void)\n{{\n{calls}    return 0;\n}}\n"
