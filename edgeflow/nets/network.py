"""A network as a value: an input shape and a tuple of cells. A search replaces single cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edgeflow.nets.specs import AnyCell, Count, Logits, ShapeHWC

if TYPE_CHECKING:
    from torch import nn


class NetworkSpec(BaseModel):
    """Cells in order, the last of them `Logits`. Shapes are checked when the value is made.

    Raises ModelError where a cell does not fit the shape before it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    input_shape: tuple[Count, Count, Count]
    cells: tuple[AnyCell, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> NetworkSpec:
        if [i for i, c in enumerate(self.cells) if isinstance(c, Logits)] != [len(self.cells) - 1]:
            raise ValueError("exactly the last cell must be of kind logits")
        self.shapes()
        return self

    def shapes(self) -> tuple[ShapeHWC, ...]:
        """Shape before each cell, and the output's at the end: one more than there are cells."""
        shapes = [self.input_shape]
        for cell in self.cells:
            shapes.append(cell.output_shape(shapes[-1]))
        return tuple(shapes)

    @property
    def outputs(self) -> int:
        """Number of logits."""
        return self.shapes()[-1][2]

    def with_cell(self, index: int, cell: AnyCell) -> NetworkSpec:
        """The same network with another cell at `index`."""
        cells = (*self.cells[:index], cell, *self.cells[index + 1 :])
        return NetworkSpec(name=self.name, input_shape=self.input_shape, cells=cells)


def build(spec: NetworkSpec, seed: int) -> nn.Module:
    """An untrained module, [N, C, H, W] to [N, outputs]; its weights depend on `seed` only."""
    from edgeflow.nets.cells import build_cells

    return build_cells(spec.cells, spec.input_shape, seed)
