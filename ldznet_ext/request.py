"""One frozen request in: every setting of a segmentation, declared and checked once."""

from dataclasses import dataclass
from numbers import Integral, Real

from ldznet_ext.errors import OptionError, PhraseError
from ldznet_ext.sampling import check_seed
from ldznet_ext.words import check_phrase


@dataclass(frozen=True, kw_only=True)
class SegmentRequest:
    """What to look for and how.

    `phrases`: one map each. `method`: a name of the registry or "auto". `threshold` in (0, 1) cuts `prob` into `mask`
    (None: the head's own) and never changes a status. `refine`: snap edges to the picture. `seed`: of the noise
    that is added before the harvesting pass. `timestep` 0..999 of that pass (None: the head's own, 400). `exclusive`: a
    pixel belongs to one phrase at most, so a method may let them compete.
    """

    phrases: tuple[str, ...]
    method: str = "auto"
    threshold: float | None = None
    refine: bool = True
    seed: int = 0
    timestep: int | None = None
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
