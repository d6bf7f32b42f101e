"""The accelerator on a board: behind its serial line, at a clock made from its oscillator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import files as resource_files

from edgeflow.backends.fpga.verilog import Design
from edgeflow.errors import ToolFailedError
from edgeflow.targets.schema import Fpga, FpgaBoard, FpgaFamily

SERIAL = "edgeflow_serial"
TOP = "edgeflow_board"
CLIENT = "edgeflow_client.py"
_CONSTRAINTS = {FpgaFamily.ECP5: "board.lpf", FpgaFamily.ICE40: "board.pcf"}
# What the oscillators inside of the PLLs run at.
_VCO_HZ = {FpgaFamily.ECP5: (400e6, 800e6), FpgaFamily.ICE40: (533e6, 1066e6)}


@dataclass(frozen=True)
class Pll:
    """The PLL's factors, as `rtl/edgeflow_pll_*.v` take them."""

    multiply: int
    divide: int


def constraints_name(part: Fpga) -> str:
    """The file with the pins."""
    return _CONSTRAINTS[part.family]


def on_board(design: Design, part: Fpga, board: FpgaBoard, clock_hz: int) -> Design:
    """The design with serial line, PLL, pins and the client.

    Raises ToolFailedError where the PLL does not make the clock of the oscillator.
    """
    rtl = resource_files("edgeflow.backends.fpga") / "rtl"
    pll = pll_of(part.family, board.oscillator_hz, clock_hz)
    client = (resource_files("edgeflow.backends.fpga") / f"{CLIENT}.txt").read_text("utf-8")
    return replace(
        design,
        files={
            **design.files,
            f"{SERIAL}.v": (rtl / f"{SERIAL}.v").read_text("utf-8"),
            "edgeflow_pll.v": (rtl / f"edgeflow_pll_{part.family}.v").read_text("utf-8"),
            f"{TOP}.v": _top(pll, clock_hz // board.baud),
            constraints_name(part): _constraints(part, board),
            CLIENT: client.replace("@BAUD@", str(board.baud))
            .replace("@GIVEN@", str(design.given_bytes))
            .replace("@ANSWER@", str(design.answer_bytes)),
        },
    )


def pll_of(family: FpgaFamily, oscillator_hz: int, clock_hz: int) -> Pll:
    """The factors; the clock is met exactly."""
    low, high = _VCO_HZ[family]
    found = []
    if family is FpgaFamily.ECP5 and clock_hz % oscillator_hz == 0:
        divides = [n for n in range(2, 129, 2) if low <= clock_hz * n <= high]
        found = [Pll(clock_hz // oscillator_hz, n) for n in divides]
    if family is FpgaFamily.ICE40:
        for exponent in range(1, 7):
            multiply, rest = divmod(clock_hz << exponent, oscillator_hz)
            if rest == 0 and 1 <= multiply <= 128 and low <= oscillator_hz * multiply <= high:
                found.append(Pll(multiply, exponent))
    if not found:
        raise ToolFailedError(
            f"No PLL makes {clock_hz / 1e6:g} MHz of {oscillator_hz / 1e6:g} MHz.",
            hint="Choose another core.clock_hz in the target file, a multiple of the oscillator.",
        )
    return found[-1]


def _top(pll: Pll, divisor: int) -> str:
    return f"""// The whole design on the board: oscillator and serial line are its pins.

module {TOP} (
    input wire oscillator,
    input wire rx,
    output wire tx,
    output wire led
);
    wire clock, locked;
    edgeflow_pll #(.MULTIPLY({pll.multiply}), .DIVIDE({pll.divide})) pll (
        .oscillator(oscillator), .clock(clock), .locked(locked)
    );

    // Memories need some cycles after configuration.
    reg [7:0] started = 0;
    always @(posedge clock)
        if (!locked) started <= 0;
        else if (!(&started)) started <= started + 1'b1;

    edgeflow_serial #(.DIVISOR({divisor})) serial (
        .clock(clock), .reset(!(&started)), .rx(rx), .tx(tx), .busy(led)
    );
endmodule
"""


def _constraints(part: Fpga, board: FpgaBoard) -> str:
    if part.family is FpgaFamily.ICE40:
        return "".join(f"set_io {name} {pin}\n" for name, pin in board.pins.items())
    lines = [f'FREQUENCY PORT "oscillator" {board.oscillator_hz / 1e6:g} MHZ;']
    for name, pin in board.pins.items():
        lines += [f'LOCATE COMP "{name}" SITE "{pin}";', f'IOBUF PORT "{name}" IO_TYPE=LVCMOS33;']
    return "\n".join(lines) + "\n"
