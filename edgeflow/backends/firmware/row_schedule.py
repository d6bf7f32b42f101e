"""The order in which the layers of a segment make their rows.

Of the layers that can make their next rows the last one does, so that rows are read as soon as can
be. A layer that reads a whole tensor could always run; it waits until a reader lacks its rows.
The generated C decides by the same rules while it runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edgeflow.backends.firmware.rows import RowWindow


@dataclass(frozen=True)
class RowCall:
    """One call of a layer: output rows `first` to `first` + `rows` - 1."""

    layer: int
    first: int
    rows: int


@dataclass(frozen=True)
class Feed:
    """What a layer reads of another one of the segment, whose output has `height` rows."""

    layer: int
    window: RowWindow
    height: int


@dataclass(frozen=True)
class RowLayer:
    """A layer that makes `rows` rows at a time, `height` in all.

    `feeds` are the layers of the segment that it reads, `readers` those that read it. `waits`: it
    reads a whole tensor. `is_output`: what it makes is read after the segment.
    """

    height: int
    rows: int
    feeds: tuple[Feed, ...]
    readers: tuple[int, ...]
    waits: bool
    is_output: bool

    def band(self, made: int) -> int:
        """How many rows come after the first `made`."""
        return min(self.rows, self.height - made)

    def lookahead(self, window: RowWindow) -> int:
        """An input's rows that the band from row y on needs: y * stride + this."""
        return (self.rows - 1) * window.stride - window.pad + window.extent

    def needed(self, feed: Feed, made: int) -> int:
        """Rows of a feed that must exist for the band after the first `made` rows."""
        return min(feed.height, made * feed.window.stride + self.lookahead(feed.window))


def schedule(layers: Mapping[int, RowLayer]) -> Iterator[tuple[RowCall, Mapping[int, int]]]:
    """Every call, with the rows that each layer has made before it; layers in graph order."""
    made = dict.fromkeys(layers, 0)
    last_first = sorted(layers, reverse=True)
    while any(made[i] < layer.height for i, layer in layers.items() if layer.is_output):
        index = next(i for i in last_first if _can_run(layers, made, i))
        call = RowCall(index, made[index], layers[index].band(made[index]))
        yield call, made
        made[index] += call.rows


def _can_run(layers: Mapping[int, RowLayer], made: Mapping[int, int], index: int) -> bool:
    layer = layers[index]
    if made[index] >= layer.height:
        return False
    if any(made[feed.layer] < layer.needed(feed, made[index]) for feed in layer.feeds):
        return False
    if not layer.waits or layer.is_output:
        return True
    return any(_lacks(layers, made, reader, index) for reader in layer.readers)


def _lacks(
    layers: Mapping[int, RowLayer], made: Mapping[int, int], reader: int, index: int
) -> bool:
    """Whether a layer's next rows need rows of another one that do not exist yet."""
    layer = layers[reader]
    feeds = [feed for feed in layer.feeds if feed.layer == index]
    lacking = any(made[index] < layer.needed(feed, made[reader]) for feed in feeds)
    return made[reader] < layer.height and lacking
