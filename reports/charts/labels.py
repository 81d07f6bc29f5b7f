"""Where names stand beside their marks: the first free place of a few, in the order of who comes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

GAP = 7
"""Pixels from a mark's middle to its name."""
PLACES = (("left", GAP, 0), ("right", -GAP, 0), ("center", 0, -11), ("center", 0, 11), ("left", 5, -9), ("left", 5, 9),
          ("right", -5, -9), ("right", -5, 9))  # fmt: skip
"""Alignment and shift: to the right of the mark, to the left, above, below, and at the four corners."""
LETTER = 0.56
"""Width of a letter on the average, in font sizes: somewhat more than that of most fonts, as the reader's is not known."""
Place = tuple[str, int, int]


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def around(cls, x: float, y: float, half: float) -> Self:
        """A square around a point."""
        return cls(x - half, y - half, x + half, y + half)

    @classmethod
    def along(cls, x: float, y: float, x2: float, y2: float) -> Self:
        """What a level or upright line takes up."""
        return cls(min(x, x2) - 1, min(y, y2) - 1, max(x, x2) + 1, max(y, y2) + 1)

    def meets(self, other: Box) -> bool:
        """Whether two boxes share room."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def within(self, width: float, height: float) -> bool:
        """Whether it lies in an area of that size."""
        return self.left >= 0 and self.top >= 0 and self.right <= width and self.bottom <= height


@dataclass(frozen=True)
class Label:
    """A name, and the middle of its mark."""

    text: str
    x: float
    y: float


def placed(
    labels: Sequence[Label], marks: Sequence[Box], lines: Sequence[Box], area: tuple[float, float], size: float
) -> dict[Place, list[int]]:
    """Place → the labels (by position) that stand there; some may find no place.

    None lies over another label, nor over the mark of another (`marks` in the order of the labels), nor over a line.
    """
    names: list[Box] = []
    found: dict[Place, list[int]] = {}
    for at, label in enumerate(labels):
        others = [*names, *lines, *(mark for of, mark in enumerate(marks) if of != at)]
        for place in PLACES:
            box = _box(label, place, size)
            if box.within(*area) and not any(box.meets(other) for other in others):
                names.append(box)
                found.setdefault(place, []).append(at)
                break
    return found


def _box(label: Label, place: Place, size: float) -> Box:
    align, dx, dy = place
    width = LETTER * size * len(label.text)
    left = label.x + dx - {"left": 0.0, "center": width / 2, "right": width}[align]
    middle = label.y + dy
    return Box(left, middle - 0.6 * size, left + width, middle + 0.6 * size)
