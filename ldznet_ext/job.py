"""What a generation in a web UI is asked to do besides: its settings, in one table, and how they come as arguments.

The accordion's components, the positional script arguments, the one dict of the API and the infotext all follow `JOB_OPTIONS`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ldznet_ext.errors import OptionError
from ldznet_ext.request import CHOICE, FLAG, NUMBER, OPTION, OPTIONS, TEXT, WHOLE, MaskSettings, Option, refuse_unknown

WORDS, NOUNS = "words", "nouns"
KEEP, SKIP = "keep", "skip"

ENABLED = Option(
    name="enabled",
    kind=FLAG,
    default=False,
    label="LD-ZNet masks",
    infotext="LD-ZNet masks",
    help="read what the model knows while it paints; with this off nothing is attached to it",
)
GENERATION_OPTIONS = (
    Option(
        name="source",
        kind=CHOICE,
        default=WORDS,
        label="Masks of",
        infotext="LD-ZNet source",
        help="words: one mask of the words above; nouns, or no words: one of each thing the picture's prompt names",
        choices=(WORDS, NOUNS),
    ),
    Option(
        name="inpaint",
        kind=FLAG,
        default=False,
        label="Inpaint each picture",
        infotext="LD-ZNet inpaint",
        help="repaint what was found in each picture right after it is painted",
    ),
    Option(
        name="inpaint_prompt",
        kind=TEXT,
        default="",
        label="Inpaint prompt",
        infotext="LD-ZNet inpaint prompt",
        help="what to paint there (default: the picture's own prompt)",
    ),
    Option(
        name="inpaint_negative",
        kind=TEXT,
        default="",
        label="Inpaint negative prompt",
        infotext="LD-ZNet inpaint negative",
        help="what to avoid there (default: the picture's own negative prompt)",
    ),
    Option(
        name="denoise",
        kind=NUMBER,
        default=0.4,
        label="Inpaint denoising strength",
        infotext="LD-ZNet denoise",
        help="how much of what was there is forgotten, 0-1 (default: 0.4)",
        low=0.0,
        high=1.0,
        step=0.01,
    ),
    Option(
        name="only_masked",
        kind=FLAG,
        default=True,
        label="Inpaint only masked",
        infotext="LD-ZNet only masked",
        help="repaint the masked part alone, at the picture's full size",
    ),
    Option(
        name="padding",
        kind=WHOLE,
        default=32,
        label="Only masked padding",
        infotext="LD-ZNet padding",
        help="pixels around the mask that the model sees then (default: 32)",
        low=0,
        high=256,
        step=4,
    ),
    Option(
        name="mask_blur",
        kind=WHOLE,
        default=4,
        label="Inpaint mask blur",
        infotext="LD-ZNet mask blur",
        help="pixels over which old and new are mixed (default: 4)",
        low=0,
        high=64,
        step=1,
    ),
    Option(
        name="not_found",
        kind=CHOICE,
        default=KEEP,
        label="Where nothing is found",
        infotext="LD-ZNet not found",
        help="keep: the picture goes on unchanged with an empty mask; skip: no mask of it, and no result of that batch file",
        choices=(KEEP, SKIP),
    ),
    Option(
        name="save",
        kind=FLAG,
        default=False,
        label="Save masks",
        infotext="LD-ZNet save",
        help="save masks beside the pictures, under the host's own file names with -mask",
    ),
    Option(
        name="overlay",
        kind=FLAG,
        default=True,
        label="Show masks on the picture",
        infotext="LD-ZNet overlay",
        help="put the picture with its mask drawn on it before each mask",
    ),
    Option(
        name="batch",
        kind=FLAG,
        default=False,
        label="img2img: repaint only where the words are",
        infotext="LD-ZNet batch",
        help="mask each input picture, also every file of Batch, by the words; a mask that was drawn or given stays",
    ),
)
JOB_OPTIONS = (ENABLED, *OPTIONS, *GENERATION_OPTIONS)
"""Every setting of the accordion, in the order of its components and of the positional script arguments."""
JOB_OPTION = {option.name: option for option in JOB_OPTIONS}


@dataclass(frozen=True, kw_only=True)
class Job:
    """What one generation is asked to do, checked: a field for each row of `GENERATION_OPTIONS`, and the mask's settings."""

    enabled: bool = False
    mask: MaskSettings = field(default_factory=MaskSettings)
    source: str = WORDS
    inpaint: bool = False
    inpaint_prompt: str = ""
    inpaint_negative: str = ""
    denoise: float = 0.4
    only_masked: bool = True
    padding: int = 32
    mask_blur: int = 4
    not_found: str = KEEP
    save: bool = False
    overlay: bool = True
    batch: bool = False

    def __post_init__(self) -> None:
        for option in (ENABLED, *GENERATION_OPTIONS):
            value = option.read(getattr(self, option.name))
            option.check(value)
            object.__setattr__(self, option.name, value)

    @classmethod
    def from_args(cls, args: Sequence[Any]) -> "Job":
        """The job out of script arguments: the accordion's values in their order, or one dict in the first place.

        A host's API fills the places after a dict with the accordion's defaults: they are passed over.

        >>> Job.from_args([{"words": "fox", "grow": 4}, "", "auto"]).to_mapping()
        {'enabled': True, 'words': 'fox', 'grow': 4}
        >>> Job.from_args([True, "fox"]).mask.words
        'fox'
        """
        if args and isinstance(args[0], Mapping):
            return cls.from_mapping({"enabled": True, **args[0]})
        if len(args) > len(JOB_OPTIONS):
            raise OptionError(
                f"There are {len(args)} arguments; expected one dict, or at most {len(JOB_OPTIONS)} values in this order: "
                f"{', '.join(JOB_OPTION)}; so give those."
            )
        given = zip(JOB_OPTIONS[: len(args)], args, strict=True)
        return cls.from_mapping({option.name: option.from_widget(value) for option, value in given})

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "Job":
        """A job out of one flat mapping of names to values, which may be text; OptionError for a name that is none of ours."""
        refuse_unknown(mapping, JOB_OPTION)
        mask = {name: value for name, value in mapping.items() if name in OPTION}
        rest = {name: value for name, value in mapping.items() if name not in OPTION}
        return cls(mask=MaskSettings.from_mapping(mask), **rest)

    @property
    def of_nouns(self) -> bool:
        """Whether the prompt's things are masked: because that is asked for, or because there are no words."""
        return self.source == NOUNS or not self.mask.words.strip()

    def to_mapping(self) -> dict[str, Any]:
        """Only what differs from the defaults, flat, in the table's order; values as JSON takes them."""
        given = self.mask.to_mapping()
        for option in (ENABLED, *GENERATION_OPTIONS):
            if getattr(self, option.name) != option.default:
                given[option.name] = getattr(self, option.name)
        return {name: given[name] for name in JOB_OPTION if name in given}

    def to_args(self) -> list[Any]:
        """Every value in the order of the positional arguments, as widgets hold them."""
        given = {**{option.name: option.default for option in JOB_OPTIONS}, **self.to_mapping()}
        return [option.to_widget(given[option.name]) for option in JOB_OPTIONS]
