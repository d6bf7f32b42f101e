"""The memory of weights: banks that are read at once, of which one is chosen two cycles later.

A block RAM is slow, and so is a choice among many: a register lies between the two, so that neither
shortens the clock of large networks.
"""

from __future__ import annotations

from collections.abc import Sequence

MODULE = "edgeflow_weights"
# The deepest shape of block RAMs that is still wide: a bank has no choice within.
BANK_WORDS = 2048


def banks_of(words: int) -> tuple[int, ...]:
    """The words of each bank."""
    whole, rest = divmod(max(words, 1), BANK_WORDS)
    return (BANK_WORDS,) * whole + ((rest,) if rest else ())


def weight_files(words: Sequence[int], width: int, address_bits: int) -> dict[str, str]:
    """The module and the contents of its banks, for words of `width` bits."""
    banks = banks_of(len(words))
    digits = -(-width // 4)
    files = {f"{MODULE}.v": _module(banks, width, address_bits)}
    for number, size in enumerate(banks):
        first = number * BANK_WORDS
        rows = words[first : first + size] or [0]
        files[f"weights_{number}.hex"] = "".join(f"{word:0{digits}x}\n" for word in rows)
    return files


def _module(banks: Sequence[int], width: int, address_bits: int) -> str:
    low = min(address_bits, BANK_WORDS.bit_length() - 1)
    numbers = range(len(banks))
    roms = "\n".join(
        f"    edgeflow_rom #(\n"
        f"        .WIDTH({width}), .DEPTH({size}), .ADDRESS_BITS({low}),\n"
        f'        .CONTENT("weights_{number}.hex")\n'
        f"    ) rom_{number} "
        f"(.clock(clock), .address(address[{low - 1}:0]), .value(word_{number}));"
        for number, size in enumerate(banks)
    )
    words = ", ".join(f"word_{number}" for number in numbers)
    held = ", ".join(f"held_{number}" for number in numbers)
    moves = "\n".join(f"        held_{number} <= word_{number};" for number in numbers)
    chosen = "        value <= held_0;"
    declared = ""
    if len(banks) > 1:
        bits = address_bits - low
        declared = f"    reg [{bits - 1}:0] bank_1, bank_2;\n"
        moves += f"\n        {{bank_2, bank_1}} <= {{bank_1, address[{address_bits - 1}:{low}]}};"
        last = len(banks) - 1
        labels = [f"{bits}'d{number}" for number in range(last)] + ["default"]
        cases = "\n".join(
            f"            {label}: value <= held_{number};" for number, label in enumerate(labels)
        )
        chosen = f"        case (bank_2)\n{cases}\n        endcase"
    return f"""// The weights, three cycles after their address: banks of block RAM, what they
// gave, and the one that was meant.

module {MODULE} (
    input wire clock,
    input wire [{address_bits - 1}:0] address,
    output reg [{width - 1}:0] value
);
    wire [{width - 1}:0] {words};
    reg [{width - 1}:0] {held};
{declared}{roms}

    always @(posedge clock) begin
{moves}
{chosen}
    end
endmodule
"""
