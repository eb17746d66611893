"""How the panel's components answer each other: events in, `handlers` asked, values out. The same in every host."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ldznet_ext.errors import LdznetError, OptionError
from ldznet_ext.request import OPTION, MaskSettings
from ldznet_ext.ui import handlers, painting
from ldznet_ext.ui.canvases import Canvas
from ldznet_ext.ui.compat import listen, on_select, unchanged, update
from ldznet_ext.ui.desk import About, about_of, fitting, methods_of
from ldznet_ext.ui.gallery import prompt_of
from ldznet_ext.ui.messages import complaint, remark
from ldznet_ext.ui.panel import WordsBox
from ldznet_ext.ui.parts import CUTS
from ldznet_ext.ui.tab import Tab, about_html
from ldznet_ext.ui.views import View, said

if TYPE_CHECKING:
    from ldznet_ext.ui.desk import Desk

Save = Callable[[Image.Image, np.ndarray, str], str]
"""Writes (cut-out RGBA, mask uint8 h w, words) where the host writes pictures and answers with a sentence."""
MORE = ("refine", "sam", "timestep", "seed", "average", "parity")


def connect_words_box(desk: "Desk", made: WordsBox, canvas: Canvas) -> None:
    """Wire a words' box to the canvas of its tab."""
    cuts = list(made.cuts.values())
    outputs = [*canvas.mask_outputs, made.status, made.handle]

    def answer(view: View) -> list[Any]:
        return [*canvas.mask_values(view.mask), view.message, view.handle]

    def find(words: str, method: str, how: str, handle: str, *values: Any) -> list[Any]:
        wanted = settings(words, method, values[: len(cuts)])
        return answer(painting.paint(desk, *canvas.read(*values[len(cuts) :]), wanted, how, handle))

    def cut(how: str, handle: str, *values: Any) -> list[Any]:
        if not handle:
            return answer(View(message=""))
        shown = canvas.read(*values[len(cuts) :])
        return answer(said(lambda: painting.recut(*shown, how, cuts_of(values[: len(cuts)]), handle), keep=handle))

    def undo(handle: str, *values: Any) -> list[Any]:
        return answer(painting.undo(*canvas.read(*values), handle))

    def wipe(handle: str, *values: Any) -> list[Any]:
        return answer(painting.clear(*canvas.read(*values), handle))

    def on(event: Any, fn: Callable[..., Any], inputs: Sequence[Any], **how: Any) -> None:
        done = listen(event, fn, inputs, outputs, js=canvas.reading, **how)
        if canvas.script:
            script, given = canvas.script
            listen(done.then, None, given, js=script)

    asked = [made.words, made.method, made.how, made.handle, *cuts, *canvas.inputs]
    on(made.button.click, find, asked, progress="minimal")
    on(made.words.submit, find, asked, progress="minimal")
    for component in (*cuts, made.how):
        on(moved(component), cut, [made.how, made.handle, *cuts, *canvas.inputs], queue=False)
    on(made.undo.click, undo, [made.handle, *canvas.inputs], queue=False)
    on(made.clear.click, wipe, [made.handle, *canvas.inputs], queue=False)


def connect_tab(desk: "Desk", tab: Tab, save: Save | None = None) -> None:
    """Wire the tab's own components: words and regions, sliders, clicks, the line about the model, saving."""
    asked, shown = tab.asked, tab.shown
    cuts = [asked[name] for name in CUTS]
    outputs = [shown[name] for name in ("overlay", "mask", "message", "handle")]
    by_words = [asked["picture"], asked["words"], asked["method"], *cuts, *(asked[name] for name in MORE)]
    by_prompt = [asked["picture"], asked["prompt"], asked["method"], *cuts, *(asked[name] for name in MORE)]
    regions = [shown["regions"], shown["message"], shown["regions_handle"]]

    def find(given: Any, words: str, method: str, *values: Any) -> list[Any]:
        return views(handlers.find(desk, given, settings(words, method, values)))

    def look(given: Any, prompt: str, method: str, *values: Any) -> list[Any]:
        found = handlers.regions(desk, given, prompt or prompt_of(given), settings("", method, values))
        return [
            found.picture if found.picture is None else (found.picture, [*found.sections]),
            found.message,
            found.handle,
        ]

    def cut(handle: str, *values: Any) -> list[Any]:
        return views(said(lambda: handlers.recut(handle, cuts_of(values)), keep=handle)) if handle else unchanged(4)

    def pick(handle: str, index: int) -> list[Any]:
        return views(handlers.pick(handle, index))

    for event in (asked["find"].click, asked["words"].submit):
        listen(event, find, by_words, outputs, progress="minimal", js=_showing("overlay"))
    for event in (asked["look"].click, asked["prompt"].submit):
        listen(event, look, by_prompt, regions, progress="minimal", js=_showing("regions"))
    on_select(shown["regions"].select, pick, shown["regions_handle"], outputs)
    for component in cuts:
        listen(moved(component), cut, [shown["handle"], *cuts], outputs, queue=False)
    listen(asked["picture"].upload, prompt_of, [asked["picture"]], [asked["prompt"]], queue=False)
    _connect_model_line(desk, tab)
    if save:
        listen(
            shown["save"].click, lambda handle: _saved(handle, save), [shown["handle"]], [shown["message"]], queue=False
        )


