"""How attention is read, as data for each model family.

sd1, sd2, sdxl: what the literature uses, with its source; nothing was tuned, least of all on stickers. sticker: our own model,
chosen on validation scenes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from ldznet_ext.segmenters.tokens import Template

Settings = TypeVar("Settings")


@dataclass(frozen=True, kw_only=True)
class AttentionSettings:
    """Settings of the method "attention" for one family.

    timestep: 0..999, of the pass over an uploaded picture. context: what the UNet reads in it; words asked later must not
    matter, so it is neutral. template: the text the words are put into, with the background's words that compete with them.
    boost: what the words' own text states are multiplied by. places: transformers whose text attention is read. levels: weight of
    each stride. sharpen, rounds, restart: of the walk by self-attention.
    """

    timestep: int = 100
    context: str = ""
    template: Template = field(default_factory=Template)
    boost: float = 1.0
    places: tuple[str, ...]
    levels: Mapping[int, float]
    sharpen: float
    rounds: int
    restart: float = 0.0


# iSeg (arXiv 2409.03209), its settings for VOC: t = 100, this prompt, class tokens times 1.6, these eight transformers, 16x16
# against 32x32 cells 0.7 to 0.3, 8 rounds at 0.015. Its class list is the phrase here; its heads, chosen by hand for SD 2.1,
# are all heads. The neutral pass with an empty text is DiffSeg's (arXiv 2308.12469) and OVAM's (arXiv 2403.14291).
ISEG = AttentionSettings(
    timestep=100,
    template=Template(
        lead="a photograph of",
        joint="and",
        rivals=(
            *("other object", "background", "ground", "land", "grass", "tree", "building", "wall"),
            *("sky", "lake", "water"),
        ),
    ),
    boost=1.6,
    places=("in.5", "in.7", "in.8", "out.3", "out.4", "out.5", "out.6", "out.7"),
    levels={4: 0.7, 2: 0.3},
    sharpen=0.015,
    rounds=8,
)

# The same levels where SDXL has them: 32x32 and 64x64 cells at 1024x1024. DAAM (arXiv 2210.04885) reads SDXL likewise, all
# levels alike; no paper says which of the ten blocks a transformer is best, so the last one speaks for all (sixty blocks'
# queries would take 157 MB).
SDXL = AttentionSettings(
    timestep=ISEG.timestep,
    template=ISEG.template,
    boost=ISEG.boost,
    places=("in.5", "in.7", "in.8", "out.0", "out.1", "out.2", "out.3", "out.4"),
    levels=ISEG.levels,
    sharpen=ISEG.sharpen,
    rounds=ISEG.rounds,
)

# Sticker-SD at 256x256 has 8x8 cells at stride 4, too few to tell anything. On 24 val scenes (tools/probe.py, an object's cells
# against the ground) out.8 ranks 0.88 to 0.89 at t = 100 and 400, 0.78 at 700, out.9 0.70 to 0.83, out.7 0.69 to 0.77. Against
# other objects no place, timestep or value passes 0.53: this model's attention says where objects are, hardly which. mIoU on
# objects asked alone, at the best cut: 0.351 with 2 rounds, 0.347 with 5, 0.339 with none, 0.238 with 8 and no restart; 0.345 at
# t = 300; 0.309 to 0.354 with other places (46 objects: the smallest of these differences are chance).
STICKER = AttentionSettings(
    timestep=400,
    template=Template(lead="a", joint="and", rivals=("snow", "blue sky")),
    boost=1.0,
    places=("out.7", "out.8", "out.9"),
    levels={2: 0.6, 1: 0.4},
    sharpen=0.015,
    rounds=2,
    restart=0.3,
)

ATTENTION: dict[str, AttentionSettings] = {"sd1": ISEG, "sd2": ISEG, "sdxl": SDXL, "sticker": STICKER}


def for_family(table: Mapping[str, Settings], family: str) -> Settings:
    """The settings of a family; one that is not named has those of sd1, whose shape most models have."""
    return table.get(family, table["sd1"])
