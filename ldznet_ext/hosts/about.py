"""What a checkpoint can do, told without loading it or a head: the methods by name, and why some cannot be had; its heads.

The same for a web UI's desk and the stand-alone one.
"""

from typing import TYPE_CHECKING, Any

from ldznet_ext.convertible import convertible
from ldznet_ext.ui.desk import About, Choice

if TYPE_CHECKING:
    from ldznet_ext.weights import HeadFile

HEADLESS = {
    "attention": "Attention (needs no head)",
    "maskdiffusion": "MaskDiffusion (needs no head)",
    "noise_difference": "Noise difference (needs no head, slow)",
}
TRAINED = {
    "ldznet": "LD-ZNet (trained head)",
    "znet": "ZNet (trained head, latent only)",
    "rgbnet": "RGBNet (trained head, pixels only)",
    "concat": "Concatenation (trained head)",
}
LABELS = {"auto": "Automatic: the best there is for the checkpoint", **TRAINED, **HEADLESS}
"""Every method that takes words, in the order in which "auto" prefers them."""


def about_model(model: str = "", family: str = "", *, refusal: str = "", message: str = "") -> About:
    """What a checkpoint of this family can do; with `refusal`, why nothing can be done with it."""
    heads = _heads(family) if family else []
    kinds = [head.info.kind for head in heads if head.info is not None]
    choices = [
        Choice(name=name, label=label, why_not=refusal or _why_not(name, family, kinds))
        for name, label in LABELS.items()
    ]
    return About(
        model=model,
        family=family,
        methods=tuple(sorted(choices, key=lambda choice: bool(choice.why_not))),
        heads=tuple(dict.fromkeys(head.path.name for head in heads)),
        message=message,
        convertible=convertible(),
    )


def _why_not(name: str, family: str, kinds: list[Any]) -> str:
    """A sentence where a method needs a head and there is none; without a checkpoint nobody knows yet."""
    if name not in TRAINED or not family or name in kinds:
        return ""
    return f"There is no trained head of this kind for the family {family}, so put one into models/ldznet and refresh."


def _heads(family: str) -> "list[HeadFile]":
    """Whole heads of the family in the model folders."""
    from ldznet_ext.weights import head_files, model_folders

    return [head for folder in model_folders() for head in head_files(folder) if head.fits(family)]
