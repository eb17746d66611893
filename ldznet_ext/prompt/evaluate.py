"""One map out of the phrases' maps, the mask that is cut from it, and one score out of their scores.

All maps are probabilities p for which one default threshold t is right. In that measure and = min, or = max, a weight is
min(1, w p), growth is flat morphology. `fox@0.4` bends the map so that 0 -> 0, 0.4 -> t, 1 -> 1, in two straight lines; `!fox`
is 1 - p, for which 1 - t would be right, bent so that t is. All of these keep the order of the pixels or turn it round, so a
mask needs no map: each phrase is cut at the threshold carried down to it, and the masks are joined. That is exact where a map
would be rounded: at the default threshold x and !x are complements, also where p is t.

`fox#2` is what there is of `fox` nearer to the second piece of its mask than to any other. The pieces are those at the default
threshold (of `fox@0.4#2` those at 0.4), whatever the whole is cut at, so that no slider ever gives a piece another number.
"""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING

from ldznet_ext.prompt.tree import And, Grow, Instance, Not, Or, Phrase, Threshold, Tree, Weight

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Shapes:
    """What masks can be made to do; that is known elsewhere.

    grown: a bool mask or a float32 map, larger by so many pixels; cutting before it and after it must be the same. instance_of:
    bool (h w), the pixels nearer to the n-th piece of a mask than to any other; None where it has no such piece.
    """

    grown: "Callable[[np.ndarray, int], np.ndarray]"
    instance_of: "Callable[[np.ndarray, int], np.ndarray | None]"


def prob_of(tree: Tree, maps: "Mapping[str, np.ndarray]", default: float, shapes: Shapes) -> "np.ndarray":
    """The map of an expression, float32 (h w) in 0..1, of its phrases' maps; `default`: the threshold that suits them."""
    import numpy as np

    def value(tree: Tree) -> "np.ndarray":
        if isinstance(tree, Phrase):
            return maps[tree.text]
        if isinstance(tree, (And, Or)):
            return reduce(np.minimum if isinstance(tree, And) else np.maximum, map(value, tree.parts))
        part = value(tree.part)
        if isinstance(tree, Grow):
            return shapes.grown(part, tree.pixels)
        if isinstance(tree, Instance):
            return part * _zone(tree, maps, default, shapes)
        if isinstance(tree, Weight):
            return np.minimum(part * np.float32(tree.factor), np.float32(1))
        return bent(1 - part, 1 - default, default) if isinstance(tree, Not) else bent(part, tree.value, default)

    return value(tree)


def mask_of(
    tree: Tree, maps: "Mapping[str, np.ndarray]", threshold: float, default: float, shapes: Shapes
) -> "np.ndarray":
    """Bool (h w): where the expression's map is above the threshold; at the default one `!x` is exactly the rest of `x`."""

    def cut(tree: Tree, threshold: float, above: bool) -> "np.ndarray":
        """Where the map is above the threshold, or else at least as high."""
        if isinstance(tree, Phrase):
            return maps[tree.text] > threshold if above else maps[tree.text] >= threshold
        if isinstance(tree, (And, Or)):
            masks = (cut(part, threshold, above) for part in tree.parts)
            return reduce(and_ if isinstance(tree, And) else or_, masks)
        if isinstance(tree, Grow):
            return shapes.grown(cut(tree.part, threshold, above), tree.pixels)
        if isinstance(tree, Instance):
            return cut(tree.part, threshold, above) & _zone(tree, maps, default, shapes)
        if isinstance(tree, Weight):
            out_of_reach = threshold > 1 or (threshold == 1 and above)  # min(1, w p) is never that high
            return cut(tree.part, threshold if out_of_reach else threshold / tree.factor, above)
        if isinstance(tree, Threshold):
            return cut(tree.part, bend(threshold, default, tree.value), above)
        if threshold == default:
            return ~cut(tree.part, default, above)  # where p is t belongs to !x, so that nothing is left out
        return ~cut(tree.part, bend(1 - threshold, 1 - default, default), not above)

    return cut(tree, threshold, True)


def score_of(tree: Tree, scores: Mapping[str, float], absent: Container[Instance] = ()) -> float:
    """How surely the expression has what it needs, 0..1: the least of a conjunction, the greatest of a disjunction.

    What is only to be left out is not needed: a negation of a phrase scores 1 whether that is there or not. Negations of more
    are read by De Morgan's laws. So an expression reaches a threshold where its phrases that reach it are enough for it. An
    instance that is `absent` scores 0.

    >>> score_of(And((Phrase("fox"), Not(Phrase("tail")))), {"fox": 0.9, "tail": 0.2})
    0.9
    """

    def score(tree: Tree, negated: bool) -> float:
        if isinstance(tree, Phrase):
            return 1.0 if negated else scores[tree.text]
        if isinstance(tree, (And, Or)):
            least = isinstance(tree, And) != negated
            return (min if least else max)(score(part, negated) for part in tree.parts)
        if isinstance(tree, Instance) and tree in absent:
            return float(negated)
        return score(tree.part, negated != isinstance(tree, Not))

    return score(tree, False)


def _zone(tree: Instance, maps: "Mapping[str, np.ndarray]", default: float, shapes: Shapes) -> "np.ndarray":
    """Bool (h w): the pixels that belong to an instance; none where it is not there."""
    import numpy as np

    mask = mask_of(tree.part, maps, default, default, shapes)
    zone = shapes.instance_of(mask, tree.number)
    return np.zeros_like(mask) if zone is None else zone


def bend(value: float, knot: float, onto: float) -> float:
    """A number with `knot` moved onto `onto`, 0 and 1 staying, in two straight lines (also beyond 0 and 1).

    >>> bend(0.4, 0.4, 0.5), bend(0.2, 0.4, 0.5), bend(1.0, 0.4, 0.5)
    (0.5, 0.25, 1.0)
    """
    if value == knot:
        return onto
    return value * (onto / knot) if value < knot else 1 - (1 - value) * ((1 - onto) / (1 - knot))


def bent(prob: "np.ndarray", knot: float, onto: float) -> "np.ndarray":
    """As `bend`, of a float32 map in 0..1: the lower of the two lines where they bend down, else the upper."""
    import numpy as np

    if knot == onto:
        return prob
    first, second = onto / knot, (1 - onto) / (1 - knot)
    low, high = prob * np.float32(first), prob * np.float32(second)
    high += np.float32(1 - second)
    return np.clip((np.minimum if first > second else np.maximum)(low, high, out=low), 0, 1, out=low)
