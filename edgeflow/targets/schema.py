"""The target schema, version 1: frozen values read from one TOML file per target."""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edgeflow.graph.ir import OpKind

SCHEMA_VERSION = 1


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TargetFamily(StrEnum):
    """What sort of device a target is; it decides which backends apply."""

    MICROCONTROLLER = "microcontroller"
    LINUX = "linux"
    FPGA = "fpga"
    HLS = "hls"
    """A vendor's high-level synthesis: the artifact is a project for it."""


class FpgaFamily(StrEnum):
    """FPGAs that share tools."""

    ECP5 = "ecp5"
    ICE40 = "ice40"


class HlsCompiler(StrEnum):
    """Vendors' compilers for which there are projects, by the name of hls4ml's backend."""

    VITIS = "Vitis"
    QUARTUS = "Quartus"
    CATAPULT = "Catapult"


class KernelSet(StrEnum):
    """The implementation of the operators that generated code uses, one per ISA."""

    PORTABLE_C = "portable-c"
    DSP_C = "dsp-c"
    MVE_C = "mve-c"
    X86_C = "x86-c"
    NEON_C = "neon-c"


class RunnerKind(StrEnum):
    """Where artifacts for the target run here."""

    UNICORN = "unicorn"
    QEMU = "qemu"
    HOST = "host"
    QEMU_USER = "qemu-user"
    VERILATOR = "verilator"
    HLS_CPP = "hls-c++"


class MemoryKind(StrEnum):
    """What a memory region holds; the storage of a Linux system is its flash."""

    FLASH = "flash"
    RAM = "ram"


class InstructionSet(StrEnum):
    """Families of instruction sets that differ in startup code and in how a core is emulated."""

    THUMB = "thumb"
    RISCV = "riscv"
    AARCH64 = "aarch64"
    X86_64 = "x86-64"


class Core(_Value):
    """The processor: instruction set, features, number of cores and clock in Hz."""

    name: str = Field(min_length=1)
    architecture: str = Field(min_length=1)
    count: int = Field(default=1, ge=1)
    clock_hz: int = Field(gt=0)
    features: tuple[str, ...] = ()

    @property
    def instruction_set(self) -> InstructionSet:
        """The family that the architecture's name says; Armv…-A is AArch64, other Armv… Thumb."""
        if self.architecture.startswith("x86-64"):
            return InstructionSet.X86_64
        if self.architecture.startswith("RV32"):
            return InstructionSet.RISCV
        return InstructionSet.AARCH64 if self.architecture[-2:] == "-A" else InstructionSet.THUMB


class MemoryRegion(_Value):
    """One contiguous region: its address and its size in bytes.

    Where an operating system gives out memory, regions have no address: `origin` stays 0.
    """

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    kind: MemoryKind
    origin: int = Field(default=0, ge=0, lt=2**32)
    size_bytes: int = Field(gt=0, lt=2**48)


class LegalOperator(_Value):
    """An operator with the weight and activation bit-widths that the target runs."""

    kind: OpKind
    weight_bits: tuple[int, ...] = (8,)
    activation_bits: tuple[int, ...] = (8,)


class Simd(_Value):
    """Channel granularity: widths that are no multiple of it waste lanes."""

    int8_lanes: int = Field(ge=1)
    channel_granularity: int = Field(ge=1)


class Toolchain(_Value):
    """How an artifact is built: of C, the compiler's target triple, CPU and extra flags."""

    compiler: Literal["zig", "yosys", "hls4ml"] = "zig"
    triple: str
    cpu: str
    flags: tuple[str, ...] = ("-O2",)


_NO_PROCESSOR = frozenset({RunnerKind.HOST, RunnerKind.VERILATOR, RunnerKind.HLS_CPP})


