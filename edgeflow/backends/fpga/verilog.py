"""The files of an accelerator: the Verilog of `rtl/`, its headers and its memories' contents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files as resource_files

from edgeflow.backends.fpga.description import Widths, fields, images, values, widths
from edgeflow.backends.fpga.layer import Network
from edgeflow.backends.fpga.schedule import Schedule, schedule
from edgeflow.backends.fpga.weights import MODULE as WEIGHTS
from edgeflow.backends.fpga.weights import weight_files

CORE_FILES = (
    "edgeflow_core.v",
    "edgeflow_walk.v",
    "edgeflow_lane.v",
    "edgeflow_product.v",
    "edgeflow_requantize.v",
    "edgeflow_ram.v",
    "edgeflow_rom.v",
)
CORE_SOURCES = (*CORE_FILES, f"{WEIGHTS}.v")
CORE = "edgeflow_core"


@dataclass(frozen=True, eq=False)
class Design:
    """An accelerator as text, with its exact cycles.

    Files ending in .v are compiled, .vh included, .hex read by $readmemh; bytes go in and out in
    the order of the graph's tensors. `cycles` are from the last byte of the input to the first one
    of the answer, `layer_cycles` those until the next layer begins, by node. A network in space has
    no `lanes`: every product is logic of its own.
    """

    files: Mapping[str, str]
    given_bytes: int
    answer_bytes: int
    useful_macs: int
    lanes: int | None
    cycles: int
    layer_cycles: Mapping[str, int]

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of its Verilog files."""
        return tuple(sorted(name for name in self.files if name.endswith(".v")))

    @property
    def macs_per_lane_and_cycle(self) -> float | None:
        """Products of the network for each lane and cycle, where there are lanes."""
        return self.useful_macs / self.lanes / self.cycles if self.lanes else None


def design_of(network: Network, half: int, soft_lanes: bool = False) -> Design:
    """The design for hardware multipliers of `half` unsigned bits on each side.

    With `soft_lanes` they are left to the requantization, and lanes multiply in logic.
    """
    plan = schedule(network.layers, network.features, network.given, network.lanes)
    found = widths(network, plan, half)
    contents = images(network, found)
    digits = network.lanes * found.weight, found.multiplier + found.offset + found.turn
    text = {name: _text(name) for name in CORE_FILES}
    text["edgeflow_network.vh"] = _network(network, plan, found, soft_lanes)
    text["edgeflow_fields.vh"] = _fields(found)
    text |= weight_files(contents.weights, digits[0], found.weight_address)
    text["constants.hex"] = _hex(contents.constants, digits[1])
    if contents.left:
        text["left.hex"] = _hex(contents.left, found.table_value)
        text["right.hex"] = _hex(contents.right, found.table_value)
    given, answer = network.features[network.given], network.features[network.answer]
    return Design(
        files=text,
        given_bytes=given.height * given.width * given.channels,
        answer_bytes=answer.height * answer.width * answer.channels,
        useful_macs=sum(layer.useful_macs for layer in network.layers),
        lanes=network.lanes,
        cycles=plan.cycles,
        layer_cycles=_layer_cycles(network, plan),
    )


def _layer_cycles(network: Network, plan: Schedule) -> dict[str, int]:
    """All cycles, shared out: the first layer has those before it, the last one those behind."""
    firsts = [timing.first for timing in plan.timings]
    ends = [*firsts[1:], plan.cycles]
    return {
        layer.name: end - begin
        for layer, begin, end in zip(network.layers, [0, *firsts[1:]], ends, strict=True)
    }


def _text(name: str) -> str:
    return (resource_files("edgeflow.backends.fpga") / "rtl" / name).read_text("utf-8")


def _hex(words: Iterable[int], bits: int) -> str:
    digits = -(-bits // 4)
    return "".join(f"{word:0{digits}x}\n" for word in words)


def _network(network: Network, plan: Schedule, found: Widths, soft_lanes: bool) -> str:
    contents = images(network, found)
    given, answer = network.features[network.given], network.features[network.answer]
    described = fields(found)
    parameters = {
        "LANES": network.lanes,
        "LANE_BITS": network.lanes.bit_length() - 1,
        "LAYERS": len(network.layers),
        "LAYER_BITS": found.layer,
        "DESCRIPTION_BITS": sum(field.bits for field in described),
        "ADDRESS_BITS": found.address,
        "MEMORY_WORDS": network.memory_words,
        "WEIGHT_BITS": found.weight_address,
        "WEIGHT_WIDTH": found.weight,
        "COUNT_BITS": found.count,
        "PLACE_BITS": found.place,
        "PAUSE_BITS": found.pause,
        "WAIT_BITS": found.wait,
        "CHANNEL_BITS": found.channel,
        "CHANNELS": len(contents.constants),
        "CONSTANT_BITS": found.multiplier + found.offset + found.turn,
        "SUM_BITS": found.sum,
        "MULTIPLIER_BITS": found.multiplier,
        "OFFSET_BITS": found.offset,
        "TURN_BITS": found.turn,
        "HAS_TURNS": int(any(int(each.turns.max()) for each in network.scalings)),
        "WIDE_BITS": found.wide,
        "HALF": found.half,
        "SOFT_LANES": int(soft_lanes),
        "SHIFT": network.shift,
        "TABLES": len(contents.left) // 256,
        "TABLE_BITS": found.table,
        "TABLE_WIDTH": found.table_value,
        "GIVEN_BASE": network.places[network.given],
        "GIVEN_WORDS": given.words(network.lanes),
        "GIVEN_CHANNELS": given.channels,
        "ANSWER_BASE": network.places[network.answer],
        "ANSWER_WORDS": answer.words(network.lanes),
        "ANSWER_CHANNELS": answer.channels,
    }
    lines = ["// The network: sizes, and a description of each layer.", ""]
    lines += [f"    localparam {name} = {value};" for name, value in parameters.items()]
    lines += [
        "",
        "    function [DESCRIPTION_BITS-1:0] layer_description(input [LAYER_BITS-1:0] number);",
    ]
    lines += ["        case (number)"]
    width = parameters["DESCRIPTION_BITS"]
    bases = zip(contents.weight_bases, contents.constant_bases, contents.table_numbers, strict=True)
    rows = list(zip(network.layers, plan.timings, bases, strict=True))
    for number, (layer, timing, base) in enumerate(rows):
        given_values = values(network, layer, timing, base)
        word, place = 0, 0
        for field in described:
            word |= (given_values[field.name] & ((1 << field.bits) - 1)) << place
            place += field.bits
        # The last layer answers for all numbers that do not occur.
        case = "default" if number == len(rows) - 1 else str(number)
        lines.append(f"            // {layer.kind} {layer.loops}".replace("Loops", ""))
        lines.append(f"            {case}: layer_description = {width}'h{word:x};")
    lines += ["        endcase", "    endfunction", ""]
    return "\n".join(lines)


def _fields(found: Widths) -> str:
    lines = ["// The numbers in a layer's description."]
    place = 0
    for field in fields(found):
        sign = "signed " if field.signed else ""
        bits = f"[{field.bits - 1}:0]"
        slice_ = f"description[{place} +: {field.bits}]"
        lines.append(f"    wire {sign}{bits} f_{field.name} = {slice_};")
        place += field.bits
    return "\n".join(lines) + "\n"
