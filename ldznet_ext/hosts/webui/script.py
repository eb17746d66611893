"""The script's part in a generation: harvest while the host samples, find the words in each picture, put the masks beside it.

Every method is a hook of the host's `Script`, called with its processing object, its arguments and the accordion's values. None
ever raises into the host, and none touches a generation whose accordion is closed.
"""

import functools
import logging
import sys
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ldznet_ext.caches import MEBIBYTE
from ldznet_ext.errors import LdznetError
from ldznet_ext.hosts.webui import settings as webui_settings
from ldznet_ext.hosts.webui.session import INNER, NAME, SAID, Outcome, Runs, Session, file_of, session_of
from ldznet_ext.job import Job

if TYPE_CHECKING:
    from ldznet_ext.hosts.memory import Memory
    from ldznet_ext.hosts.webui.host import Host

logger = logging.getLogger("ldznet")
runs = Runs()
"""Of both tabs: a run of one may be nested in one of the other."""
Hook = TypeVar("Hook", bound=Callable[..., None])


def harmless(hook: Hook) -> Hook:
    """A hook whose failure costs the masks of this run and nothing else, and is said in a sentence."""

    @functools.wraps(hook)
    def guarded(self: "Generation", p: Any, *args: Any, **kwargs: Any) -> None:
        try:
            hook(self, p, *args, **kwargs)
        except Exception as error:
            _give_up(p, error)

    return guarded  # type: ignore[return-value]


class Generation:
    """One tab's script. host: the web UI around us; memory: what is kept of pictures for words asked later."""

    def __init__(self, host: "Host", memory: "Memory") -> None:
        self.host, self.memory = host, memory

    @harmless
    def before_process(self, p: Any, args: Sequence[Any]) -> None:
        """A run begins: whatever an earlier one left attached is taken off, also where this one wants nothing."""
        _detach_all()
        left = vars(p).pop(NAME, None)
        if isinstance(left, Session) and left.is_of(p):
            left.restore(p)
        if getattr(p, INNER, False) or not _is_open(args):
            return
        outermost = runs.begin(p, _job_of_host())
        job = Job.from_args(args)
        if job.enabled and outermost:
            setattr(p, NAME, Session(job=job, owner=weakref.ref(p)))
            webui_settings.share_folders()
            # in main memory: nothing of ours stays on the device between generations
            self.memory.resize(webui_settings.get("memory_mb") * MEBIBYTE, on_cpu=True)

    @harmless
    def process(self, p: Any, args: Sequence[Any]) -> None:
        """The model is loaded and `p.init()` not yet called: settings into the infotext, masks of img2img's own pictures."""
        _detach_all()
        session = session_of(p)
        if session is None:
            return
        from ldznet_ext.ui.infotext import to_infotext

        p.extra_generation_params.pop(SAID, None)  # the last file's
        p.extra_generation_params.update(to_infotext(session.job))
        session.file = file_of(p) if session.job.batch else ""
        if session.job.batch and getattr(p, "init_images", None) and getattr(p, "image_mask", None) is None:
            from ldznet_ext.hosts.webui.inpaint import mask_inputs

            mask_inputs(self.host, p, session)
            session.note(p)

    @harmless
    def process_before_every_sampling(self, p: Any, args: Sequence[Any], **kwargs: Any) -> None:
        """A sampling loop begins, hires' second one too: attach to the UNet that is loaded now."""
        session = session_of(p)
        if session is None or session.fault:
            return
        from ldznet_ext.hosts.answer import wanted_for
        from ldznet_ext.hosts.memory import unet_key
        from ldznet_ext.hosts.webui.harvest import Attachment, detach_with

        _detach_all()
        session.detach()
        session.kept = ()  # the last batch's need not stay on the device beside this one's
        webui_settings.put_heads_away()
        backbone = self.host.borrow(self.host.loaded())
        noise = kwargs.get("noise")
        session.model, session.networks = unet_key(backbone), self.host.active()
        session.attachment = Attachment(
            backbone.unet,
            wanted_for(session.job.mask, backbone),
            denoiser=getattr(getattr(p, "sampler", None), "model_wrap_cfg", None),
            pictures=p.batch_size if noise is None else len(noise),
            steps=p.steps,
        )
        detach_with(p, session.attachment)

    @harmless
    def post_sample(self, p: Any, ps: Any, args: Sequence[Any]) -> None:
        """Sampling is over, interrupted or not: the hooks come off, the final latents are kept."""
        session = session_of(p)
        if session is None:
            return
        from torch import Tensor

        from ldznet_ext.harvest.hooks import pick

        session.detach()
        given = ps.samples
        decoded = getattr(given, "already_decoded", False) or not isinstance(given, Tensor)
        session.latents = None if decoded else pick(given)

    @harmless
    def postprocess_image(self, p: Any, pp: Any, args: Sequence[Any]) -> None:
        """A picture is painted, a crop of it with "only masked": find the words, repaint them where that is wanted."""
        session = session_of(p)
        if session is None:
            return
        from ldznet_ext.hosts.webui.find import find_words, outcome_of

        outcome = outcome_of(p, session)
        session.outcomes.append(outcome)
        find_words(self.host, p, pp.image, outcome, session)
        if session.job.inpaint:
            _repaint(p, pp, outcome, session)

    @harmless
    def postprocess_image_after_composite(self, p: Any, pp: Any, args: Sequence[Any]) -> None:
        """The picture is whole: so become its masks, and it is remembered."""
        session = session_of(p)
        if session is None or not session.outcomes or session.outcomes[-1].picture is not None:
            return
        from ldznet_ext.hosts.webui.find import complete

        complete(session.outcomes[-1], pp.image, self.memory)

    @harmless
    def postprocess(self, p: Any, processed: Any, args: Sequence[Any]) -> None:
        """The run is over: masks among the results, sentences under them, everything as it was."""
        runs.end(p)
        session = vars(p).pop(NAME, None)
        if not isinstance(session, Session):
            return
        from ldznet_ext.hosts.webui.results import deliver

        session.detach()
        session.restore(p)
        try:
            deliver(p, processed, session)
        finally:
            webui_settings.put_heads_away()

    def unloaded(self) -> None:
        """ "Reload UI": what is attached comes off."""
        _detach_all()


