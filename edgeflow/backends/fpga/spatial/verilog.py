"""A network in space as Verilog-2001: a module for each layer's kernel, and their copies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files as resource_files

from edgeflow.backends.fpga.implementation import SUMS
from edgeflow.backends.fpga.spatial.arrangement import Arrangement, Element, Part, size
from edgeflow.backends.fpga.spatial.flow import (
    Clamped,
    Constant,
    Entry,
    Given,
    Largest,
    Operation,
    Shifted,
    Sum,
    Turned,
    Value,
    sources,
)
from edgeflow.backends.fpga.spatial.kernel import Form, Kernel
from edgeflow.backends.fpga.spatial.stages import Stages, used_values
from edgeflow.backends.fpga.verilog import CORE, Design

NETWORK = "edgeflow_spatial"
_SHELL = "edgeflow_spatial_core.v"


def spatial_design(arrangement: Arrangement) -> Design:
    """The design; `edgeflow_core` is its top, `edgeflow_spatial` takes an input every cycle."""
    sizes = arrangement.features[arrangement.given], arrangement.features[arrangement.answer]
    return Design(
        files=_texts(arrangement),
        given_bytes=size(sizes[0]),
        answer_bytes=size(sizes[1]),
        useful_macs=sum(part.layer.useful_macs for part in arrangement.parts),
        lanes=None,
        # A cycle more until the first byte of the answer is there.
        cycles=arrangement.cycles + 1,
        layer_cycles=_layer_cycles(arrangement),
    )


def _layer_cycles(arrangement: Arrangement) -> dict[str, int]:
    """Cycles of each layer; those of layers side by side do not add up. The last one sends."""
    found = {part.layer.name: part.stages.cycles for part in arrangement.parts}
    if arrangement.parts:
        found[arrangement.parts[-1].layer.name] += 1
    return found


def _texts(arrangement: Arrangement) -> dict[str, str]:
    rtl = resource_files("edgeflow.backends.fpga") / "rtl"
    found = {
        f"{CORE}.v": (rtl / _SHELL).read_text("utf-8"),
        f"{NETWORK}.v": _network(arrangement),
        SUMS: (rtl / SUMS).read_text("utf-8"),
    }
    for number, part in enumerate(arrangement.parts):
        found[f"{_layer(number)}.v"] = _kernel(_layer(number), part.kernel, part.stages)
    sizes = {
        "GIVEN_BYTES": size(arrangement.features[arrangement.given]),
        "ANSWER_BYTES": size(arrangement.features[arrangement.answer]),
        "CYCLES": arrangement.cycles,
    }
    lines = ["// Sizes of the network, in bytes, and the cycles that it takes."]
    lines += [f"    localparam {name} = {value};" for name, value in sizes.items()]
    found["edgeflow_network.vh"] = "\n".join(lines) + "\n"
    return found


def _layer(number: int) -> str:
    return f"edgeflow_layer_{number}"


def _declared(kind: str, name: str, value: Value) -> str:
    sign = "signed " if value.is_signed else ""
    return f"{kind} {sign}[{value.bits - 1}:0] {name}"


def _kernel(name: str, kernel: Kernel, stages: Stages) -> str:
    given_bits = sum(form.bits for form in kernel.given)
    answer_bits = kernel.result.bits * len(kernel.outputs)
    lines = [
        f"// {kernel.name.replace(chr(10), ' ')}: one place, results after {stages.cycles} cycles.",
        "",
        f"module {name} (",
        "    input wire clock,",
        f"    input wire [{given_bits - 1}:0] given,",
        f"    output wire [{answer_bits - 1}:0] answer",
        ");",
    ]
    used = used_values(kernel)
    values = kernel.values
    held = set(stages.registers)
    for stage in range(stages.cycles + 1):
        lines.append(f"    // stage {stage}")
        copies = [number for number, at in stages.registers if at == stage]
        lines += [f"    {_declared('reg', f'v{n}_{stage}', values[n])};" for n in copies]
        if copies:
            lines.append("    always @(posedge clock) begin")
            lines += [
                f"        v{n}_{stage} <= {_name(n, stage - 1, stages, held)};" for n in copies
            ]
            lines.append("    end")
        for number in used:
            value = values[number]
            if stages.stage[number] != stage or isinstance(value.operation, Constant):
                continue
            lines += _assigned(kernel, number, stage, stages, held)
    for place, number in enumerate(kernel.outputs):
        bits = kernel.result.bits
        target = f"answer[{bits * place + bits - 1}:{bits * place}]"
        lines.append(f"    assign {target} = {_result(values, number, stages, held)};")
    lines += ["endmodule", ""]
    return "\n".join(lines)


def _name(number: int, stage: int, stages: Stages, held: set[tuple[int, int]]) -> str:
    return f"v{number}_{stage}" if (number, stage) in held else f"v{number}"


def _result(
    values: Sequence[Value], number: int, stages: Stages, held: set[tuple[int, int]]
) -> str:
    operation = values[number].operation
    if isinstance(operation, Constant):
        return str(operation.number)
    return _name(number, stages.cycles, stages, held)


def _assigned(
    kernel: Kernel, number: int, stage: int, stages: Stages, held: set[tuple[int, int]]
) -> list[str]:
    value = kernel.values[number]
    operation = value.operation
    if isinstance(operation, Entry):
        return _case(kernel, number, operation, _name(operation.source, stage, stages, held))
    read = {
        source: _operand(kernel.values[source], _name(source, stage, stages, held))
        for source in sources(operation)
    }
    return [
        f"    {_declared('wire', f'v{number}', value)} = {_expression(operation, kernel, read)};"
    ]


def _operand(value: Value, name: str) -> str:
    """A value in a signed expression."""
    if isinstance(value.operation, Constant):
        return _literal(value.operation.number)
    return name if value.is_signed else f"$signed({{1'b0, {name}}})"


def _literal(number: int) -> str:
    bits = max(number.bit_length(), (-number - 1).bit_length() if number < 0 else 0) + 1
    return f"-{bits}'sd{-number}" if number < 0 else f"{bits}'sd{number}"


def _expression(operation: Operation, kernel: Kernel, read: dict[int, str]) -> str:
    match operation:
        case Given(index):
            first = sum(form.bits for form in kernel.given[:index])
            return f"given[{first + kernel.given[index].bits - 1}:{first}]"
        case Sum():
            left = _shifted_left(read[operation.left], operation.left_shift)
            right = _shifted_left(read[operation.right], operation.right_shift)
            return f"{left} {'-' if operation.subtract else '+'} {right}"
        case Shifted(source, bits):
            return f"{read[source]} >>> {bits}"
        case Turned(source, bound, taken):
            text = read[source]
            zero = _literal(0)
            return f"{text} - ({text} < {_literal(bound)} ? {_literal(taken)} : {zero})"
        case Clamped(source, low, high):
            value, text = kernel.values[source], read[source]
            below = f"{text} < {_literal(low)} ? {_literal(low)} : " if value.low < low else ""
            above = f"{text} > {_literal(high)} ? {_literal(high)} : " if value.high > high else ""
            return f"{below}{above}{text}"
        case Largest(left_number, right_number):
            left, right = read[left_number], read[right_number]
            return f"{left} > {right} ? {left} : {right}"
        case _:
            raise AssertionError(f"no expression for {operation}")


def _shifted_left(text: str, bits: int) -> str:
    return f"({text} <<< {bits})" if bits else text


def _case(kernel: Kernel, number: int, operation: Entry, read: str) -> list[str]:
    """A table as a case statement."""
    value, source = kernel.values[number], kernel.values[operation.source]
    mask, width = (1 << value.bits) - 1, source.bits
    places = {(source.low + n) & ((1 << width) - 1): n for n in range(len(operation.table))}
    rows = [
        f"            {width}'d{place}: v{number} = {value.bits}'d{operation.table[n] & mask};"
        for place, n in places.items()
    ]
    return [
        f"    {_declared('reg', f'v{number}', value)};",
        "    always @* begin",
        f"        case ({read})",
        *rows,
        f"            default: v{number} = {value.bits}'d0;",
        "        endcase",
        "    end",
    ]


def _network(arrangement: Arrangement) -> str:
    given, answer = arrangement.given, arrangement.answer
    names = {name: f"t{number}" for number, name in enumerate(arrangement.times)}
    given_count = size(arrangement.features[given])
    answer_count = size(arrangement.features[answer])
    lines = [
        "// The network: an input in every cycle, its answer some cycles later.",
        "",
        f"module {NETWORK} (",
        "    input wire clock,",
        f"    input wire [{8 * given_count - 1}:0] given,",
        f"    output wire [{8 * answer_count - 1}:0] answer",
        ");",
        "    genvar n;",
    ]
    for name, label in names.items():
        bits = arrangement.forms[name].bits * size(arrangement.features[name])
        lines.append(f"    wire [{bits - 1}:0] {label}; // {name}")
    lines += _given(names[given], arrangement.forms[given], given_count)
    lines += _delays(arrangement, names)
    for number, part in enumerate(arrangement.parts):
        lines += _places(arrangement, part, number, names)
    lines += _answer(names[answer], arrangement.forms[answer], answer_count)
    return "\n".join([*lines, "endmodule", ""])


def _given(label: str, form: Form, count: int) -> list[str]:
    """Bytes to the form in which values travel."""
    slice_ = f"{label}[{form.bits}*n +: {form.bits}]"
    return [
        f"    generate for (n = 0; n < {count}; n = n + 1) begin : givens",
        f"        assign {slice_} = $signed(given[8*n +: 8]) - {_literal(form.zero)};",
        "    end endgenerate",
    ]


def _answer(label: str, form: Form, count: int) -> list[str]:
    value = f"{label}[{form.bits}*n +: {form.bits}]"
    value = f"$signed({value})" if form.is_signed else f"$signed({{1'b0, {value}}})"
    return [
        f"    generate for (n = 0; n < {count}; n = n + 1) begin : answers",
        f"        assign answer[8*n +: 8] = {value} + {_literal(form.zero)};",
        "    end endgenerate",
    ]


def _delays(arrangement: Arrangement, names: dict[str, str]) -> list[str]:
    """Registers for tensors that wait for another one."""
    lines = []
    for name, label in names.items():
        reads = [part.time for part in arrangement.parts if name in part.layer.inputs]
        ready = arrangement.times[name]
        bits = arrangement.forms[name].bits * size(arrangement.features[name])
        for waited in range(1, max(reads, default=ready) - ready + 1):
            before = label if waited == 1 else f"{label}_{waited - 1}"
            lines.append(f"    reg [{bits - 1}:0] {label}_{waited};")
            lines.append(f"    always @(posedge clock) {label}_{waited} <= {before};")
    return lines


def _places(
    arrangement: Arrangement, part: Part, number: int, names: dict[str, str]
) -> Iterable[str]:
    bits = part.kernel.result.bits
    result, count = names[part.layer.output], len(part.kernel.outputs)
    for index, place in enumerate(part.places):
        first = bits * place.first
        given = _joined(arrangement, part, place.inputs, names)
        yield (
            f"    {_layer(number)} layer_{number}_{index} (.clock(clock), "
            f".answer({result}[{first + bits * count - 1}:{first}]),"
        )
        yield f"        .given({{{given}}}));"


def _joined(
    arrangement: Arrangement, part: Part, inputs: Sequence[Element], names: dict[str, str]
) -> str:
    """A concatenation, the first input in the last bits; neighbours are one slice."""
    runs: list[tuple[str, int | None, int]] = []
    for element in inputs:
        if runs:
            tensor, first, count = runs[-1]
            follows = first is not None and element.index == first + count
            if tensor == element.tensor and (follows or first is None is element.index):
                runs[-1] = tensor, first, count + 1
                continue
        runs.append((element.tensor, element.index, 1))
    return ", ".join(_run(arrangement, part, *run, names) for run in reversed(runs))


def _run(
    arrangement: Arrangement,
    part: Part,
    tensor: str,
    first: int | None,
    count: int,
    names: dict[str, str],
) -> str:
    bits = arrangement.forms[tensor].bits
    if first is None:
        return f"{{{count}{{{bits}'d{part.padding & ((1 << bits) - 1)}}}}}"
    waited = part.time - arrangement.times[tensor]
    label = names[tensor] if waited == 0 else f"{names[tensor]}_{waited}"
    return f"{label}[{bits * (first + count) - 1}:{bits * first}]"
