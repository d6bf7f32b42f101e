"""Runs a compiled model in a process of its own: LIBRARY INPUTS OUTPUTS INPUT_BYTES OUTPUT_BYTES.

Started as a script by `host.py`; it imports nothing but the standard library, so that it starts
fast, and a crash of the native code ends it alone.
"""

from __future__ import annotations

import ctypes
import sys


def main(arguments: list[str]) -> None:
    """Read inputs row by row, write the model's outputs row by row."""
    library_path, inputs_path, outputs_path, input_size, output_size = arguments
    input_bytes, output_bytes = int(input_size), int(output_size)
    library = ctypes.CDLL(library_path)
    library.edgeflow_input.restype = ctypes.c_void_p
    library.edgeflow_output.restype = ctypes.c_void_p
    library.edgeflow_invoke.restype = None
    input_address = library.edgeflow_input()
    output_address = library.edgeflow_output()
    with open(inputs_path, "rb") as inputs, open(outputs_path, "wb", buffering=0) as outputs:
        while row := inputs.read(input_bytes):
            ctypes.memmove(input_address, row, input_bytes)
            library.edgeflow_invoke()
            outputs.write(ctypes.string_at(output_address, output_bytes))


if __name__ == "__main__":
    main(sys.argv[1:])
