"""How a picture is painted, whatever host does it: steps, guidance, seeds, and where a run begins.

Nothing here knows a model; `backbone.Backbone.generate` takes these.
"""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING

from ldznet_ext.errors import OptionError
from ldznet_ext.geometry import Size
from ldznet_ext.words import check_negative

if TYPE_CHECKING:
    import torch
    from torch import Tensor

DEFAULT_STEPS = 20
DEFAULT_GUIDANCE = 5.0
Progress = Callable[[int, int], None]
"""Called after each sampling step with the steps done and the steps to do."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How to paint, checked when it is made.

    steps: 1..1000. guidance: 0..100, how much the words weigh; 1 halves the work. negative: what the picture is drawn away
    from. size: multiples of 64; None for the model's own, or that of the latent a run begins with.
    """

    steps: int = DEFAULT_STEPS
    guidance: float = DEFAULT_GUIDANCE
    negative: str = ""
    size: Size | None = None

    def __post_init__(self) -> None:
        if isinstance(self.steps, bool) or not isinstance(self.steps, Integral) or not 1 <= self.steps <= 1000:
            raise OptionError(
                f"The number of steps is {self.steps}; expected a whole number from 1 to 1000, so choose one, for example 20."
            )
        if not isinstance(self.guidance, Real) or not 0 <= self.guidance <= 100:  # NaN is not
            raise OptionError(
                f"The guidance is {self.guidance}; expected a number from 0 to 100, so choose one, for example 5."
            )
        check_negative(self.negative)
        object.__setattr__(self, "steps", int(self.steps))  # numpy's numbers are welcome, and become Python's
        object.__setattr__(self, "guidance", float(self.guidance))
        object.__setattr__(self, "size", None if self.size is None else as_size(self.size))

    @property
    def guided(self) -> bool:
        """Whether each step also asks what the picture would be without the words."""
        return self.guidance != 1.0


def as_size(size: "Size | tuple[int, int]") -> Size:
    """A size that may have come as a plain pair; OptionError unless it is of multiples of 64."""
    sides = tuple(size) if isinstance(size, (tuple, list)) else ()
    if len(sides) != 2 or not all(isinstance(side, Integral) and side > 0 and side % 64 == 0 for side in sides):
        raise OptionError(
            f"The size is {size}; expected height and width in multiples of 64, so give a pair such as (256, 256)."
        )
    return Size(int(sides[0]), int(sides[1]))


@dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """Where a run of sampling begins and what stays as it is.

    latent: (1 c lh lw), scaled. repaint: (1 1 lh lw), 1 where it may change, 0 where it is held. strength above 0 up to 1:
    the part of the run that is done; 1 starts from pure noise where it may change. masked: (1 c lh lw), the latent of the
    picture with grey where it may change, for a model that was trained to inpaint.
    """

    latent: "Tensor"
    repaint: "Tensor"
    strength: float = 1.0
    masked: "Tensor | None" = None

    def __post_init__(self) -> None:
        check_strength(self.strength)


def check_strength(strength: float) -> None:
    """Refuse a strength that is not above 0 and up to 1."""
    if isinstance(strength, bool) or not isinstance(strength, Real) or not 0 < strength <= 1:
        raise OptionError(
            f"The strength is {strength}; expected a number above 0 and up to 1, so choose one, for example 1."
        )


def check_seed(seed: int) -> int:
    """The seed, refused unless it is a whole number torch takes."""
    try:
        number = seed.__index__()
    except AttributeError:
        number = -1
    if isinstance(seed, bool) or not 0 <= number < 2**63:
        raise OptionError(f"The seed is {seed}; expected a whole number from 0 to 2**63 - 1, so choose one.")
    return number


def seeded_noise(seed: int, shape: tuple[int, ...], device: "torch.device", dtype: "torch.dtype") -> "Tensor":
    """Standard normal noise from (seed, shape), drawn on the CPU in float32: the same on every machine."""
    import torch

    generator = torch.Generator("cpu").manual_seed(check_seed(seed))
    return torch.randn(shape, generator=generator, dtype=torch.float32).to(device=device, dtype=dtype)
