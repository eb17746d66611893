"""Masks among a run's results: after all pictures, so that buttons that go by a picture's number keep working."""

import re
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ldznet_ext.hosts.webui.plain import settings
from ldznet_ext.hosts.webui.session import SAID, Mask, Outcome, Session
from ldznet_ext.job import KEEP, SKIP
from ldznet_ext.ui.origins import ORIGINS

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = "A script ran, which may take every picture for its own, so the masks were not added to them; the buttons have them."
STEALTH = "stealth_pnginfo_option"
"""Forge's setting that hides the infotext in the lowest bit of a picture's alpha: a mask's would be read in place of it."""


def deliver(p: Any, processed: Any, session: Session) -> None:
    """Put what a session found into the host's `Processed`: pictures, texts, files, remarks.

    Not among the pictures where a script of the host's drop-down list runs: SD upscale and the outpainting ones take all of
    them for tiles.
    """
    shown = not _runs_script(p)
    if not shown and any(outcome.masks for outcome in session.outcomes):
        session.say(SCRIPT)
    if session.unchanged is not None:
        _keep_unchanged(p, processed, session.unchanged, keep=session.job.not_found == KEEP)
    for grid in processed.images[: getattr(processed, "index_of_first_image", 0)]:
        ORIGINS.note(grid, "a grid of pictures")
    texts = _texts(processed, session)
    for outcome, text in zip(session.outcomes, texts, strict=True):
        if outcome.picture is None or (session.job.not_found == SKIP and not outcome.found):
            continue
        for mask in outcome.masks:
            _add(p, processed, session, outcome, mask, text, shown=shown)
    _say(processed, session)


def _say(processed: Any, session: Session) -> None:
    """The sentences: under the pictures, and in the API's `info`, whose answers carry no remarks; in no picture's infotext."""
    if not session.sentences:
        return
    lines = "".join(f"{sentence}\n" for sentence in session.sentences)
    processed.comments = f"{getattr(processed, 'comments', '') or ''}{lines}"
    # a new dict: the host's own is the processing object's, which the next run may share
    processed.extra_generation_params = {
        **(getattr(processed, "extra_generation_params", None) or {}),
        SAID: lines.strip(),
    }


def _add(p: Any, processed: Any, session: Session, outcome: Outcome, mask: Mask, text: str, *, shown: bool) -> None:
    assert outcome.picture is not None
    picture = Image.fromarray(mask.grey)
    if shown and session.job.overlay:
        from ldznet_ext.masks.overlay import overlay

        drawn = overlay(np.asarray(outcome.picture.convert("RGB")), mask.grey > 127)
        _append(processed, Image.fromarray(drawn), text)
        if mask.grey.any():  # else it may well be the picture itself
            ORIGINS.note(Image.fromarray(drawn), "a picture with its mask drawn on it")
    if shown:
        ORIGINS.note(picture, "a mask")
        _append(processed, picture.convert("RGB") if _writes_into_alpha() else picture, text)
    if _saves(session) and not getattr(p, "do_not_save_samples", False):
        _save(p, picture, outcome, text, suffix=_suffix(mask, session))


def _runs_script(p: Any) -> bool:
    """Whether one of the drop-down list's scripts runs this generation: its number is the first argument of all scripts."""
    args = getattr(p, "script_args", None)
    return bool(args) and type(args[0]) is int and args[0] > 0


def _append(processed: Any, picture: Image.Image, text: str) -> None:
    """One more picture with its text. img2img's own extra masks come without one: the lists are made equally long first."""
    while len(processed.infotexts) < len(processed.images):
        processed.infotexts.append(processed.infotexts[-1] if processed.infotexts else text)
    if text:
        picture.info["parameters"] = text
    processed.images.append(picture)
    processed.infotexts.append(text)


def _texts(processed: Any, session: Session) -> "Iterator[str]":
    """The infotext of each picture; the host's list begins with the grid's where there is one."""
    first = getattr(processed, "index_of_first_image", 0)
    known = list(processed.infotexts)
    last = known[-1] if known else ""
    return (known[first + each.index] if first + each.index < len(known) else last for each in session.outcomes)


def _saves(session: Session) -> bool:
    from ldznet_ext.hosts.webui import settings as webui_settings

    return session.job.save or bool(webui_settings.get("save_masks"))


def _save(p: Any, picture: Image.Image, outcome: Outcome, text: str, *, suffix: str) -> None:
    """Under the host's own folder and file name; names may hold the picture's number, so its turn comes back for a moment.

    In three equal channels and with nothing hidden in them: Forge writes its text into the alpha of what it saves, which fails
    on grey pictures, and whoever takes the file for a mask would take that alpha.
    """
    from modules import images

    colour = picture.convert("RGB")
    turn = p.iteration, p.batch_index
    p.iteration, p.batch_index = outcome.iteration, outcome.batch_index
    try:
        with settings(**{STEALTH: "None"}):
            images.save_image(
                colour, p.outpath_samples, "", outcome.seed, outcome.prompt, "png", info=text, p=p, suffix=suffix
            )
    finally:
        p.iteration, p.batch_index = turn


def _writes_into_alpha() -> bool:
    """Whether the gallery's Save button would hide the infotext in a transparency, which a grey picture cannot take."""
    shared = sys.modules.get("modules.shared")
    return STEALTH in getattr(getattr(shared, "opts", None), "data_labels", ())


def _suffix(mask: Mask, session: Session) -> str:
    """-mask, and with several a picture the words."""
    words = re.sub(r"\W+", "_", mask.words).strip("_")[:40]
    return f"-mask-{words}" if session.job.of_nouns and words else "-mask"


def _keep_unchanged(p: Any, processed: Any, picture: Image.Image, *, keep: bool) -> None:
    """An input picture in which nothing was found goes out as it came, or not at all."""
    text = processed.infotexts[0] if processed.infotexts else ""
    processed.images[:], processed.infotexts[:] = ([picture], [text]) if keep else ([], [])
    if keep and p.save_samples():
        from modules import images
        from modules.shared import opts

        seed, prompt = p.all_seeds[0], p.all_prompts[0]
        images.save_image(picture, p.outpath_samples, "", seed, prompt, opts.samples_format, info=text, p=p)
