"""docs/edges.md, written from what `benchmarks/edges.py` found."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from benchmarks.edge_cases import Case
from benchmarks.edge_scores import MAGENTA, Row, on
from ldznet_ext.geometry import Box
from ldznet_ext.masks.foreground import foreground
from ldznet_ext.masks.matting import alpha

Found = Mapping[str, Sequence[Row]]
SHOWN = {
    "brown hair": Box(60, 0, 220, 120),
    "fair hair": Box(40, 10, 200, 130),
    "veil": Box(60, 40, 220, 160),
    "mosquito": Box(180, 50, 340, 170),
    "bicycle": Box(90, 100, 250, 220),
}
"""Which things are shown, and which part of them."""
ENLARGED = 2
KINDS = ("hair", "soft", "art")


def tables(found: Found) -> str:
    """The tables alone, as Markdown."""
    titles = {"alpha": "Alpha", "halo": "On magenta", "refinement": "Refinement", "cost": "Cost"}
    parts = ((titles[name], table) for name, table in _tables(found).items())
    return "\n\n".join(f"{title}\n\n{table}" for title, table in parts)


def write_page(folder: Path, found: Found, drawn: Iterable[Case]) -> None:
    """edges.md and images/edges/*.webp."""
    pictures = folder / "images" / "edges"
    pictures.mkdir(parents=True, exist_ok=True)
    shown = {case.thing.name: case for case in reversed(list(drawn)) if case.thing.name in SHOWN}
    for name in SHOWN:
        sheet = Image.fromarray(_sheet(shown[name], SHOWN[name]))
        sheet.save(pictures / f"{name.replace(' ', '_')}.webp", quality=80, method=6)
    lines = [
        f"| {name}, on {shown[name].ground} | ![{name}](images/edges/{name.replace(' ', '_')}.webp) |" for name in SHOWN
    ]
    page = PAGE.format(pictures="\n".join(lines), **_tables(found))
    (folder / "edges.md").write_text(page, encoding="utf-8")


def _sheet(case: Case, part: Box) -> np.ndarray:
    """The picture, the hard cut-out, ours and the truth on magenta, side by side, enlarged: uint8 (h w 3)."""
    mask = case.hard()
    soft = alpha(case.picture, mask)
    views = (
        case.picture.astype(float),
        on(mask, case.picture),
        on(soft, foreground(case.picture, soft)),
        case.on(MAGENTA),
    )
    cuts = [np.rint(np.clip(view, 0, 255)).astype(np.uint8)[part.slices] for view in views]
    size = (part.size.width * ENLARGED, part.size.height * ENLARGED)
    large = [cv2.resize(cut, size, interpolation=cv2.INTER_NEAREST) for cut in cuts]
    gap = np.full((size[1], 4, 3), 255, np.uint8)
    return np.hstack([piece for view in large for piece in (view, gap)][:-1])


def _tables(found: Found) -> dict[str, str]:
    return {
        "alpha": _alpha(found["alpha"]),
        "halo": _table(
            ["alpha", "colours", "hair", "soft edge", "art", "all"],
            [[row["alpha"], row["colours"], *(f"{row[key]:.1f}" for key in (*KINDS, "all"))] for row in found["halo"]],
        ),
        "refinement": _table(
            ["maps", "refinement", "masks", "IoU", "boundary IoU"],
            [
                [row["maps"], row["refinement"], row["masks"], f"{row['iou']:.3f}", f"{row['boundary_iou']:.3f}"]
                for row in found["refinement"]
            ],
        ),
        "cost": _table(
            ["picture", "alpha", "memory", "colours", "memory"],
            [
                [
                    row["size"],
                    *(
                        cell
                        for name in ("alpha", "colours")
                        for cell in (f"{row[f'{name}_seconds']:.2f} s", f"{row[f'{name}_mb']:.0f} MB")
                    ),
                ]
                for row in found["cost"]
            ],
        ),
    }


def _alpha(rows: Sequence[Row]) -> str:
    """A line a mask and method; of each kind SAD, MSE and gradient error."""
    lines: dict[tuple[object, object], dict[object, str]] = {}
    for row in rows:
        cell = f"{row['sad']:.2f} · {row['mse']:.1f} · {row['gradient']:.0f}"
        lines.setdefault((row["mask"], row["method"]), {})[row["kind"]] = cell
    cells = [[*names, *(kinds[kind] for kind in KINDS)] for names, kinds in lines.items()]
    return _table(["mask given", "method", "hair", "soft edge", "art"], cells)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


PAGE = """# Edges: soft alpha, cut-outs without a halo, refinement, SAM

A mask says yes or no to every pixel; a hair covers a fifth of one. This page says what is done about it and what it gains.
It is written by `python benchmarks/edges.py --docs docs`: all figures and pictures are its own.

## Soft alpha

`--alpha` on the command line, *soft alpha* in the panel, `"alpha": true` over the API, or

```python
from ldznet_ext.masks.matting import alpha, foreground

soft = alpha(picture, mask)  # uint8 (h w): in a band along the mask's edge, how much of each pixel is the object
colours = foreground(picture, soft)  # uint8 (h w 3): the object's own colours there, without the ground's
```

The band is 2 % of the picture's side to either side of the edge (10 pixels at 512x512; `band=` sets another), and outside of
it the mask stays as it is, byte for byte. In the band alpha is solved for by closed-form matting (Levin, Lischinski, Weiss 2006),
held to the mask where a part is thin, so that whiskers without a sure pixel near them do not melt away. The colours are unmixed
by multi-level estimation (Germer and others 2020). What stands out farther than the band is not found, and what is see-through
deep inside, like an insect's wing, stays opaque: draw hair into the mask roughly, or widen the band.

From left to right: the picture, cut out by the best mask of whole pixels, cut out softly, and the truth. Enlarged twice.

| | |
|---|---|
{pictures}

### How far from the truth

Twelve things with known alpha, each on two grounds, 320x384: three balls with hair, a veil whose edge fades over twenty
pixels, eight pieces of emoji art with thin or see-through parts. Each cell: SAD (thousands of pixels) · MSE (x 1000) · gradient
error; less is better. The *true mask* is the truth cut at a half; the *32-cell mask* is what a network with a map that coarse
would give, refined: of a hair or a spoke it knows little, and no band makes up for that.

{alpha}

The guided filter is the other method that was tried. It is worse with a good mask, above all where something is thin, and a
little better for hair with a coarse one.

### The halo

Mean error of colour, 0-255, of the cut-out laid on magenta, over the pixels that are partly covered and those next to them.
*Closed form* with *the picture's own* colours is what one gets without unmixing: the ground's green still shines in the hair.

{halo}

### What it costs

Processor time; memory is what is asked for beyond picture and mask. The band of a large picture is solved at a
smaller size (at most 100,000 unknown pixels) and carried to its own size by the local linear models that the method rests on.

{cost}

## Refinement

Unless `--no-refine` says otherwise, the edges of the network's map move onto those of the picture before anything is cut: a
guided filter in three rounds (`masks/refine.py`). Boundary IoU (Cheng and others 2021) looks only at a band of 2 % of the
diagonal along the edge. Over the 64 test scenes in `tests/data/sticker_test`, the phrases that name an object that is there:

{refinement}

Steeper steps between the rounds gained another 0.02 of boundary IoU on degraded true maps and lost 0.002 on the model's, so they
were left as they are.

## Segment Anything

`--sam` hands the mask to Meta's Segment Anything, where its weights are there: its box, points in and outside of it, and the mask
itself as a coarse map, a piece at a time. Of its three answers the one that overlaps best with ours is taken; below an IoU of 0.6
ours is kept, and a sentence says so. Nothing is ever downloaded. The weights are looked for in

- the file that `LDZNET_SAM` names,
- `sam/` in each model folder (`models/sam/` of this checkout, those of `LDZNET_MODELS`, the user's cache),
- in a web UI also `models/sam/`, and `models/sam/` of the segment-anything extension, where that keeps them.

Meta's `sam_vit_b_01ec64.pth` (375 MB), `sam_vit_l_0b3195.pth` and `sam_vit_h_4b8939.pth` are read directly, tensors only: the
pickle's program is not run. The same as .safetensors, or transformers' own `model.safetensors` of `facebook/sam-vit-base`, will
do too; MobileSAM and SAM-HQ are other networks and are passed over. The network is that of the library transformers (4.29 or
newer), which the stand-alone program and the web UIs carry.

No real weights were at hand: what is proven is that a tiny SAM in the official layout gives the official code's numbers (to
1e-5, with transformers 4.30, 4.46, 4.48 and 5.23), and that a network that knows the truth mends a mask. What it gains on
pictures is not measured.

ViT-B reads a picture of any size in about half a minute of one core; what it read is kept for the next words. It runs where the
diffusion model runs, and on the CPU where there is no room for it; on a GPU it was not tried.
"""
