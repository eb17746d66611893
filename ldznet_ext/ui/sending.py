"""Pictures with their masks from one place of the page to another: to the inpaint canvases, and from galleries to the tab."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ldznet_ext.request import MaskSettings
from ldznet_ext.ui import handlers
from ldznet_ext.ui.compat import Canvas, hidden_text, listen, unchanged, update
from ldznet_ext.ui.messages import complaint
from ldznet_ext.ui.panel import Tab, Toolbar, WordsBox
from ldznet_ext.ui.wiring import prompt_of, settings

if TYPE_CHECKING:
    from ldznet_ext.ui.desk import Desk

CHOSEN = "(gallery, words) => ldznet.chosen(gallery, words)"
NO_PICTURE = "There is no picture; expected one in the gallery, so generate one first."
PLACES = {"inpaint": "INPAINT", "upload": "UPLOAD"}
"""Canvas -> what the page's script calls its tab."""
OpenPicture = Callable[[Any], Image.Image | None]


def both(target: Canvas, view: handlers.View) -> list[Any]:
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


def connect_toolbar(
    desk: "Desk", bar: Toolbar, gallery: Any, words: Any, tab: Tab, canvas: Canvas | None, open_picture: OpenPicture
) -> None:
    """mask: the picture into the tab, the things of its prompt as regions. inpaint, cut-out: by the accordion's words."""

    def find(value: Any, text: str) -> handlers.View:
        picture = open_picture(value)
        if picture is None:
            return handlers.View(message=complaint(NO_PICTURE))
        return handlers.find(desk, picture, lambda: MaskSettings(words=text or ""))

    def into_tab(value: Any, text: str) -> list[Any]:
        picture = open_picture(value)
        if picture is None:
            return [*unchanged(3), complaint(NO_PICTURE), ""]
        prompt = prompt_of(picture)
        return [picture, prompt, text or update(), "", "look" if prompt else "find" if text else "tab"]

    def cut(value: Any, text: str) -> list[Any]:
        return _cut_out(find(value, text))

    arrived, asked, shown = hidden_text(f"{bar.mask.elem_id}_arrived"), tab.asked, tab.shown
    outputs = [asked["picture"], asked["prompt"], asked["words"], bar.status, arrived]
    event = listen(bar.mask.click, into_tab, [gallery, words], outputs, js=CHOSEN)
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
    event = listen(bar.cut.click, cut, [gallery, words], outputs, js=CHOSEN, progress="minimal")
    listen(event.then, None, [arrived], js="(arrived) => { if (arrived) ldznet.open_tab('overlay'); }")
    if canvas:
        outputs = [*canvas.both_outputs, bar.status, arrived]
        event = listen(
            bar.inpaint.click,
            lambda *given: both(canvas, find(*given)),
            [gallery, words],
            outputs,
            js=CHOSEN,
            progress="minimal",
        )
        arrive(event, canvas, arrived)


def _cut_out(view: handlers.View) -> list[Any]:
    """The cut-out in the tab's view, with mask, message, handle and picture; under the gallery the message alone otherwise."""
    if view.mask is None or not view.mask.any():
        return [*unchanged(5), view.message, ""]
    cut = handlers.cut_out(view.handle)
    picture = Image.fromarray(np.asarray(cut)[..., :3])
    return [cut, Image.fromarray(view.mask), view.message, view.handle, picture, view.message, view.handle]
