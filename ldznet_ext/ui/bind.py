"""Where the panel stands in a web UI: the host's own components, found by elem_id as they are made, and ours put beside them.

Nothing here may cost the user the page: a component that is missing leaves out what needs it.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PIL import Image

from ldznet_ext.ui.canvases import Canvas, LayersCanvas, SketchCanvas, UploadCanvas
from ldznet_ext.ui.compat import hidden_text
from ldznet_ext.ui.gallery import FIELDS
from ldznet_ext.ui.panel import Toolbar, status_line, toolbar, words_box
from ldznet_ext.ui.parts import AUTO, Labelled
from ldznet_ext.ui.sending import connect_sketch_box, connect_toolbar, send_from_tab
from ldznet_ext.ui.tab import Tab
from ldznet_ext.ui.wiring import connect_methods, connect_words_box

if TYPE_CHECKING:
    from ldznet_ext.ui.desk import Desk

INPAINT, SKETCH, BASE, MASK = "img2maskimg", "inpaint_sketch", "img_inpaint_base", "img_inpaint_mask"
TABS = ("txt2img", "img2img")
LAYERS = ("logical_image_foreground", "logical_image_background")
"""Classes of the two hidden layers that Forge makes, in this order, after a canvas' HTML."""
WANTED = frozenset(
    {INPAINT, SKETCH, BASE, MASK}
    | {f"{tab}_{name}" for tab in TABS for name in ("gallery", "send_to_extras")}
    | {f"html_log_{tab}" for tab in TABS}
    | {f"ldznet_{tab}_{name}" for tab in TABS for name in FIELDS}
)
log = logging.getLogger("ldznet")


@dataclass
class Binder:
    """One page's captured components. desk: answers; open_picture: a gallery's value as PIL, by the host's own checks.

    methods: labels and names to choose from. tool_button: the host's small button. choices: our components that hold a method.
    A page that is made anew ("Reload UI") gets a new binder.
    """

    desk: "Desk"
    open_picture: Callable[[Any], Image.Image | None]
    methods: Labelled = AUTO
    tool_button: Callable[..., Any] | None = None
    found: dict[str, Any] = field(default_factory=dict)
    layers: dict[str, list[Any]] = field(default_factory=dict)
    toolbars: dict[str, Toolbar] = field(default_factory=dict)
    canvases: dict[str, Canvas] = field(default_factory=dict)
    choices: list[Any] = field(default_factory=list)
    _open_canvas: str = ""
    _busy: bool = False

    def after_component(self, component: Any, **kwargs: Any) -> None:
        """For the host's on_after_component: note what is ours to use, and put ours beside it."""
        if self._busy:  # our own components come by here too
            return
        self._busy = True
        try:
            self._note(component, kwargs.get("elem_id") or getattr(component, "elem_id", None) or "")
        except Exception:
            log.exception("LD-ZNet masks could not put their part beside %s", kwargs.get("elem_id"))
        finally:
            self._busy = False

    def _note(self, component: Any, elem_id: str) -> None:
        if self._open_canvas and set(LAYERS) & set(getattr(component, "elem_classes", None) or ()):
            self._layer(component)
        elif elem_id in WANTED and elem_id not in self.found:  # the API makes the scripts' components again
            self.found[elem_id] = component
            self._place(component, elem_id)

    def _place(self, component: Any, elem_id: str) -> None:
        """Ours beside a component of the host's, whose place in the page is still open."""
        if elem_id in (INPAINT, SKETCH) and hasattr(component, "tool"):  # an image with a sketch tool
            self._canvas_made(elem_id)
        elif elem_id in (INPAINT, SKETCH):  # Forge's HTML: its layers come next
            self._open_canvas = elem_id
        elif elem_id == MASK and BASE in self.found:
            self._box("upload", UploadCanvas(self.found[BASE], component))
        elif elem_id.endswith("_send_to_extras"):
            tab = elem_id.removesuffix("_send_to_extras")
            self.toolbars[tab] = toolbar(f"ldznet_{tab}", self.tool_button)
        elif elem_id.startswith("html_log_") and (tab := elem_id.removeprefix("html_log_")) in self.toolbars:
            self.toolbars[tab].status = status_line(f"ldznet_{tab}")

    def _layer(self, component: Any) -> None:
        """Foreground, then background; with the second the canvas is complete."""
        listed = self.layers.setdefault(self._open_canvas, [])
        listed.append(component)
        if len(listed) == len(LAYERS):
            elem_id, self._open_canvas = self._open_canvas, ""
            self._canvas_made(elem_id)

    def _canvas_made(self, elem_id: str) -> None:
        if elem_id == INPAINT:
            self._box("inpaint", self._canvas(elem_id))
        elif "inpaint" in self.canvases:
            source = self.layers[SKETCH][1] if SKETCH in self.layers else self.found[SKETCH]
            made = words_box("ldznet_sketch", self.methods, on_canvas=False)
            self.choices.append(made.method)
            connect_sketch_box(self.desk, made, source, self.canvases["inpaint"])

    def _canvas(self, elem_id: str) -> Canvas:
        if elem_id in self.layers:
            foreground, background = self.layers[elem_id]
            return LayersCanvas(picture=background, mask=foreground)
        return SketchCanvas(self.found[elem_id], hidden_text(f"ldznet_{elem_id}_data"))

    def _box(self, name: str, canvas: Canvas) -> None:
        self.canvases[name] = canvas
        made = words_box(f"ldznet_{name}", self.methods)
        self.choices.append(made.method)
        connect_words_box(self.desk, made, canvas)

    def connect(self, tab: Tab) -> None:
        """Wire the tab to the canvases and the toolbars to both; called inside the tab's Blocks, when all of the page is made."""
        send_from_tab(tab, self.canvases)
        for name, bar in self.toolbars.items():
            gallery, fields = self.found.get(f"{name}_gallery"), self._fields(name)
            if gallery is not None and len(fields) == len(FIELDS) and bar.status is not None:
                canvas = self.canvases.get("inpaint")
                connect_toolbar(self.desk, bar, gallery, fields, tab, canvas, self.open_picture)
        accordions = [fields["method"] for name in TABS if "method" in (fields := self._fields(name))]
        connect_methods(self.desk, tab, [*self.choices, *accordions])

    def _fields(self, tab: str) -> dict[str, Any]:
        """The accordion's settings of a mask, by name."""
        named = {name: self.found.get(f"ldznet_{tab}_{name}") for name in FIELDS}
        return {name: component for name, component in named.items() if component is not None}
