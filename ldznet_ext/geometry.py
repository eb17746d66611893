"""Sizes and boxes: (height, width) everywhere, so that PIL's (width, height) stays in one module."""

from typing import NamedTuple


class Size(NamedTuple):
    """Height and width in pixels (or in latent cells, where the name says so)."""

    height: int
    width: int

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.height * self.width

    def scaled(self, factor: float) -> "Size":
        """Both sides times `factor`, rounded, at least one pixel.

        >>> Size(3, 5).scaled(2)
        Size(height=6, width=10)
        """
        return Size(max(1, round(self.height * factor)), max(1, round(self.width * factor)))


class Box(NamedTuple):
    """A half-open rectangle in picture pixels: columns x0..x1-1, rows y0..y1-1."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def size(self) -> Size:
        """Height and width of the box."""
        return Size(self.y1 - self.y0, self.x1 - self.x0)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices that cut the box out of an (h, w, ...) array."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)
