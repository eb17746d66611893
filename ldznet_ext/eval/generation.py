"""How often the generator paints what its prompt names, as a classifier trained on scenes alone sees it.

Every named object with a few seeds, each seed on a ground of its own; the classifier must answer with that object first.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ldznet_ext.eval.cells import kept_picture, write_json
from ldznet_ext.eval.judge import Judge
from ldznet_ext.eval.metrics import bootstrap
from ldznet_ext.eval.run import Progress
from ldznet_ext.eval.toolbox import Generate
from ldznet_ext.world.captions import article
from ldznet_ext.world.concepts import named

SETTINGS = ("{} on grass, blue sky", "{}, plain white background", "{} on snow, night", "{} on sand, sunset")
"""What stands around the object's name, by seed: captions of the kind the diffusion model was trained on."""
SEEDS = 4
BATCH = 8
_TILE, _LABEL, _COLUMNS = 128, 18, 8
_INK = (40, 44, 52)


def prompt_of(name: str, seed: int) -> str:
    """The prompt for an object.

    >>> prompt_of("owl", 1)
    'an owl, plain white background'
    """
    return SETTINGS[seed % len(SETTINGS)].format(article(name))


def judge_generation(
    generate: Generate,
    judge: Judge,
    *,
    objects: Sequence[str] | None = None,
    seeds: int = SEEDS,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, object]:
    """Paint `objects` (None: the 64 named) `seeds` times each and ask the judge.

    "found" is the part of pictures whose named object is the judge's strongest answer, "top3" among its three strongest;
    the intervals resample objects. `folder`: pictures are kept there, and read where they already are.
    """
    names = [concept.name for concept in named()] if objects is None else list(objects)
    tasks = [(name, seed) for name in names for seed in range(seeds)]
    ranks: list[int] = []
    for start in range(0, len(tasks), BATCH):
        some = tasks[start : start + BATCH]
        ranks += judge.ranks(pictures_of(generate, some, folder), [name for name, _ in some])
        if progress is not None:
            progress(len(ranks), len(tasks))
    first, third = np.array(ranks) == 0, np.array(ranks) < 3
    owners = [name for name, _ in tasks]
    return {
        "found": float(first.mean()),
        "interval": list(bootstrap(first.tolist(), owners)),
        "top3": float(third.mean()),
        "top3_interval": list(bootstrap(third.tolist(), owners)),
        "pictures": len(tasks),
        "objects": len(names),
        "seeds": seeds,
        "judge_accuracy": judge.accuracy,
        "by_object": {name: float(first[np.array(owners) == name].mean()) for name in names},
    }


def pictures_of(generate: Generate, tasks: Sequence[tuple[str, int]], folder: Path | None) -> np.ndarray:
    """Pictures (b h w 3) of (object, seed) pairs; those not kept in `folder` are painted together, then kept."""
    paths = [picture_path(folder, name, seed) if folder is not None else None for name, seed in tasks]
    missing = [number for number, path in enumerate(paths) if path is None or not path.is_file()]
    fresh: dict[int, np.ndarray] = {}
    if missing:
        some = [tasks[number] for number in missing]
        painted = generate([prompt_of(*task) for task in some], [seed for _, seed in some])
        fresh = dict(zip(missing, painted, strict=True))
    return np.stack([
        fresh[number] if path is None else kept_picture(path, lambda number=number: fresh[number])
        for number, path in enumerate(paths)
    ])  # fmt: skip


def picture_path(folder: Path, name: str, seed: int) -> Path:
    """Where a picture is kept."""
    return folder / f"{name.replace(' ', '-')}-{seed}.png"


def sample_sheet(path: Path, pictures: Mapping[str, np.ndarray]) -> None:
    """Draw one captioned tile an object, eight a row. Picked by number, not by taste: see `shown`."""
    from PIL import Image, ImageDraw, ImageFont

    rows = -(-len(pictures) // _COLUMNS)
    canvas = Image.new("RGB", (_COLUMNS * _TILE, rows * (_TILE + _LABEL)), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default()
    for number, (name, picture) in enumerate(pictures.items()):
        x, y = number % _COLUMNS * _TILE, number // _COLUMNS * (_TILE + _LABEL)
        tile = Image.fromarray(picture).resize((_TILE - 2, _TILE - 2), Image.Resampling.LANCZOS)
        canvas.paste(tile, (x + 1, y + 1))
        draw.text((x + _TILE // 2 - draw.textlength(name, font=font) / 2, y + _TILE + 2), name, fill=_INK, font=font)
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(path, format="PNG", optimize=True)


def shown(names: Sequence[str], seeds: int) -> list[tuple[str, int]]:
    """Which pictures the sheet shows: the n-th object with seed n modulo the number of seeds."""
    return [(name, number % seeds) for number, name in enumerate(names)]


def draw_sheet(path: Path, generate: Generate, names: Sequence[str], seeds: int, folder: Path) -> None:
    """Draw the sheet from kept pictures."""
    chosen = shown(names, seeds)
    tiles = {name: pictures_of(generate, [(name, seed)], folder)[0] for name, seed in chosen}
    sample_sheet(path, tiles)


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m ldznet_ext.eval.generation --classifier FILE --seeds 4 --limit-objects N -o DIR --json`."""
    from ldznet_ext.eval import commands

    parser = commands.parser("Paint every named object and ask a classifier what it sees.", "generation")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"pictures of each object (default: {SEEDS})")
    parser.add_argument("--limit-objects", type=int, metavar="N", help="the first N objects only")
    args = parser.parse_args(argv)
    return commands.run(args, _measure, _words)


def _measure(args, progress: Progress) -> dict[str, object]:
    from ldznet_ext.eval import commands
    from ldznet_ext.eval.tools import digest, open_backbone, paint_with

    judge = commands.judge(args)
    backbone, mark = open_backbone(args.model, args.device)
    generate = paint_with(backbone)
    names = [concept.name for concept in named()][: commands.at_least_one(args.limit_objects, "objects")]
    seeds = commands.at_least_one(args.seeds, "seeds") or SEEDS
    folder = args.out / "pictures" / digest(mark)
    answer = judge_generation(generate, judge, objects=names, seeds=seeds, folder=folder, progress=progress)
    draw_sheet(args.out / "sheet.png", generate, names, seeds, folder)
    write_json(args.out / "generation.json", {"model": mark, **answer})
    return answer


def _words(answer: Mapping[str, object]) -> str:
    low, high = answer["interval"]
    worst = sorted(answer["by_object"].items(), key=lambda item: item[1])[:8]
    return (
        f"{answer['pictures']} pictures of {answer['objects']} objects: {answer['found']:.1%} found "
        f"({low:.1%} to {high:.1%}), {answer['top3']:.1%} among the three strongest answers; least often: "
        + ", ".join(f"{name} {part:.0%}" for name, part in worst)
    )


if __name__ == "__main__":
    sys.exit(main())