class Runner(_Value):
    """Which device runs the artifact and as which model of processor.

    `machine` is the board of an emulator of whole boards, which gives it its memory map.
    """

    kind: RunnerKind
    cpu_model: str = ""
    machine: str = ""

    @model_validator(mode="after")
    def _whole_boards_have_names(self) -> Runner:
        if (self.kind is RunnerKind.QEMU) != bool(self.machine):
            raise ValueError(f"machine: is for kind = '{RunnerKind.QEMU}', which needs it")
        if not self.cpu_model and self.kind not in _NO_PROCESSOR:
            raise ValueError("cpu_model: an emulator needs the processor that it shall be")
        return self


class Firmware(_Value):
    """What generated firmware needs beside the memory regions."""

    kernel_set: KernelSet = KernelSet.PORTABLE_C
    stack_bytes: int = Field(default=4096, ge=256)


class LinuxSystem(_Value):
    """The operating system of a board, as shipped: what an artifact may ask of it.

    `glibc` is the version of the C library, `python` that of the system's interpreter.
    """

    distribution: str = Field(min_length=1)
    glibc: str = Field(pattern=r"^2\.[0-9]+$")
    python: str = Field(default="", pattern=r"^(3\.[0-9]+)?$")

    @property
    def glibc_version(self) -> tuple[int, int]:
        """The version as two numbers."""
        major, minor = self.glibc.split(".")
        return int(major), int(minor)


class Gpu(_Value):
    """A graphics processor: its architecture (such as sm_53), and what its software takes.

    Kernels are spread over `threads`, `ptx_version` is the newest PTX that the driver compiles,
    `onnx_opset` the newest opset that its TensorRT imports. With `shares_memory` it has no memory
    beside the processor's.
    """

    name: str = Field(min_length=1)
    architecture: str = Field(pattern=r"^sm_[0-9]+$")
    threads: int = Field(gt=0)
    fp16: bool
    int8: bool
    cuda: str = Field(pattern=r"^[0-9]+\.[0-9]+$")
    ptx_version: str = Field(pattern=r"^[0-9]+\.[0-9]+$")
    tensorrt: str = Field(default="", pattern=r"^([0-9]+\.[0-9]+)?$")
    onnx_opset: int | None = Field(default=None, ge=7)
    shares_memory: bool = False


class BoardLink(StrEnum):
    """How bytes get onto a board and from it."""

    SERIAL = "serial"
    SPI = "spi"


_PINS = {
    BoardLink.SERIAL: {"oscillator", "led", "rx", "tx"},
    BoardLink.SPI: {"oscillator", "led", "sck", "cs_n", "mosi", "miso"},
}


class FpgaBoard(_Value):
    """A board: its oscillator, its link, and the pins of both.

    `rx` is what the FPGA receives on; on SPI it is the device. `baud` is for serial lines. The
    design's clock is the core's, made by a PLL.
    """

    oscillator_hz: int = Field(gt=0)
    link: BoardLink = BoardLink.SERIAL
    baud: int = Field(default=0, ge=0)
    pins: dict[str, str]

    @model_validator(mode="after")
    def _pins_are_the_link_s(self) -> FpgaBoard:
        if set(self.pins) != _PINS[self.link]:
            names = ", ".join(sorted(_PINS[self.link]))
            raise ValueError(f"pins: link '{self.link}' has {names}")
        if (self.link is BoardLink.SERIAL) != (self.baud > 0):
            raise ValueError(f"baud: is for link '{BoardLink.SERIAL}', which needs it")
        return self


class Fpga(_Value):
    """An FPGA as the open tools name it, and the accelerator that is built into it.

    `device` is nextpnr's option for it, such as 25k; `luts` are its tables of four inputs.
    `lanes` multiply and add in every cycle, a power of two. The clock is the core's.
    """

    family: FpgaFamily
    device: str = Field(pattern=r"^[a-z0-9-]+$")
    package: str = Field(min_length=1)
    speed: str = ""
    luts: int = Field(gt=0)
    block_rams: int = Field(gt=0)
    multipliers: int = Field(ge=0)
    lanes: int = Field(ge=2)
    board: FpgaBoard | None = None

    @model_validator(mode="after")
    def _lanes_address_words(self) -> Fpga:
        if self.lanes & (self.lanes - 1):
            raise ValueError("lanes: must be a power of two")
        return self


