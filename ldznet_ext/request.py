"""One frozen request in: every setting of a segmentation, declared and checked once.

`OPTIONS` is the one table of what a person can set; the panel's widgets, the API's fields, the infotext, the command line's
flags and `MaskSettings` are all read from it.
"""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any

from ldznet_ext.errors import OptionError, PhraseError
from ldznet_ext.sampling import check_seed
from ldznet_ext.words import check_phrase

TEXT, NUMBER, WHOLE, FLAG, CHOICE = "text", "number", "whole", "flag", "choice"
"""The kinds of settings."""
FIXED, AUTOMATIC, HYSTERESIS = "fixed", "automatic", "hysteresis"
"""The ways to cut a probability into a mask, see `masks.thresholds`."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """One setting of a mask.

    `name`: of the field, the API's key and, with dashes, the command line's flag. `default` None: the method's own, which a
    slider shows as `unset`. `label`: beside the widget. `infotext`: the key in a picture's parameters. `low`, `high`, `step`:
    of numbers, both ends included; None where there is no end. `between`: where more is taken than the slider has, the ends of
    that, which are not taken themselves. `choices`: the names a choice is of; empty where they are known at run time only, as
    the methods that fit the loaded model are.
    """

    name: str
    kind: str
    default: str | float | bool | None
    label: str
    infotext: str
    help: str
    low: float | None = None
    high: float | None = None
    step: float | None = None
    unset: float | None = None
    between: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()

    def read(self, value: Any) -> Any:
        """A value of this setting that may have come as text; OptionError in a sentence where it is none.

        Text is taken strictly: "0.4" for a number, "12" for a whole one, "true" or "false" for a flag; blank text and None are
        the default where that is None. Ranges are `MaskSettings`' business.

        >>> OPTION["grow"].read("-4"), OPTION["invert"].read("true"), OPTION["threshold"].read("")
        (-4, True, None)
        """
        if self.default is None and (value is None or (isinstance(value, str) and not value.strip())):
            return None
        read = {NUMBER: _number, WHOLE: _whole, FLAG: _flag}.get(self.kind, _text)(value)
        if read is None:
            raise OptionError(f"{self.label} is {value!r:.60}; expected {EXPECTED[self.kind]}, so give that.")
        return read

    def from_widget(self, value: Any) -> Any:
        """What a widget holds as a value of this setting: a slider at `unset` is None.

        >>> OPTION["threshold"].from_widget(0), OPTION["timestep"].from_widget(-1), OPTION["grow"].from_widget(0)
        (None, None, 0)
        """
        return None if self.unset is not None and value == self.unset else self.read(value)

    def to_widget(self, value: Any) -> Any:
        """The other way round."""
        return self.unset if value is None else value

    def check(self, value: Any) -> None:
        """Refuse a number out of its range, and a name that is none of the choices."""
        if value is not None and not self._takes(value):
            raise OptionError(f"{self.label} is {self._shown(value)}; expected {self._expected()}.")

    def _takes(self, value: Any) -> bool:
        if self.choices:
            return value in self.choices
        if self.between:
            return self.between[0] < value < self.between[1]  # NaN is not
        return self.low is None or self.high is None or self.low <= value <= self.high

    def _shown(self, value: Any) -> str:
        return f'"{value:.60}"' if self.choices else str(value)

    def _expected(self) -> str:
        if self.choices:
            return f"{' or '.join(self.choices)}, so choose one of them"
        if self.between:
            return f"a number between {self.between[0]:g} and {self.between[1]:g}, so choose one, for example 0.5"
        return f"a number from {self.low:,.10g} to {self.high:,.10g}, so choose one of them"


EXPECTED = {
    TEXT: "text",
    CHOICE: "a name",
    NUMBER: "a number such as 0.5",
    WHOLE: "a whole number such as 12",
    FLAG: "true or false",
}

OPTIONS = (
    Option(
        name="words",
        kind=TEXT,
        default="",
        label="Words",
        infotext="LD-ZNet words",
        help='what to find, one expression such as "fox & !tail": & | ! and parentheses, fox*1.5, fox@0.4, hair +12, fox#1',
    ),
    Option(
        name="method",
        kind=CHOICE,
        default="auto",
        label="Method",
        infotext="LD-ZNet method",
        help="how to segment, e.g. ldznet (default: the best the model has)",
    ),
    Option(
        name="threshold",
        kind=NUMBER,
        default=None,
        label="Threshold",
        infotext="LD-ZNet threshold",
        help="cuts the probability into the mask, in (0, 1) (default: the head's)",
        low=0.01,
        high=0.99,
        step=0.01,
        unset=0.0,
        between=(0.0, 1.0),
    ),
    Option(
        name="cut",
        kind=CHOICE,
        default=FIXED,
        label="Cut at",
        infotext="LD-ZNet cut",
        help="fixed: at the threshold; automatic: where the map's own values part; hysteresis: what is above the lower threshold "
        "and touches what is above the threshold (default: fixed)",
        choices=(FIXED, AUTOMATIC, HYSTERESIS),
    ),
    Option(
        name="low",
        kind=NUMBER,
        default=None,
        label="Lower threshold",
        infotext="LD-ZNet low",
        help="of hysteresis, in (0, 1) (default: half the threshold)",
        low=0.01,
        high=0.99,
        step=0.01,
        unset=0.0,
        between=(0.0, 1.0),
    ),
    Option(
        name="soft",
        kind=FLAG,
        default=False,
        label="Soft mask",
        infotext="LD-ZNet soft",
        help="grey the mask by the probability near the threshold, in place of a step",
    ),
    Option(
        name="islands",
        kind=WHOLE,
        default=0,
        label="Drop pieces below (pixels)",
        infotext="LD-ZNet islands",
        help="pieces with fewer pixels of the picture than this are dropped (default: 0, none)",
        low=0,
        high=100_000_000,
        step=1,
    ),
    Option(
        name="keep",
        kind=WHOLE,
        default=0,
        label="Keep largest (0: all)",
        infotext="LD-ZNet keep",
        help="only so many of the largest pieces stay (default: 0, all)",
        low=0,
        high=100,
        step=1,
    ),
    Option(
        name="holes",
        kind=FLAG,
        default=False,
        label="Fill holes",
        infotext="LD-ZNet holes",
        help="fill what the mask surrounds",
    ),
    Option(
        name="grow",
        kind=WHOLE,
        default=0,
        label="Grow",
        infotext="LD-ZNet grow",
        help="pixels the mask grows all round, or shrinks where negative (default: 0)",
        low=-256,
        high=256,
        step=1,
    ),
    Option(
        name="feather",
        kind=NUMBER,
        default=0.0,
        label="Feather",
        infotext="LD-ZNet feather",
        help="pixels over which the mask's edge fades, the deviation of a Gaussian (default: 0, a hard edge)",
        low=0.0,
        high=256.0,
        step=0.5,
    ),
    Option(
        name="invert",
        kind=FLAG,
        default=False,
        label="Invert",
        infotext="LD-ZNet invert",
        help="mask all but what the words name; nothing where they are not found",
    ),
    Option(
        name="alpha",
        kind=FLAG,
        default=False,
        label="Soft alpha",
        infotext="LD-ZNet alpha",
        help="grey the mask at hair, thin and see-through edges by how much of each pixel is the thing's; takes a moment",
    ),
    Option(
        name="refine",
        kind=FLAG,
        default=True,
        label="Snap to edges",
        infotext="LD-ZNet refine",
        help="snap the mask's edges to those of the picture",
    ),
    Option(
        name="sam",
        kind=FLAG,
        default=False,
        label="Refine by SAM",
        infotext="LD-ZNet SAM",
        help="let Segment Anything outline what was found, where its weights are in a model folder",
    ),
    Option(
        name="seed",
        kind=WHOLE,
        default=0,
        label="Mask seed",
        infotext="LD-ZNet seed",
        help="of the noise the diffusion model sees; seldom matters (default: 0)",
        low=0,
        high=2**63 - 1,
        step=1,
    ),
    Option(
        name="timestep",
        kind=WHOLE,
        default=None,
        label="Timestep",
        infotext="LD-ZNet timestep",
        help="how noisy the picture is that the diffusion model sees, 0-999 (default: the method's own)",
        low=0,
        high=999,
        step=1,
        unset=-1,
    ),
    Option(
        name="average",
        kind=WHOLE,
        default=1,
        label="Looks to average",
        infotext="LD-ZNet average",
        help="looks the answer is the mean of, over timesteps, noises and templates (default: 1)",
        low=1,
        high=64,
        step=1,
    ),
    Option(
        name="parity",
        kind=FLAG,
        default=False,
        label="As the authors' demo",
        infotext="LD-ZNet parity",
        help="look as the LD-ZNet authors' demo does, by the seed",
    ),
)
"""Every setting of a mask, in the order in which they are shown and written. A slider's range may be narrower than what is
taken: any threshold strictly between 0 and 1 is."""

OPTION = {option.name: option for option in OPTIONS}
"""The same by name."""


LOOKED = ("threshold", "refine", "sam", "seed", "timestep", "average", "parity")
"""Of these, what a request is made with, beside words and method; the others shape the mask it brings."""
OF_WORDS = ("sam", "average", "parity")
"""Of those, what only masks of words have: a search by names or by example knows nothing of it."""


@dataclass(frozen=True, kw_only=True)
class MaskSettings:
    """All that is needed to repeat a mask, checked: a field for each row of `OPTIONS`.

    `words`: one expression of the mask language; a comma is part of a phrase, alternatives are divided by `|`. It may be
    empty here, and is refused only where something is to be found. `threshold`, `refine`, `sam`, `method`, `seed`, `timestep`,
    `average`, `parity`: as in `pipeline.segment`. The others, which need no model, are read by `pipeline.apply`, in its order;
    `grow`, `feather` and `islands` are in pixels of the picture.
    """

    words: str = ""
    method: str = "auto"
    threshold: float | None = None
    cut: str = FIXED
    low: float | None = None
    soft: bool = False
    islands: int = 0
    keep: int = 0
    holes: bool = False
    grow: int = 0
    feather: float = 0.0
    invert: bool = False
    alpha: bool = False
    refine: bool = True
    sam: bool = False
    seed: int = 0
    timestep: int | None = None
    average: int = 1
    parity: bool = False

    def __post_init__(self) -> None:
        for option in OPTIONS:
            object.__setattr__(self, option.name, option.read(getattr(self, option.name)))
        if self.words.strip():
            check_phrase(self.words)
        check_threshold(self.threshold)
        check_timestep(self.timestep)
        check_seed(self.seed)
        for option in OPTIONS:
            option.check(getattr(self, option.name))

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "MaskSettings":
        """Settings out of JSON, a form or an infotext, whose values may be text; OptionError for a key that is none of ours.

        >>> MaskSettings.from_mapping({"words": "fox & !tail", "grow": "12"}).to_mapping()
        {'words': 'fox & !tail', 'grow': 12}
        """
        if not isinstance(mapping, Mapping):
            raise OptionError(
                f'The settings are of the type {type(mapping).__name__}; expected names and values such as {{"words": "fox"}}, '
                "so give those."
            )
        refuse_unknown(mapping, OPTION)
        return cls(**mapping)

    def to_mapping(self) -> dict[str, Any]:
        """Only what differs from the defaults, in the table's order; values as JSON takes them."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: given[name] for name, option in OPTION.items() if given[name] != option.default}


