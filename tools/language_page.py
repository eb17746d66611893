"""Draw the pictures of docs/words.md: one for each sign of the mask language, by running the language.

`python tools/language_page.py` (it needs the art: `ldznet world fetch`) paints a scene of Sticker World, walks each expression
through the whole pipeline, and writes what comes out into docs/images/words/ and the page. The shipped head does not tell one
object from another yet, so the maps it starts from are the scene's true outlines, more or less sure; `--model NAME` takes those
of a model and its head instead.
"""

import argparse
import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from PIL import Image

from ldznet_ext.masks.overlay import overlay

if TYPE_CHECKING:
    from ldznet_ext.backbone import Backbone
    from ldznet_ext.request import SegmentRequest
    from ldznet_ext.segmenters.base import Clock, Evidence
    from ldznet_ext.segmenters.view import View
    from ldznet_ext.world.scenes import Scene

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE, FOLDER = DOCS / "words.md", DOCS / "images" / "words"
SCENE = {"seed": 7, "index": 908, "split": "train", "styles": ("fluent",)}
"""Two foxes, one of them small, and a bear that is partly behind the other, on grass at sunset."""
SURE = {
    "fox": {"large fox": 0.97, "small fox": 0.75, "teddy bear": 0.35},
    "teddy bear": {"teddy bear": 0.95},
    "animal": {"large fox": 0.97, "small fox": 0.95, "teddy bear": 0.95},
    "grass": {"grass": 0.97},
}
"""How sure each phrase is of each thing; of all else it is so sure as `ELSE`."""
ELSE = 0.03
START, END = "<!-- pictures: tools/language_page.py -->", "<!-- end of pictures -->"
COLUMNS, SIDE, QUALITY, PALE = 4, 192, 80, 0.72


@dataclass(frozen=True)
class Example:
    """One picture of the page: its file's name, its expression, what is to be seen."""

    name: str
    words: str
    told: str


EXAMPLES = (
    Example("phrase", "fox", "one phrase"),
    Example("or", "fox | teddy bear", "where one of them is"),
    Example("not", "!fox", "all but the foxes"),
    Example("and-not", "animal & !fox", "the animals that are no foxes"),
    Example("and", "fox +14 & grass", "where both are: the grass round the foxes"),
    Example("parentheses", "!(animal | grass)", "what is neither"),
    Example("instance-1", "fox#1", "the largest fox"),
    Example("instance-2", "fox#2", "the next"),
    Example("all-but-one", "fox & !fox#1", "all foxes but the largest"),
    Example("grow", "fox +10", "larger by 10 pixels all round"),
    Example("shrink", "fox -10", "smaller by 10"),
    Example("not-grown", "!fox +10", "all but the grown foxes"),
    Example("threshold-high", "fox@0.8", "only what is surely a fox: the small one has 0.75"),
    Example("threshold-low", "fox@0.3", "also what is a little like one: the bear has 0.35"),
    Example("weight", "fox*1.5", "so does more weight: its 0.35 counts 0.52"),
    Example("weight-less", "fox*0.6", "and less: the small one's 0.75 counts 0.45"),
)


class Truth:
    """A method that sees each phrase where it is, as surely as `SURE` says."""

    name = "truth"
    needs: frozenset[str] = frozenset()
    rank: ClassVar[int] = 0
    any_length: ClassVar[bool] = False

    def __init__(self, things: Mapping[str, np.ndarray]) -> None:
        """things: name -> bool (h w)."""
        self.things = things

    def evidence(
        self, backbone: "Backbone", view: "View", phrases: Sequence[str], request: "SegmentRequest", clock: "Clock"
    ) -> "Evidence":
        """Logits of the picture's size, which is the network's."""
        from ldznet_ext.segmenters.base import Evidence

        probs = np.stack([prob_of(self.things, SURE[phrase]) for phrase in phrases])
        return Evidence(logits=np.log(probs / (1 - probs)), scores=np.ones(len(phrases), np.float32), calibrated=True)


def prob_of(things: Mapping[str, np.ndarray], sure: Mapping[str, float]) -> np.ndarray:
    """A phrase's probability, float32 (h w): of each thing as sure as it says."""
    prob = np.full(next(iter(things.values())).shape, ELSE, np.float32)
    for name, level in sure.items():
        prob[things[name]] = level
    return prob


def things_of(scene: "Scene") -> dict[str, np.ndarray]:
    """The scene's true outlines by the names of `SURE`."""
    foxes = sorted((one for one in scene.objects if one.concept.name == "fox"), key=lambda one: -one.extent)
    bear = next(one for one in scene.objects if one.concept.name == "teddy bear")
    named = zip(("large fox", "small fox", "teddy bear"), (*foxes, bear), strict=True)
    return {**{name: one.mask for name, one in named}, "grass": scene.ground_mask}


def draw(picture: np.ndarray, mask: np.ndarray | None) -> bytes:
    """The picture, uint8 (h w 3), small, as WebP; what is outside a mask (bool h w) is pale and grey, and it has an outline."""
    shown = picture
    if mask is not None:
        grey = picture.mean(-1, keepdims=True) * (1 - PALE) + 255 * PALE
        shown = overlay(np.where(mask[..., None], picture, grey).astype(np.uint8), mask, tint=0)
    small = Image.fromarray(shown).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    small.save(stream, "WEBP", quality=QUALITY, method=6)
    return stream.getvalue()


def gallery() -> str:
    """The page's part with the pictures: rows of pictures, each with its expression and what is to be seen below."""
    cells = []
    for one in EXAMPLES:
        shown = one.words.replace("|", "\\|")
        cells.append((f"![{shown}](images/words/{one.name}.webp)", f"`{shown}`<br>{one.told}"))
    cells += [("", "")] * (-len(cells) % COLUMNS)
    lines = []
    for start in range(0, len(cells), COLUMNS):
        lines += [f"| {' | '.join(part)} |" for part in zip(*cells[start : start + COLUMNS], strict=True)]
    lines.insert(1, "|" + "---|" * COLUMNS)
    return "\n".join([START, "", "![The scene](images/words/scene.webp)", "", *lines, "", END])


def main(arguments: Sequence[str]) -> int:
    """Write the pictures and their part of the page."""
    parser = argparse.ArgumentParser(description="Draw the pictures of docs/words.md.")
    parser.add_argument("--model", help="take the maps of this model and its head in place of the true outlines")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the pictures (default: docs/images/words)")
    given = parser.parse_args(arguments)
    from ldznet_ext import load_backbone, segment
    from ldznet_ext.world.scenes import scene

    painted = scene(**SCENE)
    method: Any = None if given.model else Truth(things_of(painted))
    backbone = load_backbone(given.model)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "scene.webp").write_bytes(draw(painted.picture, None))
    for one in EXAMPLES:
        result = segment(painted.picture, one.words, backbone=backbone, method=method, refine=method is None)
        (given.out / f"{one.name}.webp").write_bytes(draw(painted.picture, result.mask))
    if given.out == FOLDER:
        before, _, rest = PAGE.read_text("utf-8").partition(START)
        PAGE.write_text(before + gallery() + rest.partition(END)[2], "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