class Hls(_Value):
    """The vendor's compiler, the device as it names it, and its programs that must be installed."""

    compiler: HlsCompiler
    device: str = Field(pattern=r"^[A-Za-z0-9-]+$")
    programs: tuple[str, ...] = Field(min_length=1)


class Roofline(_Value):
    """What one core reaches at best: the constants of a bound below which no inference takes time.

    Products per cycle are what its vector units multiply and add; a network whose weights do not
    fit `cache_bytes`, the last cache before memory, reads all of them anew each time.
    """

    int8_macs_per_cycle: int = Field(gt=0)
    float32_macs_per_cycle: int = Field(gt=0)
    cache_bytes: int = Field(gt=0)
    memory_bytes_per_second: int = Field(gt=0)


_LINUX_RUNNERS = frozenset({RunnerKind.HOST, RunnerKind.QEMU_USER})
_RUNNER_OF = {TargetFamily.FPGA: RunnerKind.VERILATOR, TargetFamily.HLS: RunnerKind.HLS_CPP}
_ADDRESSES = 2**32


class Target(_Value):
    """A device, whole: the value that every stage after training depends on."""

    schema_version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    description: str
    family: TargetFamily
    core: Core
    memory: tuple[MemoryRegion, ...] = ()
    operators: tuple[LegalOperator, ...]
    simd: Simd
    toolchain: Toolchain
    runner: Runner
    firmware: Firmware = Firmware()
    linux: LinuxSystem | None = None
    gpu: Gpu | None = None
    fpga: Fpga | None = None
    hls: Hls | None = None
    roofline: Roofline | None = None
    sources: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _regions_make_sense(self) -> Target:
        # What a project takes, only the vendor's tools tell.
        for kind in () if self.family is TargetFamily.HLS else MemoryKind:
            if not any(region.kind is kind for region in self.memory):
                raise ValueError(f"memory: no region of kind '{kind}'")
        if self.family is TargetFamily.MICROCONTROLLER:
            self._require_addresses()
        kinds = [operator.kind for operator in self.operators]
        if len(set(kinds)) != len(kinds):
            raise ValueError("operators: an operator is listed twice")
        return self

    def _require_addresses(self) -> None:
        ordered = sorted(self.memory, key=lambda region: region.origin)
        for low, high in pairwise(ordered):
            if low.origin + low.size_bytes > high.origin:
                raise ValueError(f"memory: regions '{low.name}' and '{high.name}' overlap")
        if ordered[-1].origin + ordered[-1].size_bytes > _ADDRESSES:
            raise ValueError(f"memory: region '{ordered[-1].name}' ends beyond 32-bit addresses")

    @model_validator(mode="after")
    def _family_fits(self) -> Target:
        is_linux = self.family is TargetFamily.LINUX
        if is_linux != (self.linux is not None):
            raise ValueError(f"linux: is for family = '{TargetFamily.LINUX}', which needs it")
        if is_linux != (self.runner.kind in _LINUX_RUNNERS):
            allowed = [k for k in RunnerKind if (k in _LINUX_RUNNERS) == is_linux]
            raise ValueError(f"runner.kind: family '{self.family}' runs in {' or '.join(allowed)}")
        for family, section in ((TargetFamily.FPGA, "fpga"), (TargetFamily.HLS, "hls")):
            is_one, runner = self.family is family, _RUNNER_OF[family]
            if is_one != (getattr(self, section) is not None):
                raise ValueError(f"{section}: is for family = '{family}', which needs it")
            if is_one != (self.runner.kind is runner):
                raise ValueError(f"runner.kind: '{runner}' is for family = '{family}'")
        if self.gpu is not None and not is_linux:
            raise ValueError(f"gpu: is for family = '{TargetFamily.LINUX}'")
        return self

    def region(self, kind: MemoryKind) -> MemoryRegion:
        """The largest region of a kind: where firmware places code or data."""
        return max((r for r in self.memory if r.kind is kind), key=lambda r: r.size_bytes)
