"""The times on a GPU as a table."""

from __future__ import annotations

from typing import Any

OURS, PEER = "edgeflow float16", "torch.compile, one graph"


def table(document: dict[str, Any]) -> str:
    """Markdown: microseconds of every contestant, and the compiled peer over ours."""
    names = list(next(iter(document["models"].values()))["seconds"])
    versions = document["versions"]
    lines = [
        f"Microseconds for one inference, measured on: {document['gpu']}, PyTorch "
        f"{versions['torch']}.",
        "",
        f"| model | {' | '.join(names)} | {PEER} / edgeflow |",
        "|---|" + "---:|" * (len(names) + 1),
    ]
    for model, row in document["models"].items():
        seconds = {name: each["median"] for name, each in row["seconds"].items()}
        cells = [f"{seconds[name] * 1e6:.1f}" for name in names]
        lines.append(f"| {model} | {' | '.join(cells)} | {seconds[PEER] / seconds[OURS]:.2f} |")
    return "\n".join(lines) + "\n"