@dataclass(frozen=True, kw_only=True)
class SegmentRequest:
    """What to look for and how.

    `phrases`: one map each. `method`: a name of the registry or "auto". `threshold` in (0, 1) cuts `prob` into `mask`
    (None: the head's own) and never changes a status. `refine`: snap edges to the picture. `sam`: let Segment
    Anything outline what is found, where its weights are. `seed`: of the noise that is added before the harvesting pass.
    `timestep` 0..999 of that pass (None: the head's own, 400). `average`: how many looks the answer is the mean of. `parity`:
    each look is the authors' demo's. `exclusive`: a pixel belongs to one phrase at most, so a method may let them compete.
    """

    phrases: tuple[str, ...]
    method: str = "auto"
    threshold: float | None = None
    refine: bool = True
    sam: bool = False
    seed: int = 0
    timestep: int | None = None
    average: int = 1
    parity: bool = False
    exclusive: bool = False

    def __post_init__(self) -> None:
        if not self.phrases:
            raise PhraseError('No words were given; expected at least one phrase, so give one, for example "fox".')
        for phrase in self.phrases:
            check_phrase(phrase)
        check_threshold(self.threshold)
        check_timestep(self.timestep)
        if self.threshold is not None:
            object.__setattr__(self, "threshold", float(self.threshold))
        if self.timestep is not None:
            object.__setattr__(self, "timestep", int(self.timestep))
        object.__setattr__(self, "seed", check_seed(self.seed))
        for name in ("average", "parity"):
            object.__setattr__(self, name, OPTION[name].read(getattr(self, name)))
        OPTION["average"].check(self.average)


