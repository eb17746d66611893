"""The demo as one picture: two rows of four panels, each with what it is and what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from ldznet_ext.cli.demo_story import Failure, Step, Story

SIDE = 288
"""Pixels of a panel's picture; a picture of another shape is fitted in."""
GAP, TITLE, NOTE = 20, 30, 46
INK, SOFT, GROUND, WELL, LINE = (24, 24, 27), (105, 105, 115), (255, 255, 255), (241, 241, 244), (212, 212, 216)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A picture's file (None: there is none, and `note` says why) with a title above and a note below."""

    file: str | None
    title: str
    note: str


def sheet(story: Story) -> Image.Image:
    """Draw the sheet, RGB."""
    rows = [first_row(story), second_row(story)]
    columns = max(len(row) for row in rows)
    height = TITLE + SIDE + NOTE + GAP
    canvas = Image.new("RGB", (GAP + columns * (SIDE + GAP), GAP + len(rows) * height), GROUND)
    for y, row in enumerate(rows):
        for x, panel in enumerate(row):
            _draw(canvas, panel, story, (GAP + x * (SIDE + GAP), GAP + y * height))
    return canvas


def first_row(story: Story) -> list[Panel]:
    """Picture, what was found, its mask, the repaint."""
    words = quoted(story.generate)
    edited = story.edit.picture("image")
    note = f"seed {story.edit.answer['seed']}, {story.edit.seconds:.1f} s" if edited else "nothing was repainted"
    return [
        Panel(
            file=story.generate.picture("image"),
            title="words to a picture",
            note=f"“{story.prompt}”, seed {story.generate.answer['seed']}, {story.generate.seconds:.1f} s",
        ),
        Panel(file=story.generate.picture("overlay"), title=f"find {words}", note=verdict(story.generate)),
        Panel(file=story.generate.picture("mask"), title="the mask", note=measured(story.generate)),
        Panel(file=edited, title=f"{words} to “{story.new}”", note=note),
    ]


def second_row(story: Story) -> list[Panel]:
    """What is not there, and the failure."""
    absent = Panel(
        file=story.absent.picture("overlay"), title=f"find {quoted(story.absent)}", note=verdict(story.absent)
    )
    return [absent, *(_failure(story.failure) if story.failure else ())]


def _failure(failure: Failure) -> Sequence[Panel]:
    tried = f"the worst of what was found in {len(failure.tried)} test scenes"
    return [
        Panel(file=failure.source, title=f"a failure: “{failure.phrase}”", note=tried),
        Panel(file=failure.truth, title="its true mask", note="from the scene itself"),
        Panel(file=failure.step.picture("mask"), title=f"IoU {failure.iou:.2f}", note=verdict(failure.step)),
    ]


def quoted(step: Step) -> str:
    """The words a step looked for."""
    return " and ".join(f"“{phrase['text']}”" for phrase in step.mask["phrases"])


def verdict(step: Step) -> str:
    """What came of each phrase: its status and score."""
    return ", ".join(f"{phrase['status']}, score {phrase['score']:.2f}" for phrase in step.mask["phrases"])


def measured(step: Step) -> str:
    """How much of the picture the mask covers and what it cost beyond the painting."""
    height, width = step.mask["size"]
    area = sum(phrase["area"] for phrase in step.mask["phrases"])
    calls = step.answer.get("extra_unet_calls", step.mask["unet_calls"])
    return f"{area / (height * width):.0%} of {width}x{height} pixels, {calls} extra passes of the diffusion model"


def _draw(canvas: Image.Image, panel: Panel, story: Story, at: tuple[int, int]) -> None:
    draw, (x, y) = ImageDraw.Draw(canvas), at
    _text(draw, panel.title, (x, y), size=17, colour=INK, lines=1)
    top = y + TITLE
    draw.rectangle((x, top, x + SIDE - 1, top + SIDE - 1), fill=WELL)
    if panel.file:
        with Image.open(story.folder / panel.file) as picture:
            fitted = picture.convert("RGB")
        scale = SIDE / max(fitted.size)
        size = (max(1, round(fitted.width * scale)), max(1, round(fitted.height * scale)))
        fitted = fitted.resize(size, Image.Resampling.LANCZOS)
        canvas.paste(fitted, (x + (SIDE - fitted.width) // 2, top + (SIDE - fitted.height) // 2))
    draw.rectangle((x - 1, top - 1, x + SIDE, top + SIDE), outline=LINE)
    _text(draw, panel.note, (x, top + SIDE + 6), size=13, colour=SOFT, lines=2)


def _text(
    draw: ImageDraw.ImageDraw, text: str, at: tuple[int, int], *, size: int, colour: tuple[int, int, int], lines: int
) -> None:
    """Text broken between words into at most `lines` lines of a panel's width, cut with dots beyond."""
    font = ImageFont.load_default(size)
    rows: list[str] = []
    for word in text.split():
        longer = f"{rows[-1]} {word}" if rows else word
        if rows and draw.textlength(longer, font=font) <= SIDE:
            rows[-1] = longer
        else:
            rows.append(word)
    if len(rows) > lines:
        last = rows[lines - 1]
        while draw.textlength(f"{last} ...", font=font) > SIDE:
            last = last[:-1].rstrip()
        rows = [*rows[: lines - 1], f"{last} ..."]
    for number, row in enumerate(rows):
        draw.text((at[0], at[1] + number * (size + 5)), row, font=font, fill=colour)
