"""What every emulator has in common: how it watches the firmware's stack and its layers' calls."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from edgeflow.backends.firmware.image import FirmwareImage
from edgeflow.devices.device import INVOKE_SYMBOL, DeviceRun, LayerInstructions
from edgeflow.errors import BundleError, DeviceFaultError
from edgeflow.figures import FigureKind

UNCHANGED = 0xFFFF
NEXT_LAYER = 0xFFFE
OUTSIDE = 0
INVOKE = 1
FIRST_LAYER = 2

_PAINT = 0xC5A55A3C
# How the mangled name of a kernel's entry of TensorFlow Lite Micro ends: its parameters are
# (TfLiteContext *, TfLiteNode *).
_KERNEL_PARAMETERS = "P13TfLiteContextP10TfLiteNode"


def owner_count(image: FirmwareImage) -> int:
    """How many owners instructions can have: outside, `edgeflow_invoke` itself, the layers."""
    return FIRST_LAYER + len(image.layers)


def code_owners(image: FirmwareImage) -> NDArray[np.uint16]:
    """For each halfword of code, the owner of what runs from a block that starts there.

    NEXT_LAYER: the layer whose turn it is, where an interpreter calls it.
    """
    owners = np.full(len(image.bin) // 2 + 1, UNCHANGED, dtype=np.uint16)

    def slots(name: str) -> slice:
        symbol = image.symbols.get(name)
        if symbol is None or not symbol.is_function or symbol.size_bytes == 0:
            raise BundleError(
                f"The firmware has no function {name!r}, so its instructions cannot be counted.",
                hint="Layer functions need external linkage and must not be inlined.",
            )
        first = (symbol.address - image.load_address) // 2
        if not 0 <= first < len(owners):
            raise BundleError(
                f"The firmware's function {name!r} at {symbol.address:#010x} is not in its code.",
                hint="Build the firmware again.",
            )
        return slice(first, first + symbol.size_bytes // 2)

    owners[slots("edgeflow_main")] = OUTSIDE
    for name in sorted({INVOKE_SYMBOL, *(layer.caller for layer in image.layers)}):
        owners[slots(name)] = INVOKE
    for index, layer in enumerate(image.layers):
        if layer.caller == INVOKE_SYMBOL:
            owners[slots(layer.symbol).start] = FIRST_LAYER + index
    if any(layer.caller != INVOKE_SYMBOL for layer in image.layers):
        for key, symbol in image.symbols.items():
            if symbol.name.endswith(_KERNEL_PARAMETERS):
                owners[slots(key).start] = NEXT_LAYER
    return owners


def address_of(image: FirmwareImage, name: str) -> int:
    """The address of a symbol of the startup code or the harness."""
    if name not in image.symbols:
        raise DeviceFaultError(
            f"The image has no symbol {name!r}: edgeflow's startup code is not in it.",
            hint="Build the firmware with edgeflow.",
        )
    return image.symbols[name].address


def painted_stack(image: FirmwareImage) -> bytes:
    """What the stack holds before reset."""
    return struct.pack("<I", _PAINT) * (image.stack_bytes // 4)


def stack_high_water_bytes(stack: bytes) -> int:
    """From the initial stack pointer to the lowest word that was ever written."""
    written = np.flatnonzero(np.frombuffer(stack, dtype="<u4") != _PAINT)
    return len(stack) - int(written[0]) * 4 if written.size else 0


def check_stack(image: FirmwareImage, lowest_word: bytes) -> None:
    """Raise DeviceFaultError when the stack was used down to its lowest word."""
    if lowest_word != struct.pack("<I", _PAINT):
        raise DeviceFaultError(
            f"The firmware used all {image.stack_bytes} bytes of its stack.",
            hint="Raise firmware.stack_bytes of the target.",
        )


def check_layer_calls(image: FirmwareImage, entries: NDArray[np.int64]) -> None:
    """Raise DeviceFaultError unless an inference called every layer as often as it must."""
    for layer, count in zip(image.layers, entries, strict=True):
        if count != layer.calls:
            raise DeviceFaultError(
                f"Layer {layer.node_name!r} ({layer.symbol}) was called {count} times in one "
                f"inference instead of {layer.calls}.",
                hint="Report this as a defect of the code generator.",
            )


def counted_run(
    image: FirmwareImage,
    outputs: NDArray[np.int8],
    counts: NDArray[np.int64],
    stack_bytes: int,
    source: str,
) -> DeviceRun:
    """The run of an emulator; `counts` [N, 1 + layers] are `edgeflow_invoke` and every layer."""
    names = [(INVOKE_SYMBOL, ""), *((s.symbol, s.node_name) for s in image.layers)]
    return DeviceRun(
        outputs=outputs,
        instructions=counts.sum(axis=1),
        layers=tuple(
            LayerInstructions(symbol, node_name, counts[:, i].copy())
            for i, (symbol, node_name) in enumerate(names)
        ),
        stack_bytes=stack_bytes,
        kind=FigureKind.SIMULATED,
        source=source,
    )
