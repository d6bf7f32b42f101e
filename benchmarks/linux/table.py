"""The engines' times as a table."""

from __future__ import annotations

from typing import Any

OURS = "edgeflow int8"
_WIDE = "avx512_vnni"
_STOCK = ("LiteRT", "ONNX Runtime")
_ORT, _TVM = "ONNX Runtime float32", "TVM float32, our schedules"
_FLOATS = "ONNX Runtime float32 / TVM"


def table(document: dict[str, Any]) -> str:
    """Markdown: microseconds of every engine, and the fastest stock peer over our runner.

    The last ratio is that of one precision: ONNX Runtime in float32 over TVM's code.
    """
    engines = list(next(iter(document["models"].values())))
    peers = [engine for engine in engines if engine.startswith(_STOCK)]
    starts = ("first result, edgeflow", "and fastest peer")
    head = ["model", *engines, "fastest peer / edgeflow", _FLOATS, *starts]
    lines = [
        f"Microseconds for one inference, one thread, measured on: {document['processor']}, "
        f"{'with' if _WIDE in document['features'] else 'without'} AVX-512 VNNI.",
        "",
        "| " + " | ".join(head) + " |",
        "|---|" + "---:|" * (len(head) - 1),
    ]
    for model, rows in document["models"].items():
        ours = rows[OURS]
        best = min(rows[peer]["seconds"] for peer in peers)
        first = min(rows[peer]["first_result_seconds"] for peer in peers)
        cells = [
            model,
            *(f"{rows[engine]['seconds'] * 1e6:,.1f}" for engine in engines),
            f"{best / ours['seconds']:.2f}",
            f"{rows[_ORT]['seconds'] / rows[_TVM]['seconds']:.2f}",
            f"{ours['first_result_seconds'] * 1e3:.1f} ms",
            f"{first * 1e3:.1f} ms",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