def _repaint(p: Any, pp: Any, outcome: Outcome, session: Session) -> None:
    """Repaint what was found. Where that fails the picture stays, and so do its masks."""
    from ldznet_ext.hosts.webui.inpaint import repaint

    before = pp.image
    try:
        pp.image = repaint(p, before, outcome, session)
    except Exception as error:
        session.say(f"Picture {outcome.index + 1} was not repainted ({type(error).__name__}: {error}).")
        logger.error("LD-ZNet masks: a picture was not repainted", exc_info=error)
    if pp.image is not before:
        outcome.made = None  # what the sampling left is of another picture now


def _is_open(args: Sequence[Any]) -> bool:
    """Whether the accordion is: with it closed nothing else of it is even read."""
    return bool(args) and bool(args[0])


def _give_up(p: Any, error: Exception) -> None:
    """End what is ours of a run: hooks off, what was changed put back, a sentence under the pictures."""
    _detach_all()
    if isinstance(error, LdznetError):
        sentence = error.line
        logger.warning("LD-ZNet masks: %s", sentence)
    else:
        sentence = f"No masks were made: {type(error).__name__}: {error} (the console says where)."
        logger.error("LD-ZNet masks: %s", sentence, exc_info=error)
    session = vars(p).get(NAME)
    if isinstance(session, Session):
        session.active, session.attachment = False, None
        session.say(sentence)
    else:
        setattr(p, NAME, Session(job=Job(), active=False, sentences={sentence: None}))


def _detach_all() -> None:
    # not imported where nothing was ever attached
    module = sys.modules.get("ldznet_ext.hosts.webui.harvest")
    if module is not None:
        module.detach_all()


def _job_of_host() -> object:
    """What stands for the host's present job: nested runs share it."""
    shared = sys.modules.get("modules.shared")
    return getattr(getattr(shared, "state", None), "time_start", None)
