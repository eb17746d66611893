"""Hooks on a web UI's UNet, and on the denoiser that calls it, for the length of one sampling loop.

They read and change nothing. Whatever goes wrong in a reader is said once, ends the reading and never reaches the host: a
hook that raises would cost the user the picture. Interrupts are no `Exception` in these hosts, and pass.
"""

import logging
import weakref
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from torch import Tensor, nn

from ldznet_ext.errors import LdznetError
from ldznet_ext.geometry import Size
from ldznet_ext.harvest.hooks import attach
from ldznet_ext.harvest.locate import locate
from ldznet_ext.harvest.sampling import Kept, read_call
from ldznet_ext.harvest.steps import StepHarvest
from ldznet_ext.harvest.wanted import Wanted
from ldznet_ext.hosts.webui.rows import Denoising, RowReader, UNetCall

logger = logging.getLogger("ldznet")
_attached: "weakref.WeakSet[Attachment]" = weakref.WeakSet()


def detach_with(p: Any, attachment: "Attachment") -> None:
    """Take an attachment off at the latest when the processing object is gone: a run that raised drops it."""
    weakref.finalize(p, _release, weakref.ref(attachment))


def _release(reference: "weakref.ref[Attachment]") -> None:
    attachment = reference()
    if attachment is not None:
        attachment.detach()


def detach_all() -> None:
    """Take off whatever is attached anywhere: a run that ended in an exception never does."""
    for attachment in tuple(_attached):
        attachment.detach()


class Attachment:
    """What is attached from the start of a sampling loop to its end.

    denoiser: the sampler's `model_wrap_cfg`, one call of which is a step; None, or none of torch's modules: every call of the
    UNet counts as one. pictures, steps: of the batch and of the loop, where the denoiser does not say. `fault` says why
    reading was given up.
    """

    def __init__(self, unet: nn.Module, wanted: Wanted, *, denoiser: Any = None, pictures: int, steps: int) -> None:
        self.fault = ""
        self.pictures, self.steps = pictures, max(1, steps)
        self._denoiser = denoiser
        self._rows: RowReader | None = None
        self._stack = ExitStack()
        self._inner = ExitStack()
        """The UNet's hooks, apart from the denoiser's: torch cannot take off hooks that it is calling for an exception."""
        self._alone = not isinstance(denoiser, nn.Module)
        self._harvest: StepHarvest | None = None
        if not wanted.taps:
            return
        ports = locate(unet, wanted.taps)
        self._harvest = StepHarvest(unet, wanted)
        with ExitStack() as stack:  # a failure half-way takes off what is on
            if isinstance(denoiser, nn.Module):
                self._before(stack, denoiser, self._begin_step)
                self._always(stack, denoiser)
            stack.enter_context(self._inner)
            self._before(self._inner, unet, self._begin_call)
            for tap, port in ports.items():
                attach(self._inner, port, self._guarded(lambda tensor, tap=tap: self._reading.read(tap, tensor)))
            self._after(self._inner, unet, self._end_call)
            self._stack = stack.pop_all()
        _attached.add(self)

    @property
    def kept(self) -> tuple[tuple[Kept, ...], ...]:
        """For each picture what was kept of it; nothing where something went wrong."""
        return self._harvest.kept if self._harvest is not None and not self.fault else ()

    def detach(self) -> None:
        """Take every hook off; as often as you like."""
        self._stack.close()
        _attached.discard(self)

    @property
    def _reading(self) -> StepHarvest:
        assert self._harvest is not None, "hooks are attached to read something"
        return self._harvest

    def _before(
        self, stack: ExitStack, module: nn.Module, read: Callable[[tuple[Any, ...], dict[str, Any]], None]
    ) -> None:
        guarded = self._guarded(read)
        handle = module.register_forward_pre_hook(lambda module, args, kwargs: guarded(args, kwargs), with_kwargs=True)
        stack.callback(handle.remove)

    def _after(self, stack: ExitStack, module: nn.Module, read: Callable[[], None]) -> None:
        guarded = self._guarded(read)
        stack.callback(module.register_forward_hook(lambda module, args, output: guarded()).remove)

    def _always(self, stack: ExitStack, denoiser: nn.Module) -> None:
        """End a step; where the denoiser raised, nobody tells us that the run is over, so the UNet's hooks come off here."""
        end = self._guarded(self._reading.end_step)

        def after(module: nn.Module, args: Any, output: Any) -> None:
            end() if output is not None else self._inner.close()

        stack.callback(denoiser.register_forward_hook(after, always_call=True).remove)

    def _guarded(self, read: Callable[..., None]) -> Callable[..., None]:
        """The same, but that an error ends the reading and is said once."""

        def guarded(*args: Any) -> None:
            if self.fault:
                return
            try:
                read(*args)
            except Exception as error:
                self._give_up(error)

        return guarded

    def _give_up(self, error: Exception) -> None:
        known = isinstance(error, LdznetError)
        self.fault = (
            str(error) if known else f"The model could not be read while it painted ({type(error).__name__}: {error})."
        )
        logger.warning("LD-ZNet masks: %s", self.fault, exc_info=None if known else error)
        self.detach()

    def _begin_step(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """The denoiser is called: (x, sigma, uncond, cond, ...), the last mostly by name."""
        latent: Tensor = args[0] if args else kwargs["x"]
        denoising = denoising_of(kwargs.get("cond"), latent.shape[0])
        self._rows = RowReader(denoising)
        self._reading.begin_step(denoising.pictures, Size(*latent.shape[-2:]), calls_of(self._denoiser) or self.steps)

    def _begin_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        latent, timestep = read_call(args, kwargs)
        call = UNetCall(latent.shape[0], _marks(kwargs.get("transformer_options")))
        if self._alone:
            self._rows = RowReader(Denoising.of(self.pictures))
            self._reading.begin_step(self.pictures, Size(*latent.shape[-2:]), self.steps)
        if self._rows is not None:
            self._reading.begin_call(latent, timestep, self._rows.read(call))

    def _end_call(self) -> None:
        self._reading.end_call()
        if self._alone:
            self._reading.end_step()


def calls_of(denoiser: Any) -> int:
    """How often a host's denoiser is going to be called in this loop; 0 where it does not say.

    It says `total_steps`, one too many for samplers of second order, whose last step is of first order, and for those that
    walk over whole timesteps (DDIM, PLMS, UniPC), which have `alphas`.
    """
    total, steps = getattr(denoiser, "total_steps", None), getattr(denoiser, "steps", None)
    if not isinstance(total, int) or total < 1:
        return 0
    less = total > 1 and (total == 2 * (steps or 0) or hasattr(denoiser, "alphas"))
    return total - 1 if less else total


def denoising_of(cond: Any, pictures: int) -> Denoising:
    """The parts of each picture's prompt, out of a host's `MulticondLearnedConditioning`; one each where it is none."""
    batch = getattr(cond, "batch", None)
    if not isinstance(batch, list) or len(batch) != pictures:
        return Denoising.of(pictures)
    return Denoising(tuple(tuple(float(part.weight) for part in parts) for parts in batch))


def _marks(options: Any) -> tuple[int, ...] | None:
    """Forge's and reForge's marks of a call's chunks; None in A1111, which gives no such options."""
    marks = options.get("cond_or_uncond") if isinstance(options, Mapping) else None
    return None if marks is None else tuple(int(mark) for mark in marks)
