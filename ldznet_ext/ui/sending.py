"""Pictures with their masks from one place of the page to another: to the inpaint canvases, and from galleries to the tab."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ldznet_ext.errors import LdznetError
from ldznet_ext.request import OPTION
from ldznet_ext.ui import handlers
from ldznet_ext.ui.canvases import Canvas
from ldznet_ext.ui.compat import hidden_text, listen, unchanged, update
from ldznet_ext.ui.gallery import FIELDS, OpenPicture, job_of, mask_as_asked, picture_of, prompt_of
from ldznet_ext.ui.messages import complaint
from ldznet_ext.ui.panel import Toolbar, WordsBox
from ldznet_ext.ui.tab import Tab
from ldznet_ext.ui.views import View
from ldznet_ext.ui.wiring import settings

if TYPE_CHECKING:
    from ldznet_ext.ui.desk import Desk

CHOSEN = "(...given) => ldznet.chosen(...given)"
PLACES = {"inpaint": "INPAINT", "upload": "UPLOAD"}
"""Canvas -> what the page's script calls its tab."""


def both(target: Canvas, view: View) -> list[Any]:
    """Picture and mask for a canvas, message, handle; where nothing was found nothing moves, and the handle is empty."""
    if view.mask is None or not view.mask.any():
        return [*unchanged(len(target.both_outputs)), view.message, ""]
    picture = handlers.SESSIONS.get(view.handle).picture
    return [*target.both_values(Image.fromarray(picture), view.mask), view.message, view.handle]


def arrive(event: Any, target: Canvas, handle: Any, place: str = "INPAINT") -> None:
    """Open the inpaint tab where there is a handle, then let the page draw the mask."""
    script, given = target.script or ("() => {}", [])
    js = f"(handle, ...rest) => {{ if (handle) {{ ldznet.open_inpaint(ldznet.{place}); ({script})(...rest); }} }}"
    listen(event.then, None, [handle, *given], js=js)


def connect_sketch_box(desk: "Desk", made: WordsBox, source: Any, target: Canvas) -> None:
    """In Inpaint sketch the mask is painted colour, so the words' mask goes to Inpaint, with the picture."""
    cuts = list(made.cuts.values())

    def send(words: str, method: str, *values: Any) -> list[Any]:
        return both(target, handlers.find(desk, values[-1], settings(words, method, values[: len(cuts)])))

    for trigger in (made.button.click, made.words.submit):
        asked, outputs = [made.words, made.method, *cuts, source], [*target.both_outputs, made.status, made.handle]
        arrive(listen(trigger, send, asked, outputs, progress="minimal"), target, made.handle)


def send_from_tab(tab: Tab, canvases: Mapping[str, Canvas]) -> None:
    """The tab's two buttons."""
    for name, target in canvases.items():
        arrived = hidden_text(f"ldznet_tab_arrived_{name}")

        def send(handle: str, target: Canvas = target) -> list[Any]:
            return both(target, handlers.recut(handle, {}))

        outputs = [*target.both_outputs, tab.shown["message"], arrived]
        event = listen(tab.shown[f"to_{name}"].click, send, [tab.shown["handle"]], outputs, queue=False)
        arrive(event, target, arrived, PLACES[name])


def into_tab(value: Any, values: Sequence[Any], open_picture: OpenPicture) -> list[Any]:
    """Picture, prompt, every setting of a mask, message, and the button of the tab to press (nothing: stay here)."""
    try:
        picture, job = picture_of(value, open_picture), job_of(values)
    except LdznetError as error:
        return [*unchanged(2 + len(OPTION)), complaint(error), ""]
    prompt, words = prompt_of(picture), job.mask.words
    rest = [option.to_widget(getattr(job.mask, name)) for name, option in OPTION.items() if name != "words"]
    return [picture, prompt, words or update(), *rest, "", "look" if prompt else "find" if words else "tab"]


def connect_toolbar(
    desk: "Desk",
    bar: Toolbar,
    gallery: Any,
    fields: Mapping[str, Any],
    tab: Tab,
    canvas: Canvas | None,
    open_picture: OpenPicture,
) -> None:
    """mask: the picture into the tab, the things of its prompt as regions. inpaint, cut-out: as the accordion's `fields` say."""
    given = [gallery, *(fields[name] for name in FIELDS)]

    def find(value: Any, *values: Any) -> View:
        return mask_as_asked(desk, value, values, open_picture)

    def open_tab(value: Any, *values: Any) -> list[Any]:
        return into_tab(value, values, open_picture)

    def cut(*values: Any) -> list[Any]:
        return _cut_out(find(*values))

    arrived, asked, shown = hidden_text(f"{bar.mask.elem_id}_arrived"), tab.asked, tab.shown
    outputs = [asked["picture"], asked["prompt"], *(asked[name] for name in OPTION), bar.status, arrived]
    event = listen(bar.mask.click, open_tab, given, outputs, js=CHOSEN)
    listen(event.then, None, [arrived], js="(arrived) => ldznet.arrived(arrived)")
    outputs = [
        shown["overlay"],
        shown["mask"],
        shown["message"],
        shown["handle"],
        asked["picture"],
        bar.status,
        arrived,
    ]
    event = listen(bar.cut.click, cut, given, outputs, js=CHOSEN, progress="minimal")
    listen(event.then, None, [arrived], js="(arrived) => { if (arrived) ldznet.open_tab('overlay'); }")
    if canvas:
        outputs = [*canvas.both_outputs, bar.status, arrived]
        event = listen(
            bar.inpaint.click,
            lambda *values: both(canvas, find(*values)),
            given,
            outputs,
            js=CHOSEN,
            progress="minimal",
        )
        arrive(event, canvas, arrived)


def _cut_out(view: View) -> list[Any]:
    """The cut-out in the tab's view, with mask, message, handle and picture; under the gallery the message alone otherwise."""
    if view.mask is None or not view.mask.any():
        return [*unchanged(5), view.message, ""]
    cut = handlers.cut_out(view.handle)
    picture = Image.fromarray(np.asarray(cut)[..., :3])
    return [cut, Image.fromarray(view.mask), view.message, view.handle, picture, view.message, view.handle]
