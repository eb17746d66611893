"""Where the panel stands in a web UI: the host's own components, found by elem_id as they are made, and what is wired to them.

Nothing here may cost the user the page: a component that is missing leaves out what needs it, and the log says so once.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np
from PIL import Image

from ldznet_ext.request import MaskSettings
from ldznet_ext.ui import handlers
from ldznet_ext.ui.compat import (
    OLD,
    Canvas,
    LayersCanvas,
    SketchCanvas,
    UploadCanvas,
    hidden_text,
    listen,
    quiet,
    small_button,
    update,
)
from ldznet_ext.ui.messages import complaint
from ldznet_ext.ui.panel import Tab, connect_words_box, words_box

if TYPE_CHECKING:
    from ldznet_ext.ui.desk import Desk

INPAINT, SKETCH, BASE, MASK = "img2maskimg", "inpaint_sketch", "img_inpaint_base", "img_inpaint_mask"
TABS = ("txt2img", "img2img")
LAYERS = ("logical_image_foreground", "logical_image_background")
"""Forge's two layers are made, in this order, after the canvas' HTML."""
CANVAS_IDS = (INPAINT, SKETCH)
log = logging.getLogger("ldznet")


@dataclass
class Toolbar:
    """Our buttons under one gallery."""

    mask: Any
    inpaint: Any
    cut: Any
    status: Any


@dataclass
class Binder:
    """One page's captured components. desk: answers; open_picture: a gallery's value as PIL, by the host's own checks.

    methods: names to choose from. A page that is made anew ("Reload UI") gets a new binder.
    """

    desk: "Desk"
    open_picture: Callable[[Any], Image.Image | None]
    methods: Sequence[str] = ("auto",)
    found: dict[str, Any] = field(default_factory=dict)
    layers: dict[str, list[Any]] = field(default_factory=dict)
    toolbars: dict[str, Toolbar] = field(default_factory=dict)
    canvases: dict[str, Canvas] = field(default_factory=dict)
    _last_canvas: str = ""
    _busy: bool = False

    def after_component(self, component: Any, **kwargs: Any) -> None:
        """For the host's on_after_component: note what is ours to use, and put ours beside it."""
        if self._busy:  # our own components come by here too
            return
        try:
            self._busy = True
            self._note(component, kwargs.get("elem_id") or getattr(component, "elem_id", None) or "")
        except Exception:
            log.exception("LD-ZNet could not put its part beside %s", kwargs.get("elem_id"))
        finally:
            self._busy = False

    def _note(self, component: Any, elem_id: str) -> None:
        classes = getattr(component, "elem_classes", None) or ()
        for layer in LAYERS:
            if layer in classes and self._last_canvas:
                self._layer(component)
                return
        known = (
            *CANVAS_IDS,
            BASE,
            MASK,
            *(f"{tab}_gallery" for tab in TABS),
            *(f"{tab}_send_to_extras" for tab in TABS),
        )
        words = tuple(f"ldznet_{tab}_words" for tab in TABS)
        if elem_id not in (*known, *words) or elem_id in self.found:
            return
        self.found[elem_id] = component
        if elem_id in CANVAS_IDS:
            self._last_canvas = elem_id
            if hasattr(component, "tool"):  # an image with a sketch tool; Forge's is HTML, its layers come next
                self._last_canvas = ""
                self._canvas_made(elem_id)
        elif elem_id == MASK and BASE in self.found:
            self.canvases["upload"] = UploadCanvas(self.found[BASE], component)
            connect_words_box(self.desk, words_box("ldznet_upload", self.methods), self.canvases["upload"])
        elif elem_id.endswith("_send_to_extras"):
            self._toolbar(elem_id.removesuffix("_send_to_extras"))

    def _layer(self, component: Any) -> None:
        """Forge: foreground, then background; with the second the canvas is complete."""
        listed = self.layers.setdefault(self._last_canvas, [])
        listed.append(component)
        if len(listed) == 2:
            name, self._last_canvas = self._last_canvas, ""
            self._canvas_made(name)

    def _canvas_made(self, elem_id: str) -> None:
        if elem_id == INPAINT:
            self.canvases["inpaint"] = self._canvas(elem_id)
            connect_words_box(self.desk, words_box("ldznet_inpaint", self.methods), self.canvases["inpaint"])
        elif "inpaint" in self.canvases:
            self._sketch_box()

    def _canvas(self, elem_id: str) -> Canvas:
        if elem_id in self.layers:
            foreground, background = self.layers[elem_id]
            return LayersCanvas(background=background, foreground=foreground)
        return SketchCanvas(self.found[elem_id], hidden_text(f"ldznet_{elem_id}_data"))

    def _sketch_box(self) -> None:
        """In Inpaint sketch the mask is painted colour, so the words' mask goes to Inpaint, with the picture."""
        made = words_box("ldznet_sketch", self.methods)
        source = self.layers[SKETCH][1] if SKETCH in self.layers else self.found[SKETCH]
        target = self.canvases["inpaint"]
        cuts = list(made.cuts.values())

        def send(words: str, method: str, *values: Any) -> list[Any]:
            from ldznet_ext.ui.panel import _settings

            settings = _settings(words, method, values[: len(cuts)])
            if isinstance(settings, str):
                return [*[update()] * len(target.both_outputs), settings, ""]
            return self._both(target, handlers.find(self.desk, values[-1], settings))

        event = None
        for trigger in (made.button.click, made.words.submit):
            event = listen(
                trigger,
                send,
                [made.words, made.method, *cuts, source],
                [*target.both_outputs, made.status, made.handle],
                progress="minimal",
            )
            _arrive(event, target, made.handle)

    def _both(self, target: Canvas, view: handlers.View) -> list[Any]:
        """Picture and mask for a canvas, message, handle; nothing changes where nothing was found."""
        if view.mask is None or not view.mask.any():
            return [*[update()] * len(target.both_outputs), view.message, ""]
        session = handlers.SESSIONS.get(view.handle)
        return [*target.both_values(Image.fromarray(session.picture), view.mask), view.message, view.handle]

    def _toolbar(self, tab: str) -> None:
        prefix = f"ldznet_{tab}"
        self.toolbars[tab] = Toolbar(
            mask=small_button("🎭", f"{prefix}_mask"),
            inpaint=small_button("🪄", f"{prefix}_to_inpaint"),
            cut=small_button("✂️", f"{prefix}_cut"),
            status=quiet(gr.HTML("", elem_id=f"{prefix}_status", elem_classes=["ldznet-status"])),
        )

    def connect(self, made: Tab) -> None:
        """Wire the tab to the canvases and the toolbars to both; called inside the tab's Blocks, when all of the page is made."""
        self._send_from_tab(made)
        for tab, bar in self.toolbars.items():
            gallery, words = self.found.get(f"{tab}_gallery"), self.found.get(f"ldznet_{tab}_words")
            if gallery is not None and words is not None:
                self._connect_toolbar(bar, gallery, words, made)

    def _send_from_tab(self, made: Tab) -> None:
        for button, name, place in ((made.to_inpaint, "inpaint", "INPAINT"), (made.to_upload, "upload", "UPLOAD")):
            target = self.canvases.get(name)
            if target is None:
                continue
            arrived = hidden_text(f"ldznet_tab_arrived_{name}")

            def send(handle: str, target: Canvas = target) -> list[Any]:
                return self._both(target, handlers.recut(handle, {}))

            event = listen(button.click, send, [made.handle], [*target.both_outputs, made.message, arrived])
            _arrive(event, target, arrived, place)

    def _connect_toolbar(self, bar: Toolbar, gallery: Any, words: Any, made: Tab) -> None:
        """mask: the picture into the tab, with its prompt's things. inpaint, cut-out: by the accordion's words."""
        shown = made.extra
        listen(
            listen(
                bar.mask.click,
                self._into_tab,
                [gallery, words],
                [made.picture, made.prompt, made.words, bar.status],
                js="(gallery, words) => ldznet.chosen(gallery, words)",
            ).then,
            None,
            js="() => ldznet.open_tab()",
        )
        arrived = hidden_text(f"{bar.inpaint.elem_id}_handle")
        if "inpaint" in self.canvases:
            target = self.canvases["inpaint"]
            event = listen(
                bar.inpaint.click,
                lambda value, text: self._both(target, self._find(value, text)),
                [gallery, words],
                [*target.both_outputs, bar.status, arrived],
                js="(gallery, words) => ldznet.chosen(gallery, words)",
                progress="minimal",
            )
            _arrive(event, target, arrived)
        outputs = [shown["overlay"], shown["mask"], bar.status, made.handle, made.picture]
        event = listen(
            bar.cut.click,
            self._cut,
            [gallery, words],
            [*outputs, arrived],
            js="(gallery, words) => ldznet.chosen(gallery, words)",
            progress="minimal",
        )
        listen(event.then, None, [arrived], js="(done) => { if (done) ldznet.open_tab('cut'); }")

    def _find(self, value: Any, words: str) -> handlers.View:
        """The words' mask of a gallery's picture."""
        return handlers.find(self.desk, self.open_picture(value), MaskSettings(words=words or ""))

    def _into_tab(self, value: Any, words: str) -> list[Any]:
        from ldznet_ext.ui.panel import _prompt_of

        shown = self.open_picture(value)
        if shown is None:
            return [
                update(),
                update(),
                update(),
                complaint("There is no picture; expected one in the gallery, so generate one first."),
            ]
        return [shown, _prompt_of(shown), words or update(), ""]

    def _cut(self, value: Any, words: str) -> list[Any]:
        """The cut-out into the tab's view, the picture with it."""
        view = self._find(value, words)
        if view.mask is None or not view.mask.any():
            return [update(), update(), view.message, view.handle, update(), ""]
        cut = handlers.cut_out(view.handle)
        return [
            cut,
            Image.fromarray(view.mask),
            view.message,
            view.handle,
            Image.fromarray(np.asarray(cut)[..., :3]),
            "done",
        ]


def _arrive(event: Any, target: Canvas, handle: Any, place: str = "INPAINT") -> None:
    """Open the inpaint tab where there is a mask, then let the page draw it."""
    script, inputs = target.script or ("() => {}", [])
    names = ", ".join(["handle", *(f"a{index}" for index in range(len(inputs)))])
    rest = names.removeprefix("handle").removeprefix(", ")
    js = f"({names}) => {{ if (handle) {{ ldznet.open_inpaint(ldznet.{place}); ({script})({rest}); }} }}"
    listen(event.then, None, [handle, *inputs], js=js)


__all__ = ["OLD", "Binder", "Toolbar"]