def refuse_unknown(names: Iterable[object], known: Iterable[str], what: str = "setting") -> None:
    """OptionError for the first name, in the alphabet's order, that is none of those known, which it lists."""
    known = tuple(known)
    if unknown := sorted(str(name) for name in names if name not in known):
        raise OptionError(
            f'There is no {what} "{unknown[0]:.60}"; expected one of {", ".join(known)}, so use one of them.'
        )


def check_threshold(threshold: float | None) -> None:
    """Refuse a threshold that is not a number strictly between 0 and 1."""
    if threshold is None:
        return
    if not isinstance(threshold, Real) or not 0 < threshold < 1:  # NaN is not
        raise OptionError(
            f"The threshold is {threshold}; expected a number between 0 and 1, so choose one, for example 0.5."
        )


def check_timestep(timestep: int | None) -> None:
    """Refuse a timestep that is not a whole number from 0 to 999."""
    if timestep is None:
        return
    if isinstance(timestep, bool) or not isinstance(timestep, Integral) or not 0 <= timestep <= 999:
        raise OptionError(
            f"The timestep is {timestep}; expected a whole number from 0 to 999, so choose one (400 is the default)."
        )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (str, Real)):
        return None
    try:
        return float(value)  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return None


def _whole(value: Any) -> int | None:
    """An int; a slider may hold 12.0, for a browser knows no other numbers."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return int(value)
        return None
    number = _number(value)
    if number is None or isinstance(value, Integral):
        return None if number is None else int(value)
    return int(number) if number.is_integer() else None  # neither NaN nor an infinity is


def _flag(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return bool(value) if type(value).__name__ in ("bool", "bool_") else None  # numpy's own is welcome
