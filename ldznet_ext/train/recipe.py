"""A recipe: one TOML file that says how a shipped file was trained.

Phases split the budget (minutes or steps); everything a task needs beyond that sits in its own free tables.
"""

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ldznet_ext.errors import OptionError

FOLDER = Path(__file__).with_name("recipes")


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of the training at one picture size. `share` of the budget, `size` in pixels, `batch` a process."""

    share: float
    size: int
    batch: int
    rate: float
    """Peak learning rate of the phase."""
    window: int = 0
    """Side in pixels of the part of a picture around one object that is shown; 0: the whole picture."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What to train, on what, for how long.

    Exactly one of `minutes` and `steps` is the budget. `decay` is the last fraction of it, over which the rate falls
    to zero. `precision` is accelerate's: "no", "bf16" or "fp16". `model`, `data` and `loss` belong to the task.
    """

    kind: str
    seed: int = 0
    minutes: float | None = None
    steps: int | None = None
    warmup: int = 100
    decay: float = 0.2
    weight_decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.999
    precision: str = "no"
    workers: int = 0
    checkpoint_minutes: float = 5.0
    sample_minutes: float = 5.0
    start: str = ""
    """Folder or file whose weights the training starts from; empty: from nothing."""
    slow: dict[str, float] = field(default_factory=dict)
    """Parts of the networks that learn at a share of the rate, by name: {"text_encoder": 0.1}."""
    phases: tuple[Phase, ...]
    model: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    loss: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise OptionError("A recipe gives its budget in `minutes` or in `steps`, one of the two.")
        if abs(sum(phase.share for phase in self.phases) - 1) > 1e-6:
            raise OptionError("The shares of a recipe's phases must add up to 1.")

    def with_budget(self, *, minutes: float | None = None, steps: int | None = None) -> "Recipe":
        """The same recipe for another budget."""
        if minutes is None and steps is None:
            return self
        return replace(self, minutes=None if steps else minutes, steps=steps)

    def as_dict(self) -> dict[str, Any]:
        """Plain types, for JSON metadata."""
        return asdict(self)


def load_recipe(source: str | Path) -> Recipe:
    """Read a TOML file, or a shipped recipe by its name without suffix."""
    path = Path(source)
    if not path.suffix:
        path = FOLDER / f"{path.name}.toml"
    if not path.is_file():
        shipped = ", ".join(sorted(file.stem for file in FOLDER.glob("*.toml")))
        raise OptionError(f"There is no recipe {str(source)!r}; expected a .toml file or one of: {shipped}.")
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return parse_recipe(table)


def parse_recipe(table: dict[str, Any]) -> Recipe:
    """A Recipe from a parsed TOML table (or from `Recipe.as_dict`)."""
    phases = tuple(Phase(**phase) for phase in table["phases"])
    known = set(Recipe.__dataclass_fields__)
    unknown = sorted(set(table) - known)
    if unknown:
        raise OptionError(
            f"The recipe has unknown settings {', '.join(unknown)}; expected only {', '.join(sorted(known))}."
        )
    return Recipe(**{**table, "phases": phases})
