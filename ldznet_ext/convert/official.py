"""The authors' own LD-ZNet checkpoint: the head in it under our names, and the diffusion model that may lie beside it.

The published file is a training checkpoint: raw weights, their running average under names without dots, and perhaps the whole
Stable Diffusion around. The authors predict with the average, so that is taken, and the raw weights only where there is none.
Key names follow koutilya-pnvr/LD-ZNet at 3d28f76; our head bears them already, behind these prefixes.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isqrt, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldznet_ext.convert.pickles import ENDINGS, TensorFile
from ldznet_ext.convert.streaming import NAMES, Stored
from ldznet_ext.convert.unpickling import TensorReference
from ldznet_ext.errors import BAD_SETTINGS, HeadError, LdznetError
from ldznet_ext.nets.presets import get_preset

if TYPE_CHECKING:
    import torch
    from torch import Tensor

RAW = "model.diffusion_model."
AVERAGED = "model_ema."
COUNTERS = ("model_ema.decay", "model_ema.num_updates")
"""Beside the running average in the file, and no weights."""
FROZEN = "sd_features_stage_model.model.model.diffusion_model."
"""The UNet whose features the head was trained on: Stable Diffusion 1.4's, not its running average."""
BESIDE = ("first_stage_model.", "cond_stage_model.")
PRESET = "sd1"
SIGN = b"attentionpool2D"
"""Stands in the names of an LD-ZNet, and of no Stable Diffusion checkpoint."""
ENTRY = "input_blocks.0.0.weight"
TEXT_KEYS = "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
GRID = "input_blocks.8.1.attentionpool2D.positional_embedding"
MID_GRID = "middle_block.1.attentionpool2D.positional_embedding"


@dataclass(frozen=True, kw_only=True)
class OfficialHead:
    """A head found in a checkpoint that is still open.

    `found`: our names to where its tensors lie. `averaged`: whether these are the weights the authors predict with, or only the
    raw ones of training. `overrides`: fields of the preset `sd1` to replace. `steps`: of training, where the file says so.
    """

    found: Mapping[str, TensorReference]
    averaged: bool
    overrides: dict[str, Any]
    steps: int | None

    @property
    def parameters(self) -> int:
        """How many numbers it has: 925,882,936 in the published size."""
        return sum(prod(one.shape) for one in self.found.values())


def looks_official(path: str | os.PathLike[str]) -> bool:
    """Whether a file is torch's and names the parts of an LD-ZNet; cheap, and nothing of it is run."""
    if Path(path).suffix.lower() not in ENDINGS:
        return False
    try:
        with TensorFile(path) as file:
            return SIGN in file.program
    except LdznetError:
        return False


def find_head(file: TensorFile) -> OfficialHead:
    """The head in an open checkpoint; HeadError names what is missing, misshaped or strange. No tensor is read."""
    references, what = file.references(), file.path.name
    averaged = any(name.startswith(AVERAGED) and name not in COUNTERS for name in references)
    overrides = _overrides(references, averaged, what)
    found = _pick(_shapes(overrides, what), references, averaged, what)
    return OfficialHead(found=found, averaged=averaged, overrides=overrides, steps=file.number("global_step"))


def find_diffusion(file: TensorFile) -> dict[str, TensorReference]:
    """The frozen diffusion model in an open checkpoint under a CompVis checkpoint's names, as far as it is there.

    Its UNet as `model.diffusion_model.*`; the auto-encoder and the text encoder as they are called in both. Empty: no UNet.
    """
    references = file.references()
    unet = {RAW + name[len(FROZEN) :]: one for name, one in references.items() if name.startswith(FROZEN)}
    beside = {name: one for name, one in references.items() if name.startswith(BESIDE)}
    return {**unet, **beside} if unet else {}


def stored(
    file: TensorFile, found: Mapping[str, TensorReference], dtype: str | None, error: type[LdznetError] = HeadError
) -> dict[str, Stored]:
    """Tensors of an open checkpoint as they are to be written. dtype: a name in torch, or None for each one's own."""
    return {name: _stored(file, name, reference, dtype, error) for name, reference in found.items()}


def stored_name(name: str, averaged: bool) -> str:
    """What one of our names is called in the file.

    >>> stored_name("out.2.bias", averaged=False), stored_name("out.2.bias", averaged=True)
    ('model.diffusion_model.out.2.bias', 'model_ema.diffusion_modelout2bias')
    """
    return AVERAGED + f"diffusion_model.{name}".replace(".", "") if averaged else RAW + name


