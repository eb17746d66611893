"""The report's real tools: training by recipe, segmenting through the pipeline, img2img by the loaded model."""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ldznet_ext.backbone import Backbone, default_backbone, load_backbone
from ldznet_ext.errors import HeadError, LdznetError, ModelError
from ldznet_ext.eval.judge import find_judge, load_judge
from ldznet_ext.eval.plan import TRAIN_STYLE, Budget
from ldznet_ext.eval.run import Segment
from ldznet_ext.eval.toolbox import Find, Generate, Repaint, Tools
from ldznet_ext.eval.tools_untrained import untrained_with
from ldznet_ext.result import Segmentation
from ldznet_ext.weights import sha256_of

HEAD_RECIPE = "head"


def default_tools(model: str | None = None, device: str | None = None, classifier: Path | None = None) -> Tools:
    """Tools around one loaded diffusion model (None: Sticker-SD). Raises ModelError when it cannot be loaded.

    `classifier`: the judge's file (None: one in the model folders or in runs/classifier, else no judge).
    """
    backbone, mark = open_backbone(model, device)
    shipped = _shipped(backbone.family)
    return Tools(
        train=partial(train_head, _folder(model)),
        open=partial(open_head, backbone),
        redraw=partial(redraw, backbone),
        shipped=shipped,
        model=mark,
        paint=paint_with(backbone),
        repaint=repaint_with(backbone),
        find=find_with(backbone, shipped) if shipped is not None else None,
        reconstruct=reconstruct_with(backbone),
        judge=None if (judge := find_judge(classifier)) is None else load_judge(judge),
        untrained=untrained_with(backbone, shipped),
    )


def open_backbone(model: str | None = None, device: str | None = None) -> tuple[Backbone, str]:
    """A loaded diffusion model (None: Sticker-SD) and a mark of its weights. Raises ModelError."""
    backbone = load_backbone(model, device) if model or device else default_backbone()
    return backbone, f"{backbone.name} {_weights(model)}"


def paint_with(backbone: Backbone) -> Generate:
    """Text to pictures (b h w 3) uint8: 20 DDIM steps, guidance 5."""
    from ldznet_ext.generate import to_picture

    def generate(prompts: Sequence[str], seeds: Sequence[int]) -> np.ndarray:
        return to_picture(backbone.decode(backbone.generate(list(prompts), list(seeds))))

    return generate


def repaint_with(backbone: Backbone) -> Repaint:
    """Inpainting as `ldznet edit` does it, everything at its default."""
    from ldznet_ext.inpaint import inpaint

    def repaint(picture: np.ndarray, mask: np.ndarray, prompt: str, seed: int) -> np.ndarray:
        return np.array(inpaint(picture, mask, prompt, backbone=backbone, seed=seed))

    return repaint


def find_with(backbone: Backbone, head: Path) -> Find:
    """The mask of some words, by a head, with edges refined."""
    segment = open_head(backbone, head, True)
    return lambda picture, words: segment(picture, [words]).mask


def reconstruct_with(backbone: Backbone) -> Callable[[np.ndarray], np.ndarray]:
    """Encode and decode a picture (uint8 h w 3) whose sides are multiples of 8."""
    import torch

    from ldznet_ext.generate import to_picture

    def reconstruct(picture: np.ndarray) -> np.ndarray:
        pixels = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))).float() / 127.5 - 1
        return to_picture(backbone.decode(backbone.encode(pixels[None])))[0]

    return reconstruct


def shipped_head(family: str) -> Path:
    """The LD-ZNet head in the model folders; HeadError without one."""
    head = _shipped(family)
    if head is None:
        raise HeadError(
            f"There is no LD-ZNet head of family '{family}' in the model folders; expected one to find words by."
        )
    return head


def digest(text: str) -> str:
    """A short name for a folder that belongs to these weights."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def file_mark(path: Path) -> str:
    """A mark of a file's content."""
    return sha256_of(path)[:16]


def train_head(sticker_sd: Path, kind: str, seed: int, budget: Budget, out: Path) -> None:
    """Train one network of the comparison into `out`, on one style; a killed training goes on from its checkpoint.

    All kinds share the recipe, the seed's scenes and the start, the UNet of the diffusers folder `sticker_sd`.
    """
    from ldznet_ext.train.cli import build_task
    from ldznet_ext.train.loop import train
    from ldznet_ext.train.recipe import load_recipe

    recipe = load_recipe(HEAD_RECIPE).with_budget(minutes=budget.minutes, steps=budget.steps)
    model = {**recipe.model, "head": kind, "sticker_sd": str(sticker_sd), "rest": []}
    data = {**recipe.data, "styles": [TRAIN_STYLE], "calibration_scenes": 96, "calibration_paintings": 0}
    loss = {**recipe.loss, "contrast": 0.0}  # by masks alone, as in the paper
    recipe = replace(recipe, seed=recipe.seed + seed, start="", model=model, data=data, loss=loss)
    folder = train(build_task(recipe), recipe, out.with_suffix(""))
    shutil.copyfile(_exported(folder, kind), out)


def open_head(backbone: object, head: Path, refine: bool) -> Segment:
    """A segmenter of the pipeline's, from a head's file."""
    from ldznet_ext.pipeline import segment
    from ldznet_ext.weights import read_info

    kind = read_info(head).kind

    def run(picture: np.ndarray, phrases: list[str]) -> Segmentation:
        return segment(picture, phrases, backbone=backbone, method=kind, head=head, refine=refine)

    return run


def redraw(backbone: object, picture: np.ndarray, caption: str, strength: float, seed: int) -> np.ndarray:
    """The picture (uint8 h w 3) passed through img2img: repainted everywhere, from its own noised latent."""
    from ldznet_ext.inpaint import inpaint

    everywhere = np.ones(picture.shape[:2], bool)
    return np.array(inpaint(picture, everywhere, caption, backbone=backbone, seed=seed, strength=strength, feather=0))


def _shipped(family: str) -> Path | None:
    from ldznet_ext.weights import find_heads

    return next((path for path, _ in find_heads(family, "ldznet")), None)


def _exported(folder: Path, kind: str) -> Path:
    """The head a training left in its folder, whatever its name."""
    from ldznet_ext.weights import read_info

    for path in sorted(folder.glob("*.safetensors")):
        try:
            if read_info(path).kind == kind:
                return path
        except LdznetError:  # the checkpoint
            continue
    raise HeadError(f"The training left no head of kind '{kind}' in {folder}; expected one, so run it again.")


def _folder(model: str | None) -> Path:
    """The diffusers folder of the model: heads are trained from it."""
    from ldznet_ext.weights import DEFAULT_MODEL, find_model

    path = Path(model) if model and Path(model).is_dir() else find_model(model or DEFAULT_MODEL)
    if path is None or not path.is_dir():
        raise ModelError(
            f"The model '{model or DEFAULT_MODEL}' is not a folder in the diffusers layout; the report trains from one, so "
            "name it, or put sticker-sd into models/."
        )
    return path


def _weights(model: str | None) -> str:
    """A mark that changes with the weights' files, so that cells of older weights are not kept."""
    path = _folder(model)
    files = sorted(path.rglob("*.safetensors"))
    return " ".join(f"{file.stat().st_size}:{_head_and_tail(file)}" for file in files)


def _head_and_tail(file: Path, length: int = 1 << 16) -> str:
    with file.open("rb") as stream:
        first = stream.read(length)
        stream.seek(max(0, file.stat().st_size - length))
        return hashlib.sha256(first + stream.read()).hexdigest()[:12]
