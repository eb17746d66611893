"""The methods there are, best first, and the one a request asks for. A new method is one more import here.

"auto" takes the best head that fits the model, and where none does, attention, which needs none.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from ldznet_ext.errors import HeadError, MethodError
from ldznet_ext.harvest.wanted import Wanted
from ldznet_ext.segmenters import (  # noqa: F401  each registers itself
    attention,
    concat,
    example,
    ldznet,
    maskdiffusion,
    noise_difference,
    rgbnet,
    znet,
)
from ldznet_ext.segmenters.base import AUTO, SEGMENTERS, Segmenter
from ldznet_ext.segmenters.choice import kinds_at_hand
from ldznet_ext.segmenters.headless import HeadlessSegmenter
from ldznet_ext.segmenters.heads import HeadSegmenter
from ldznet_ext.weights import read_info

if TYPE_CHECKING:
    from ldznet_ext.backbone import Backbone


def pick_segmenter(method: str | Segmenter | None, backbone: "Backbone", head: Path | None = None) -> Segmenter:
    """The method of a name, or the best for this model with "auto", made ready. An object is taken as it is."""
    if method is not None and not isinstance(method, str):
        name_of(method)
        return method
    return _class_of(name_of(method), backbone, head).open(backbone, head)


def foresee(method: str, backbone: "Backbone", head: Path | None = None) -> Wanted:
    """What a method would have read of a generation; a head is not loaded for it."""
    kind = _class_of(method, backbone, head)
    return (
        kind.foreseen(backbone, head) if issubclass(kind, HeadSegmenter) else kind.open(backbone, head).wanted(backbone)
    )


def name_of(method: str | Segmenter | None) -> str:
    """The name of a method given by name or as an object; None is "auto"."""
    if method is None or isinstance(method, str):
        return AUTO if method is None else method
    if not callable(getattr(method, "evidence", None)):
        raise MethodError(
            f"The method is of the type {type(method).__name__}; expected a name or a Segmenter, so choose one of "
            f"{', '.join(methods())}."
        )
    return method.name


def check_method(method: str) -> None:
    """Refuse a name that no method has."""
    if method not in methods():
        raise MethodError(f"The method is '{method}'; expected one of {', '.join(methods())}, so choose one of them.")


def methods() -> tuple[str, ...]:
    """The names a method can be asked for by."""
    return (AUTO, *sorted(SEGMENTERS, key=lambda name: -SEGMENTERS[name].rank))


def without_head() -> tuple[str, ...]:
    """The names of the methods that need no trained head, and so work with every model."""
    return tuple(name for name in methods()[1:] if issubclass(SEGMENTERS[name], HeadlessSegmenter))


def _class_of(name: str, backbone: "Backbone", head: Path | None) -> type[Segmenter]:
    check_method(name)
    return SEGMENTERS[_best(backbone, head) if name == AUTO else name]


def _best(backbone: "Backbone", head: Path | None) -> str:
    """The first method that fits; a head that is named or lies beside the model is not passed over for having no method."""
    fitting = [name for name in methods()[1:] if SEGMENTERS[name].fits(backbone, head)]
    kinds = (read_info(head).kind,) if head else kinds_at_hand(backbone)
    if kinds and not set(kinds) & set(fitting):
        raise HeadError(
            f"The head is of the kind '{', '.join(sorted(kinds))}'; expected one of {', '.join(methods()[1:])}, so use another."
        )
    if not fitting:
        raise MethodError(
            f"No method fits the model '{backbone.name}'; expected a Stable Diffusion model, so load one."
        )
    return fitting[0]
