"""What a network in space takes of a device, estimated before anything is synthesized."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edgeflow.backends.fpga.layer import Feature, Layer
from edgeflow.backends.fpga.spatial.arrangement import Arrangement, place_count, size
from edgeflow.backends.fpga.spatial.flow import (
    Clamped,
    Entry,
    Largest,
    Operation,
    Sum,
    Turned,
    Value,
)
from edgeflow.backends.fpga.spatial.products import digits
from edgeflow.backends.fpga.spatial.stages import used_values
from edgeflow.errors import DoesNotFitError
from edgeflow.targets.schema import Fpga

# Of networks of one dense layer to several convolutions 5 to 7 tables remain of a signed digit,
# after sharing: fewer than this no network takes.
_LEAST_LUTS_PER_DIGIT = 3
# A table of 256 entries for each bit of the result, in logic of four inputs.
_LUTS_PER_ENTRY = 1 / 12


@dataclass(frozen=True)
class Cost:
    """Look-up tables and flip-flops, estimated."""

    luts: int
    flip_flops: int


def cost_of(arrangement: Arrangement, chain_luts: int) -> Cost:
    """Of a network in space: an adder takes a table for each bit that it changes, and its ends."""
    luts = flip_flops = 0
    for part in arrangement.parts:
        values = part.kernel.values
        alone = sum(_luts(values[n], values, chain_luts) for n in used_values(part.kernel))
        luts += alone * len(part.places)
        flip_flops += part.stages.register_bits(values) * len(part.places)
    sizes = arrangement.features[arrangement.given], arrangement.features[arrangement.answer]
    flip_flops += 8 * sum(size(each) for each in sizes)
    return Cost(luts, flip_flops + _waiting(arrangement))


def require_room(layers: Iterable[Layer], features: Mapping[str, Feature], part: Fpga) -> None:
    """Raise DoesNotFitError where a network is beyond doubt too large, before hours of work."""
    found = 0
    for layer in layers:
        if layer.weights is not None:
            copies = place_count(layer, features[layer.output])
            found += digits(layer.weights.astype("int64")) * copies
    least = _LEAST_LUTS_PER_DIGIT * found
    if least > part.luts:
        raise _too_large(
            f"its weights have {found:,} signed digits in all places, which take more than "
            f"{least:,} LUTs (estimated)",
            part,
        )


def require_fit(cost: Cost, part: Fpga) -> None:
    """Raise DoesNotFitError where a network in space takes more than the device has."""
    if cost.luts > part.luts or cost.flip_flops > part.luts:
        raise _too_large(
            f"it takes {cost.luts:,} LUTs and {cost.flip_flops:,} flip-flops (estimated)", part
        )


def _too_large(why: str, part: Fpga) -> DoesNotFitError:
    return DoesNotFitError(
        f"The network does not fit {part.family} {part.device} in space: {why}; "
        f"the device has {part.luts:,}.",
        hint="Build it folded (leave --style out), or make it smaller: fewer weight bits, "
        "[prune] with structure = 'weights', fewer channels.",
    )


def _waiting(arrangement: Arrangement) -> int:
    """Bits of tensors that wait for another one."""
    found = 0
    for name, ready in arrangement.times.items():
        reads = [part.time for part in arrangement.parts if name in part.layer.inputs]
        bits = arrangement.forms[name].bits * size(arrangement.features[name])
        found += bits * (max(reads, default=ready) - ready)
    return found


def _luts(value: Value, values: tuple[Value, ...], ends: int) -> int:
    operation: Operation = value.operation
    match operation:
        case Sum():
            passed = 0 if operation.subtract else operation.left_shift
            return ends + max(0, value.bits - max(operation.right_shift, passed))
        case Clamped(source) | Turned(source) | Largest(source):
            return 2 * ends + values[source].bits // 2 + value.bits
        case Entry():
            return round(len(operation.table) * _LUTS_PER_ENTRY * value.bits)
        case _:
            return 0
