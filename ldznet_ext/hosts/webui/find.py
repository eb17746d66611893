"""Finding the words in a picture that has just been painted, from within the host's hooks, and bringing masks to its size."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ldznet_ext.errors import LdznetError
from ldznet_ext.geometry import Box, Size
from ldznet_ext.hosts.memory import Made, Memory, unet_key
from ldznet_ext.hosts.webui.ask import ask as ask_under
from ldznet_ext.hosts.webui.session import Mask, Outcome, Session, size_of
from ldznet_ext.job import Job
from ldznet_ext.masks.imaging import stretch
from ldznet_ext.pipeline import apply
from ldznet_ext.prompt.nouns import things
from ldznet_ext.prompt.tree import Phrase, Tree
from ldznet_ext.request import MaskSettings
from ldznet_ext.result import FOUND, Segmentation
from ldznet_ext.ui.infotext import to_infotext

if TYPE_CHECKING:
    from ldznet_ext.hosts.webui.host import Host

NO_NOUNS = "The prompt names nothing that could be looked for, so no mask was made; type words instead."
EXTRA = (
    "What the sampling left does not serve this method here (for its steps, its size or its features), so an extra pass of the "
    "diffusion model was made."
)
NAMED = (
    "The words name networks of their own, and what the sampling left is of the picture's, so an extra pass of the diffusion "
    "model was made."
)
REFINED = (
    "Another checkpoint (a refiner) was loaded while this was painted{name}; what the first one left cannot be asked of it, so "
    "an extra pass is its own."
)
ONLY_CROP = "Only the repainted part of the picture was looked at."


def outcome_of(p: Any, session: Session) -> Outcome:
    """The picture that the host is finishing, with what sampling left of it."""
    row, box = p.batch_index, _box(getattr(p, "paste_to", None))
    kept = session.kept[row] if row < len(session.kept) else ()
    latent = None if session.latents is None else session.latents[row : row + 1]
    grid = kept[-1].latent if kept else latent
    made = None
    if grid is not None:
        size = Size(*grid.shape[-2:])
        made = Made(
            latent=latent,
            kept=kept,
            prompt=p.prompts[row],
            grid=size,
            box=box,
            model=session.model,
            networks=session.networks,
        )
    return Outcome(
        index=len(session.outcomes),
        seed=p.seeds[row],
        prompt=p.prompts[row],
        iteration=p.iteration,
        batch_index=row,
        made=made,
        box=box,
    )


def find_words(host: "Host", p: Any, picture: Image.Image, outcome: Outcome, session: Session) -> None:
    """Fill in an outcome's masks, of the crop where there is one; what is found is said, and written into the infotext."""
    job = session.job
    phrases = _phrases(job, outcome.prompt)
    if not phrases:
        session.say(NO_NOUNS)
        return
    array = np.asarray(at_size(picture, size_of(picture) if outcome.box is None else outcome.box.size))
    refined = _say_refined(host, session)
    result = ask(host, array, phrases, job.mask, outcome.made)
    outcome.masks = masks_of(result, job, array)
    several = p.batch_size * p.n_iter > 1
    session.say(say_found(result, f"Picture {outcome.index + 1}: " if several else ""))
    session.say(result.message)
    if result.unet_calls and not refined:
        session.say(NAMED if _names_networks(phrases) else EXTRA)
    if outcome.box is not None:
        session.say(ONLY_CROP)
    session.note(p)
    p.extra_generation_params.update(to_infotext(job, result))


def _say_refined(host: "Host", session: Session) -> bool:
    """Whether the checkpoint that began the picture is not the one that is loaded now, which is said."""
    try:
        backbone = host.borrow(host.loaded())
    except LdznetError:  # SDXL's refiner cannot be read: the sentence why follows
        session.say(REFINED.format(name=""))
        raise
    refined = session.model not in (None, unet_key(backbone))
    if refined:
        session.say(REFINED.format(name=f" ({backbone.name})"))
    return refined


def ask(
    host: "Host", picture: np.ndarray, phrases: Sequence[str | Tree], settings: MaskSettings, made: Made | None
) -> Segmentation:
    """The answer, with the model at hand and exactly the networks (LoRA) that the words name."""
    networks = None
    if _names_networks(phrases):
        from ldznet_ext.hosts.webui.networks import split_networks

        plain, networks = split_networks(str(phrases[0]))
        phrases = [plain]
    return ask_under(host, picture, phrases, settings, made, networks)


def _names_networks(phrases: Sequence[str | Tree]) -> bool:
    return any("<" in phrase for phrase in phrases if isinstance(phrase, str))


def masks_of(result: Segmentation, job: Job, picture: np.ndarray) -> list[Mask]:
    """One mask of the words, or one of each noun that is found in a picture, uint8 (h w 3); an empty one where nothing is."""
    if not job.of_nouns:
        return [Mask(words=job.mask.words, grey=apply(result, job.mask, picture=picture))]
    alone = {one.text: replace(result, phrases=(one,)) for one in result.phrases if one.status == FOUND}
    masks = [Mask(words=text, grey=apply(own, job.mask, picture=picture)) for text, own in alone.items()]
    return masks or [Mask(words="", grey=np.zeros(result.size, np.uint8))]


def complete(outcome: Outcome, picture: Image.Image, memory: Memory) -> None:
    """The picture is whole: so become its masks, and it is remembered."""
    outcome.picture = picture
    size = size_of(picture)
    outcome.masks = [replace(mask, grey=whole(mask.grey, outcome.box, size)) for mask in outcome.masks]
    if outcome.made is not None:
        if outcome.box is None:  # of a part no later words can be asked
            memory.put(np.asarray(picture.convert("RGB")), outcome.made)
        outcome.made = None  # the memory alone knows how much may be kept


def whole(mask: np.ndarray, box: Box | None, size: Size) -> np.ndarray:
    """A mask, uint8 (h w), of a picture or of a box in it, as one of the whole picture."""
    if box is None:
        return stretch(mask, size)
    out = np.zeros(size, np.uint8)
    inside = Box(max(0, box.x0), max(0, box.y0), min(size.width, box.x1), min(size.height, box.y1))
    part = stretch(mask, box.size)
    rows, columns = inside.y0 - box.y0, inside.x0 - box.x0
    out[inside.slices] = part[rows : rows + inside.size.height, columns : columns + inside.size.width]
    return out


def at_size(picture: Image.Image, size: Size) -> Image.Image:
    """The picture as RGB at a size."""
    rgb = picture.convert("RGB")
    return rgb if size_of(rgb) == size else rgb.resize((size.width, size.height), Image.Resampling.LANCZOS)


def say_found(result: Segmentation, before: str = "") -> str:
    """What was found, with the scores: a line under the pictures."""
    said = ", ".join(f'"{one.text:.60}" {one.status} ({one.score:.2f})' for one in result.phrases)
    return f"{before}{said}."


def _phrases(job: Job, prompt: str) -> list[str | Tree]:
    """The expression, or the prompt's nouns, which hold no operators."""
    if job.of_nouns:
        return [Phrase(thing) for thing in things(prompt)]
    return [job.mask.words]


def _box(paste_to: Any) -> Box | None:
    """The host's (x, y, width, height)."""
    if not paste_to:
        return None
    x, y, width, height = (int(value) for value in paste_to)
    return Box(x, y, x + width, y + height)
