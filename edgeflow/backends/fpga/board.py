"""The accelerator on a board: behind its link, at a clock made from its oscillator."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import files as resource_files

from edgeflow.backends.fpga.verilog import Design
from edgeflow.errors import ToolFailedError
from edgeflow.targets.schema import BoardLink, Fpga, FpgaBoard, FpgaFamily

SERIAL = "edgeflow_serial"
SPI = "edgeflow_spi"
# Cycles that a period of SCK takes at least.
SPI_CYCLES = 16
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


@dataclass(frozen=True)
class _Link:
    """A link's module, its ports beside clock and reset, its parameters, and its client."""

    module: str
    inputs: tuple[str, ...]
    output: str
    parameters: str
    client: str


_LINKS = {
    BoardLink.SERIAL: _Link(
        SERIAL, ("rx",), "tx", " #(.DIVISOR({divisor}))", "edgeflow_client.py.txt"
    ),
    BoardLink.SPI: _Link(SPI, ("sck", "cs_n", "mosi"), "miso", "", "edgeflow_spi_client.py.txt"),
}


def constraints_name(part: Fpga) -> str:
    """The file with the pins."""
    return _CONSTRAINTS[part.family]


def on_board(design: Design, part: Fpga, board: FpgaBoard, clock_hz: int) -> Design:
    """The design with the board's link, PLL, pins and the client.

    Raises ToolFailedError where the PLL does not make the clock of the oscillator.
    """
    rtl = resource_files("edgeflow.backends.fpga") / "rtl"
    pll = pll_of(part.family, board.oscillator_hz, clock_hz)
    link = _LINKS[board.link]
    words = {
        "@BAUD@": str(board.baud),
        "@HERTZ@": str(clock_hz // SPI_CYCLES),
        "@GIVEN@": str(design.given_bytes),
        "@ANSWER@": str(design.answer_bytes),
    }
    client = (resource_files("edgeflow.backends.fpga") / link.client).read_text("utf-8")
    for word, value in words.items():
        client = client.replace(word, value)
    return replace(
        design,
        files={
            **design.files,
            f"{link.module}.v": (rtl / f"{link.module}.v").read_text("utf-8"),
            "edgeflow_pll.v": (rtl / f"edgeflow_pll_{part.family}.v").read_text("utf-8"),
            f"{TOP}.v": _top(pll, link, clock_hz // max(1, board.baud)),
            constraints_name(part): _constraints(part, board),
            CLIENT: client,
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


def _top(pll: Pll, link: _Link, divisor: int) -> str:
    pins = "".join(f"    input wire {name},\n" for name in link.inputs)
    ports = ", ".join(f".{name}({name})" for name in (*link.inputs, link.output))
    return f"""// The whole design on the board: oscillator and link are its pins.

module {TOP} (
    input wire oscillator,
{pins}    output wire {link.output},
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

    {link.module}{link.parameters.format(divisor=divisor)} link (
        .clock(clock), .reset(!(&started)), {ports}, .busy(led)
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
