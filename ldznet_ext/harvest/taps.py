"""Names of places in a diffusion UNet: one spelling for every host and file.

`in.8`, `mid`, `out.3`: the spatial transformer of that block, read right after it. Finer: `out.5.res.in` is what goes
into the block's residual block, `out.5.attn2.q` the queries of its text attention. Numbers count CompVis' block lists.
SDXL has several blocks a transformer: `out.4.block1.attn1.k` are keys of the second one, and without a number it is the first.
"""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from ldznet_ext.errors import OptionError

Stage = Literal["in", "mid", "out"]

SD_TAPS = (
    *(f"in.{n}" for n in (1, 2, 4, 5, 7, 8)),
    "mid",
    *(f"out.{n}" for n in range(3, 12)),
)
SDXL_TAPS = (*(f"in.{n}" for n in (4, 5, 7, 8)), "mid", *(f"out.{n}" for n in range(6)))
FAMILY_TAPS: dict[str, tuple[str, ...]] = {"sd1": SD_TAPS, "sd2": SD_TAPS, "sticker": SD_TAPS, "sdxl": SDXL_TAPS}
LDZNET_TAPS = ("in.8", "mid", "out.3", "out.4", "out.5")

# in the order in which a block computes them
PARTS = (
    "res.in",
    "res.out",
    *(f"{attn}.{port}" for attn in ("attn1", "attn2") for port in ("in", "q", "k", "v", "out")),
    "",
)
STAGES: tuple[Stage, ...] = ("in", "mid", "out")
PATTERN = re.compile(
    r"(?:(?P<stage>in|out)\.(?P<number>\d+)|(?P<mid>mid))(?:\.block(?P<block>\d+)(?=\.attn))?(?:\.(?P<part>.+))?"
)


class Tap(NamedTuple):
    """A parsed tap: the place, and what of it is read (`part` is empty for the spatial transformer's output).

    block: of the transformer's blocks, for parts that are attentions.
    """

    stage: Stage
    number: int
    part: str
    block: int = 0

    @property
    def place(self) -> str:
        """The block alone: `in.8`, `mid`, `out.3`."""
        return "mid" if self.stage == "mid" else f"{self.stage}.{self.number}"

    @property
    def order(self) -> tuple[int, ...]:
        """Sort key: earlier in a forward pass is smaller."""
        whole = 0 if self.part.startswith("res.") else 1 if self.part else 2
        return STAGES.index(self.stage), self.number, whole, self.block, PARTS.index(self.part)

    def __str__(self) -> str:
        block = f"block{self.block}" if self.block else ""
        return ".".join(piece for piece in (self.place, block, self.part) if piece)


def parse_tap(name: str) -> Tap:
    """Read a tap's name.

    >>> parse_tap("out.5.attn2.q")
    Tap(stage='out', number=5, part='attn2.q', block=0)
    >>> str(parse_tap("mid")), str(parse_tap("out.4.block1.attn1.k"))
    ('mid', 'out.4.block1.attn1.k')
    """
    match = PATTERN.fullmatch(name)
    part = (match["part"] or "") if match else ""
    if match is None or part not in PARTS:
        parts = ", ".join(part for part in PARTS if part)
        raise OptionError(
            f"The tap is '{name}'; expected in.N, mid or out.N, or one of their parts ({parts}), so choose one."
        )
    block = int(match["block"] or 0)
    if match["mid"]:
        return Tap("mid", 0, part, block)
    return Tap("in" if match["stage"] == "in" else "out", int(match["number"]), part, block)


def sort_taps(taps: Iterable[str]) -> tuple[str, ...]:
    """The same taps in the order of a forward pass.

    >>> sort_taps(["out.3", "mid", "in.8", "in.8.res.in"])
    ('in.8.res.in', 'in.8', 'mid', 'out.3')
    """
    return tuple(sorted(taps, key=lambda name: parse_tap(name).order))


def last_tap(taps: Iterable[str]) -> str:
    """The tap a forward pass reaches last: where it may stop."""
    return sort_taps(taps)[-1]


def tap_stride(name: str, levels: int = 4) -> int:
    """Side of a tap's cell in latent cells: 1, 2, 4 or 8. For SD's two residual blocks a level (`levels` is 3 in SDXL).

    >>> tap_stride("in.8"), tap_stride("mid"), tap_stride("out.5"), tap_stride("out.9")
    (4, 8, 4, 1)
    """
    tap = parse_tap(name)
    if tap.stage == "mid":
        return 2 ** (levels - 1)
    level = tap.number // 3
    return 2 ** (level if tap.stage == "in" else levels - 1 - level)
