"""Every place of a network where channels or units can be added, and the wider specification.

Outputs of convolutions, depthwise separable cells, dense cells and linear bottlenecks that add
nothing grow where what follows (through poolings) reads them in a layer of its own: convolution,
dense, logits, depthwise separable, and residual cells that change height or width. Residual cells
grow inside. Left out: the stream that residual cells add to (all cells that share it would have to
grow at once), widths behind squeeze-and-excite gates, and an input that meets an output's width.
"""

from __future__ import annotations

from edgeflow.errors import ModelError
from edgeflow.grow.wiring import Site, Width, inner_channels, wiring
from edgeflow.nets import specs
from edgeflow.nets.network import NetworkSpec

__all__ = ["Site", "Width", "sites", "widened"]


def sites(spec: NetworkSpec) -> tuple[Site, ...]:
    """Widths that can grow, in the order of the cells, inner before output."""
    found = (Site(i, width) for i in range(len(spec.cells) - 1) for width in Width)
    return tuple(site for site in found if wiring(spec, site) is not None)


def widened(spec: NetworkSpec, site: Site, added: int) -> NetworkSpec:
    """`spec` with `added` more channels or units at `site`; nothing else changes width.

    Raises ModelError where that width cannot grow.
    """
    if added < 1 or site not in sites(spec):
        raise ModelError(
            f"{added} channels cannot be added to the {site.width} width of cell {site.cell}",
            hint="use a site that sites(spec) lists, and at least one channel",
        )
    cell, inputs = spec.cells[site.cell], spec.shapes()[site.cell][2]
    if isinstance(cell, specs.Dense):
        return spec.with_cell(site.cell, cell.model_copy(update={"units": cell.units + added}))
    if site.width is Width.INNER:
        assert isinstance(cell, specs.Residual | specs.InvertedResidual)
        inner = (
            inner_channels(cell, inputs)
            if isinstance(cell, specs.InvertedResidual)
            else cell.inner_channels or cell.channels
        )
        return spec.with_cell(site.cell, cell.model_copy(update={"inner_channels": inner + added}))
    assert isinstance(cell, specs.Convolution | specs.DepthwiseSeparable | specs.InvertedResidual)
    wider = cell.model_copy(update={"channels": cell.channels + added})
    return _pinned(spec, site.cell).with_cell(site.cell, wider)


def _pinned(spec: NetworkSpec, index: int) -> NetworkSpec:
    """Inner channels of the cell that reads `index` written out, where they follow its input."""
    after, shapes = index + 1, spec.shapes()
    while isinstance(
        spec.cells[after], specs.MaxPool | specs.AveragePool | specs.GlobalAveragePool
    ):
        after += 1
    cell = spec.cells[after]
    if not isinstance(cell, specs.InvertedResidual):
        return spec
    inner = inner_channels(cell, shapes[after][2])
    return spec.with_cell(after, cell.model_copy(update={"inner_channels": inner}))
