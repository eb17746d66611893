"""How MaskDiffusion is set for each model family, as data.

sd1, sd2, sdxl: what the literature uses, with its source; nothing was tuned, least of all on stickers. sticker: our own model,
chosen on validation scenes.
"""

from dataclasses import dataclass, field, replace

from ldznet_ext.segmenters.prototypes import Measure, Values
from ldznet_ext.segmenters.settings import ISEG, STICKER
from ldznet_ext.segmenters.tokens import Template


@dataclass(frozen=True, kw_only=True)
class MaskDiffusionSettings:
    """Settings of the method "maskdiffusion" for one family.

    timestep: 0..999, of the pass. features: taps that are compared. places: transformers whose text attention is read.
    values, measure, focused: see `prototypes`. together: whether names that compete stand in one text. template: the text they
    are put into, with the background's words that compete with them. backgrounds: prototypes of what a phrase asked alone does
    not claim; names that exclude one another are each other's background, and have one for the rest. sharpness: of a logit in a
    difference of likeness. largest: how many times the native side a large picture is looked at.
    """

    timestep: int = 1
    features: tuple[str, ...] = ("out.2.res.in", "out.5.res.in")
    places: tuple[str, ...] = ("in.7", "in.8", "mid", "out.3", "out.4", "out.5")
    values: Values = "softmax"
    measure: Measure = "cosine"
    focused: bool = False
    together: bool = True
    template: Template = field(default_factory=Template)
    backgrounds: int = 1
    sharpness: float = 20.0
    largest: float = 2.0


# The paper (arXiv 2403.11194): t = 1 (17.1 mIoU; 5.5 at 10), maps of 8x8 and 16x16 cells (17.1; 14.5 with 32x32), names joined
# by "and". Features: the inputs of the last residual block of the two coarsest levels of the decoder, as its code reads them,
# without the projections that were trained on COCO. It has no background: words and rule are iSeg's (arXiv 2409.03209). The
# sharpness is ours: it decides how soft a map's edge is, and no pixel's label.
PAPER = MaskDiffusionSettings(template=replace(ISEG.template, lead=""))

# The same levels where SDXL has them: 32x32 cells at 1024x1024 for the attention (8x8 and 16x16 do not exist), 32x32 and 64x64
# for the features. No paper has run it there.
SDXL = replace(PAPER, places=("in.7", "in.8", "mid", "out.0", "out.1", "out.2"))

# Features of 8x8 and 16x16 cells again, which at 256x256 are those of stride 4 and 2. The attention of this model says where
# objects are, hardly which (see STICKER), and its plain logits say that best (Eq. 3). mIoU on objects asked alone, at the best
# cut, on 24 val scenes (46 objects): 0.378 with logits of in.4, out.8 and out.9, two backgrounds and no focus; 0.361 with three
# backgrounds, 0.299 with one, 0.248 with focus, 0.110 with softmax.
STICKER_SD = replace(
    PAPER,
    timestep=300,
    template=Template(rivals=STICKER.template.rivals),
    features=("out.5.res.in", "out.8.res.in"),
    places=("in.4", "out.8", "out.9"),
    values="raw",
    together=False,
    backgrounds=2,
)

MASKDIFFUSION: dict[str, MaskDiffusionSettings] = {"sd1": PAPER, "sd2": PAPER, "sdxl": SDXL, "sticker": STICKER_SD}
