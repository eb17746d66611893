"""Which head serves a model: one that lies beside it, else one of another model folder, and a sentence where none does.

A head beside the model that is damaged or of another family is an error: another folder's would hide it. Where nobody asks
for a head ("auto"), one of another family is none at all, and a damaged one is still an error.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ldznet_ext import weights
from ldznet_ext.errors import HeadError
from ldznet_ext.weights import HeadFile, head_files

if TYPE_CHECKING:
    from ldznet_ext.backbone import Backbone

SHOWN = 4
"""Files that a sentence names."""


def fitting_heads(backbone: "Backbone", kind: str | None = None) -> list[HeadFile]:
    """The heads of a kind (None: of any) that serve the model, all of one folder; HeadError where there are none.

    The folder that the model lies in comes first, then the others in their order.
    """
    home = _home(backbone)
    every: list[HeadFile] = []
    for folder in _folders(home):
        heads = head_files(folder)
        every += heads
        if fitting := [head for head in heads if head.fits(backbone.family, kind)]:
            return fitting
        if folder == home and (wrong := _wrong(heads, backbone.family)):
            raise _useless(folder, wrong, backbone, kind)
    places = ", ".join(map(str, _folders(home)))
    raise _refusal(
        f"No {_named(kind)} for the model '{backbone.name}' was found in {places} ({_listed(every)})", backbone
    )


def kinds_at_hand(backbone: "Backbone") -> tuple[str, ...]:
    """The kinds of heads that "auto" may take for a model; none where no head fits, and methods without one have their turn.

    HeadError where the model's own folder holds a damaged head and no whole one that fits.
    """
    home = _home(backbone)
    for folder in _folders(home):
        heads = head_files(folder)
        if fitting := [head.info.kind for head in heads if head.info and head.fits(backbone.family)]:
            return tuple(dict.fromkeys(fitting))
        if folder == home and (damaged := [head for head in heads if head.info is None]):
            raise _useless(folder, damaged, backbone, None)
    return ()


def _folders(home: Path | None) -> list[Path]:
    """Where heads are looked for: the model's own folder, then the others."""
    return list(dict.fromkeys([*([home] if home else []), *weights.model_folders()]))


def _useless(folder: Path, wrong: list[HeadFile], backbone: "Backbone", kind: str | None) -> HeadError:
    return _refusal(
        f"The folder {folder} of the model '{backbone.name}' has no usable {_named(kind)} ({_listed(wrong)})", backbone
    )


def _home(backbone: "Backbone") -> Path | None:
    """The folder a model came from, where heads are looked for; a host's model has none."""
    folder = getattr(backbone, "folder", None)
    if folder is None:
        return None
    here = os.path.abspath(folder)
    return next((found for found in weights.model_folders() if os.path.abspath(found) == here), None)


def _wrong(heads: list[HeadFile], family: str) -> list[HeadFile]:
    """What stands in the way: damaged files, and heads of other families where there is none of this one."""
    damaged = [head for head in heads if head.info is None]
    return damaged or ([] if any(head.fits(family) for head in heads) else heads)


def _refusal(got: str, backbone: "Backbone") -> HeadError:
    from ldznet_ext.segmenters.methods import without_head

    return HeadError(
        f"{got}; expected a whole one for the family '{backbone.family}', so put it there (LDZNET_MODELS names more folders), "
        f"or use another model, or a method that needs no head ({', '.join(without_head())})."
    )


def _named(kind: str | None) -> str:
    return f"'{kind}' head" if kind else "head"


def _listed(heads: list[HeadFile]) -> str:
    more = f", and {len(heads) - SHOWN} more" if len(heads) > SHOWN else ""
    return (", ".join(map(str, heads[:SHOWN])) or "there is none at all") + more
