"""Words and a picture to a mask, and an edit: segmentation read out of the diffusion model that is already loaded.

Importing this imports neither torch nor anything else of weight: each public name is loaded on its first use.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Box": "geometry",
    "ClassResult": "result",
    "Labelling": "result",
    "LdznetError": "errors",
    "PhraseResult": "result",
    "Segmentation": "result",
    "Size": "geometry",
    "batch": "batch",
    "classes": "classes",
    "generate_and_segment": "generate",
    "inpaint": "inpaint",
    "like": "like",
    "load_backbone": "backbone",
    "segment": "pipeline",
}
"""Public name -> the module it lives in."""

__all__ = [
    "Box",
    "ClassResult",
    "Labelling",
    "LdznetError",
    "PhraseResult",
    "Segmentation",
    "Size",
    "batch",
    "classes",
    "generate_and_segment",
    "inpaint",
    "like",
    "load_backbone",
    "segment",
]

if TYPE_CHECKING:
    from ldznet_ext.backbone import load_backbone
    from ldznet_ext.batch import batch
    from ldznet_ext.classes import classes
    from ldznet_ext.errors import LdznetError
    from ldznet_ext.generate import generate_and_segment
    from ldznet_ext.geometry import Box, Size
    from ldznet_ext.inpaint import inpaint
    from ldznet_ext.like import like
    from ldznet_ext.pipeline import segment
    from ldznet_ext.result import ClassResult, Labelling, PhraseResult, Segmentation


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ldznet_ext' has no attribute {name!r}")
    return getattr(importlib.import_module(f"ldznet_ext.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """Keeps a public function visible where a submodule has its name (`inpaint`), whose import would hide it."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