def _stored(
    file: TensorFile, name: str, reference: TensorReference, dtype: str | None, error: type[LdznetError]
) -> Stored:
    own = reference.dtype if reference.dtype in NAMES else "float32"
    written = own if dtype is None or own == "int64" else dtype

    def read() -> "Tensor":
        import torch

        tensor = file.tensor(reference).to(getattr(torch, written))
        if not bool(torch.isfinite(tensor).all()):
            raise error(
                f"{file.path.name} has numbers in {name} that are none in {written}; expected weights, so choose --dtype fp32 or "
                "fetch the file again."
            )
        return tensor

    return Stored(shape=reference.shape, dtype=written, read=read)


def _overrides(found: Mapping[str, TensorReference], averaged: bool, what: str) -> dict[str, Any]:
    """The widths and grids in the file where they differ from the preset's."""
    names = {name: stored_name(name, averaged) for name in (ENTRY, TEXT_KEYS, GRID, MID_GRID)}
    told = {name: found[there].shape for name, there in names.items() if there in found}
    if any(len(shape) < 2 for shape in told.values()) or len(told) < len(names):
        lacking = [there for name, there in names.items() if len(told.get(name, ())) < 2]
        raise HeadError(
            f"{what} has no LD-ZNet in it: it lacks {_some(lacking)}, and holds {_groups(found)}; expected the authors' "
            "LDZNet_txt2mask.ckpt, so choose that file."
        )
    read = {
        "model_channels": told[ENTRY][0],
        "context_dim": told[TEXT_KEYS][1],
        "grid": isqrt(max(0, told[GRID][1] - 1)),
        "mid_grid": isqrt(max(0, told[MID_GRID][1] - 1)),
    }
    preset = get_preset(PRESET)
    return {name: value for name, value in read.items() if value != getattr(preset, name)}


def _shapes(overrides: dict[str, Any], what: str) -> "dict[str, torch.Size]":
    """The names and shapes of the head these settings make; nothing is set aside for its weights."""
    import torch

    from ldznet_ext.nets.heads import build_head

    if overrides.get("model_channels", 0) > 1280 or overrides.get("context_dim", 0) > 4096:
        raise HeadError(f"{what} has widths of no LD-ZNet; expected the authors' checkpoint, so choose that file.")
    try:
        with torch.device("meta"):
            head = build_head("ldznet", PRESET, **overrides)
    except LdznetError:
        raise
    except BAD_SETTINGS as error:
        raise HeadError(
            f"{what} has widths of no LD-ZNet ({error}); expected the authors' checkpoint, so choose that file."
        ) from error
    return {name: tensor.shape for name, tensor in head.state_dict().items()}


def _pick(
    shapes: "Mapping[str, torch.Size]", found: Mapping[str, TensorReference], averaged: bool, what: str
) -> dict[str, TensorReference]:
    """Every tensor of the head under our name; HeadError where one is missing, of another shape, or too many."""
    expected = {stored_name(name, averaged): name for name in shapes}
    prefix = AVERAGED if averaged else RAW
    lists: list[tuple[str, Callable[[], list[str]]]] = [
        ("lacks", lambda: [there for there in expected if there not in found]),
        ("has", lambda: [there for there in found if there.startswith(prefix) and there not in (*expected, *COUNTERS)]),
    ]
    for verb, names in lists:
        if wrong := names():
            more = "" if verb == "lacks" else ", which no LD-ZNet has"
            raise HeadError(
                f"{what} {verb} {_some(wrong)}{more}; expected exactly the {len(shapes)} tensors of an LD-ZNet, so fetch it "
                "again or choose the authors' own checkpoint."
            )
    picked = {name: found[there] for there, name in expected.items()}
    wrong = [name for name, reference in picked.items() if reference.shape != tuple(shapes[name])]
    if wrong:
        got, wanted = list(picked[wrong[0]].shape), list(shapes[wrong[0]])
        raise HeadError(
            f"{what} has {wrong[0]} of shape {got}; expected {wanted}, so choose the authors' own checkpoint."
        )
    return picked


def _some(names: Iterable[str]) -> str:
    listed = [f"{name:.120}" for name in names]
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")


def _groups(names: Iterable[str]) -> str:
    """What a file holds, by the first part of its names."""
    counted = Counter(f"{name.partition('.')[0]:.40}" for name in names).most_common(4)
    return ", ".join(f"{name} ({count:,})" for name, count in counted) or "no tensors"
