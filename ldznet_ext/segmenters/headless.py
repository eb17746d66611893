"""What methods without a trained head have in common: they fit every model, refuse a head, and take phrases of any length.

And they say in the same words where nothing can be told.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ldznet_ext.errors import MethodError
from ldznet_ext.segmenters.scores import Scoring, scoring_for
from ldznet_ext.segmenters.settings import for_family

if TYPE_CHECKING:
    from ldznet_ext.backbone import Backbone

Method = TypeVar("Method", bound="HeadlessSegmenter")


class HeadlessSegmenter:
    """A method that needs nothing but the diffusion model. `table`: its settings by family."""

    name: str
    table: ClassVar[Mapping[str, Any]]
    rank: ClassVar[int] = 0
    any_length: ClassVar[bool] = True

    def __init__(self, settings: Any, scoring: Scoring | None = None) -> None:
        self.settings = settings
        self.scoring = scoring or Scoring()

    @classmethod
    def fits(cls, backbone: "Backbone", head: Path | None) -> bool:
        """Every model, as long as no head is named."""
        return head is None

    @classmethod
    def open(cls: type[Method], backbone: "Backbone", head: Path | None) -> Method:
        """Make it ready for a model; MethodError where a head is named."""
        if head is not None:
            raise MethodError(
                f"The method is '{cls.name}' and the head {head.name}; expected a head's method or no head, so leave one out."
            )
        return cls.for_model(backbone)

    @classmethod
    def for_model(cls: type[Method], backbone: "Backbone") -> Method:
        """With the settings of the model's family, and the scores measured for it."""
        return cls(for_family(cls.table, backbone.family), scoring_for(cls.name, backbone.family))


def say_unattended(phrases: Sequence[str]) -> str:
    """That the attention to these phrases tells nothing, in a sentence; empty where there are none."""
    if not phrases:
        return ""
    quoted = ", ".join(f'"{phrase[:40]}"' for phrase in phrases[:5])
    return (
        f"The attention to {quoted} is the same everywhere, or not a number, so nothing is found; try another timestep, "
        "or float32."
    )


def say_fault(fault: str) -> str:
    """That a picture's features tell nothing, and why (`prototypes.fault_of`)."""
    return (
        f"The diffusion model's features of this picture {fault}, so nothing can be told apart in it; try another picture, "
        "another timestep, or float32."
    )
