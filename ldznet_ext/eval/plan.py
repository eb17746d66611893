"""What the report measures: the networks, the sets they are run on, and the tables the results go into."""

from dataclasses import dataclass, field

from ldznet_ext.errors import OptionError

NETWORKS = {"rgbnet": "RGBNet", "znet": "ZNet", "ldznet": "LD-ZNet", "concat": "concatenation"}
"""Kinds of heads, in the order of the tables, and what the report calls them."""

FLOORS = ("colour threshold", "position prior")
SHIPPED = "shipped LD-ZNet"
TEXT_METHODS = {"attention": "attention", "maskdiffusion": "MaskDiffusion", "noise_difference": "noise difference"}
"""Methods that need words and no head, and what the report calls them."""
LABELLERS = {"maskdiffusion": "MaskDiffusion", "attention": "attention", "ldznet": SHIPPED}
"""What names every pixel: methods without a head, and the head that ships beside them."""

AS_SET = "as set"
"""What an ablation calls the settings as they are."""

COMPARISON, HEAD, MODEL, EDITING, UNTRAINED = "compared", "shipped", "model", "editing", "untrained"
SECTIONS = (COMPARISON, HEAD, MODEL, EDITING, UNTRAINED)
"""Parts of the report that can be asked for alone; the page still shows what is kept of the others."""
TRAIN_STYLE = "fluent"
REFERRING = "referring"


@dataclass(frozen=True, kw_only=True)
class View:
    """Some lines of a set, scored by themselves. Absent phrases are in every view: they are of no other kind."""

    name: str
    only: tuple[str, ...] = ()  # kinds of the phrases that are there; empty: all but `without`
    without: tuple[str, ...] = ()

    def holds(self, kind: str, present: bool) -> bool:
        """Whether a line of this kind belongs to the view."""
        if not present:
            return True
        return kind in self.only if self.only else kind not in self.without


NAMES = View(name="names", without=(REFERRING,))
OBJECTS = View(name="objects", only=("object",))
STUFF = View(name="stuff", only=("stuff",))
REFERRED = View(name="referring", only=(REFERRING,))


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """One set that every method is run over once. The first view is what plots and claims are about.

    `redrawn`: its pictures pass through img2img first.
    """

    name: str
    data: str
    title: str
    views: tuple[View, ...] = (NAMES, OBJECTS, STUFF)
    redrawn: bool = False


COMPARED = (
    Sweep(name="test", data="sticker:test:fluent", title="test scenes", views=(NAMES, OBJECTS, STUFF, REFERRED)),
    Sweep(name="styles", data="sticker:test:noto,flat,twemoji", title="styles only the diffusion model knows"),
    Sweep(name="emojione", data="sticker:test:emojione", title="a style neither knows (emojione)"),
    Sweep(name="photo", data="sticker:test:photo", title="photographs"),
    Sweep(
        name="held_out", data="sticker:test:fluent:held_out", title="held-out objects", views=(OBJECTS, NAMES, STUFF)
    ),
    Sweep(name="img2img", data="sticker:test:fluent", title="test scenes redrawn by img2img", redrawn=True),
)
"""Run over by RGBNet, ZNet, LD-ZNet, concatenation and the floors."""

GOALS = (
    Sweep(name="shipped", data="sticker:test", title="test scenes, all training styles"),
    Sweep(name="shipped_emojione", data="sticker:test:emojione", title="emojione"),
)
"""Run over by the shipped head and by the methods without a head, with refinement, and by the floors."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What each network is trained for: minutes, or steps, which are fairer on a machine that does other work too."""

    minutes: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise OptionError("The budget of a network is given in minutes or in steps; expected one of the two.")
        if not (self.minutes or self.steps or 0) > 0:
            raise OptionError(f"The budget is {self}; expected more than 0.")

    def __str__(self) -> str:
        return f"{self.minutes:g} minutes" if self.steps is None else f"{self.steps} steps"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much of it to do: training of a network, seeds, lines a set (None: all of 256 scenes), which sections."""

    budget: Budget
    seeds: tuple[int, ...] = (0,)
    limit: int | None = None
    networks: tuple[str, ...] = tuple(NETWORKS)
    strengths: tuple[float, ...] = (0.3, 0.4, 0.5)
    sweeps: tuple[Sweep, ...] = field(default=COMPARED)
    goals: tuple[Sweep, ...] = field(default=GOALS)
    only: tuple[str, ...] = SECTIONS

    def __post_init__(self) -> None:
        if not self.seeds:
            raise OptionError("No seed was given; expected at least one, for example 0.")
        unknown = [name for name in self.networks if name not in NETWORKS]
        if unknown:
            raise OptionError(f"The network {unknown[0]!r} is not known; expected one of {', '.join(NETWORKS)}.")
        unknown = [name for name in self.only if name not in SECTIONS]
        if unknown or not self.only:
            asked = unknown[0] if unknown else ""
            raise OptionError(f"The section {asked!r} is not known; expected one of {', '.join(SECTIONS)}.")
        if self.limit is not None and self.limit < 1:
            raise OptionError(f"The limit is {self.limit}; expected a whole number of lines, at least 1.")