def _connect_model_line(desk: "Desk", tab: Tab) -> None:
    line = [tab.asked[name] for name in ("about", "method", "file")]
    method, file = tab.asked["method"], tab.asked["file"]
    listen(tab.asked["refresh"].click, lambda chosen: _refreshed(desk, chosen), [method], line, queue=False)
    listen(
        tab.asked["convert"].click,
        lambda name, chosen: _converted(desk, name, chosen),
        [file, method],
        [tab.shown["message"], *line],
    )


def connect_methods(desk: "Desk", tab: Tab, choices: Sequence[Any]) -> None:
    """Offer everywhere only the methods that can work, each time the tab looks at what is loaded."""

    def offer(*chosen: str) -> list[Any]:
        about = about_of(desk)
        return [offered(about, one) for one in chosen]

    if choices:
        listen(tab.asked["refresh"].click, offer, choices, choices, queue=False)


def offered(about: About, chosen: str) -> Any:
    """A choice of methods brought up to date; what can no longer be chosen gives way to "auto"."""
    return update(choices=methods_of(about), value=fitting(about, chosen))


def moved(component: Any) -> Any:
    """A slider answers when it is let go; everything else when a person changes it."""
    return component.release if hasattr(component, "release") else getattr(component, "input", component.change)


def cuts_of(values: Sequence[Any]) -> dict[str, Any]:
    """What needs no model, out of its widgets in the order of CUTS."""
    return {name: OPTION[name].from_widget(value) for name, value in zip(CUTS, values, strict=True)}


def settings(words: str, method: str, values: Sequence[Any]) -> Callable[[], MaskSettings]:
    """The settings of widgets in the order of CUTS and MORE, made when they are asked for: what is wrong is said there."""

    def make() -> MaskSettings:
        rest = {name: OPTION[name].from_widget(value) for name, value in zip(MORE, values[len(CUTS) :], strict=False)}
        return MaskSettings(words=words or "", method=method or "auto", **cuts_of(values[: len(CUTS)]), **rest)

    return make


def views(view: View) -> list[Any]:
    """Overlay, mask, message, handle; without an answer the old pictures stay."""
    if view.overlay is None or view.mask is None:
        return [*unchanged(2), view.message, view.handle or update()]
    return [Image.fromarray(view.overlay), Image.fromarray(view.mask), view.message, view.handle]


def _showing(name: str) -> str:
    """Bring one of the views to the front at once; the inputs go on as they are."""
    return f"(...inputs) => {{ ldznet.view('{name}'); return inputs; }}"


def _refreshed(desk: "Desk", chosen: str) -> list[Any]:
    try:
        about = desk.heads_refresh()
    except LdznetError as error:
        about = About(message=str(error))
    return [about_html(about), offered(about, chosen), update(choices=list(about.convertible))]


def _converted(desk: "Desk", name: str, chosen: str) -> list[Any]:
    try:
        if not name:
            raise OptionError(
                "No file is chosen; expected one of the authors' files in a model folder, so put it there and refresh."
            )
        told = remark(desk.convert(name))
    except LdznetError as error:
        told = complaint(error)
    return [told, *_refreshed(desk, chosen)]


def _saved(handle: str, save: Save) -> str:
    try:
        cut = handlers.cut_out(handle)
        return remark(save(cut, np.asarray(cut.getchannel("A")), handlers.SESSIONS.get(handle).settings.words))
    except (LdznetError, OSError) as error:
        return complaint(error)
