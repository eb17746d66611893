"""Every difference between Gradio 3.41 (A1111, reForge) and 4.40 (Forge) that the panel meets, told by what is there.

A web UI's own canvases differ with them: a sketch image whose mask only the browser can set, or two hidden layers.
"""

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import gradio as gr
import numpy as np
from PIL import Image

OLD = hasattr(gr.components, "IOComponent")
"""Gradio 3: javascript is passed as `_js`, an image may have a sketch tool."""
JS = "_js" if OLD else "js"


def listen(
    event: Any,
    fn: Callable[..., Any] | None,
    inputs: Sequence[Any] = (),
    outputs: Sequence[Any] = (),
    *,
    js: str | None = None,
    queue: bool = True,
    progress: str = "hidden",
) -> Any:
    """Attach to an event (`button.click`, or `.then` of what this returned). queue False: answered while a job runs."""
    extra = {JS: js} if js else {}
    return event(
        fn=fn,
        inputs=list(inputs),
        outputs=list(outputs),
        queue=queue and fn is not None,
        show_progress=progress,
        **extra,
    )


def on_select(event: Any, fn: Callable[[Any, int], Any], value: Any, outputs: Sequence[Any]) -> Any:
    """Call fn(value, index) when a part of a component is clicked; never queued."""

    def chosen(given: Any, event_data: gr.SelectData) -> Any:
        index = event_data.index
        return fn(given, int(index[0] if isinstance(index, (list, tuple)) else index))

    return event(fn=chosen, inputs=[value], outputs=list(outputs), queue=False, show_progress="hidden")


def update(**fields: Any) -> Any:
    """A change of a component; of nothing, where no field is given."""
    return gr.update(**fields)


def unchanged(count: int) -> list[Any]:
    """So many outputs that stay as they are."""
    return [gr.update() for _ in range(count)]


def quiet(component: Any) -> Any:
    """The component, kept out of the host's ui-config.json: our settings have one home."""
    component.do_not_save_to_config = True
    return component


def small_button(sign: str, elem_id: str) -> Any:
    """A button with a picture for a text, beside a line of ours; its tooltip comes from the page's script."""
    return quiet(gr.Button(sign, elem_id=elem_id, elem_classes=["tool", "ldznet-tool"]))


def box(elem_id: str) -> Any:
    """A frame of our own around what we put into a host's tab."""
    return gr.Column(elem_id=elem_id, elem_classes=["ldznet-box"], variant="compact")


def picture(elem_id: str, label: str, **more: Any) -> Any:
    """An image to drop in or to show, PIL."""
    given = {"source": "upload"} if OLD and more.get("interactive") else {}
    return quiet(gr.Image(label=label, elem_id=elem_id, type="pil", **given, **more))


def annotated(elem_id: str) -> Any:
    """A picture with regions that can be clicked."""
    return quiet(gr.AnnotatedImage(label="Regions", elem_id=elem_id, show_legend=True))


def hidden_text(elem_id: str) -> Any:
    """A value that travels between Python and the browser; the page does not show it."""
    return quiet(gr.Textbox(value="", elem_id=elem_id, visible=False))


class Canvas(Protocol):
    """Where a person paints the mask: what it holds, and how a mask gets onto it."""

    @property
    def inputs(self) -> list[Any]:
        """Components whose values `read` takes."""
        ...

    @property
    def mask_outputs(self) -> list[Any]:
        """Components that take what `mask_values` gives."""
        ...

    @property
    def both_outputs(self) -> list[Any]:
        """Components that take what `both_values` gives."""
        ...

    @property
    def script(self) -> tuple[str, list[Any]] | None:
        """What the browser must do after the outputs were set, and the components it is given."""
        ...

    @property
    def reading(self) -> str | None:
        """What the browser does with the values of an event before they are sent."""
        ...

    def read(self, *values: Any) -> tuple[Any, Any]:
        """The picture and what is painted over it, each None where there is none."""
        ...

    def mask_values(self, mask: np.ndarray | None) -> list[Any]:
        """A mask (uint8 h w) for the picture that is there; None changes nothing."""
        ...

    def both_values(self, shown: Image.Image, mask: np.ndarray) -> list[Any]:
        """A picture with its mask."""
        ...


@dataclass(frozen=True)
class SketchCanvas:
    """A1111 and reForge: one sketch image; the mask is drawn by the page's script (`ldznet.paint`)."""

    image: Any
    data: Any

    @property
    def inputs(self) -> list[Any]:
        return [self.image]

    @property
    def mask_outputs(self) -> list[Any]:
        return [self.data]

    @property
    def both_outputs(self) -> list[Any]:
        return [self.image, self.data]

    @property
    def script(self) -> tuple[str, list[Any]] | None:
        return f"(data) => ldznet.paint('{self.image.elem_id}', data)", [self.data]

    @property
    def reading(self) -> str | None:
        # reForge sends a picture without a mask before the first stroke, and cannot read that itself
        return f"(...values) => ldznet.whole('{self.image.elem_id}', values)"

    def read(self, *values: Any) -> tuple[Any, Any]:
        value = values[0]
        return (value.get("image"), value.get("mask")) if isinstance(value, dict) else (value, None)

    def mask_values(self, mask: np.ndarray | None) -> list[Any]:
        return ["" if mask is None else data_url(mask)]

    def both_values(self, shown: Image.Image, mask: np.ndarray) -> list[Any]:
        return [shown, data_url(mask)]


@dataclass(frozen=True)
class LayersCanvas:
    """Forge: a background and a foreground; the foreground's alpha is the mask."""

    background: Any
    foreground: Any

    @property
    def inputs(self) -> list[Any]:
        return [self.background, self.foreground]

    @property
    def mask_outputs(self) -> list[Any]:
        return [self.foreground]

    @property
    def both_outputs(self) -> list[Any]:
        return [self.background, self.foreground]

    @property
    def script(self) -> tuple[str, list[Any]] | None:
        return None

    @property
    def reading(self) -> str | None:
        return None

    def read(self, *values: Any) -> tuple[Any, Any]:
        return values[0], values[1]

    def mask_values(self, mask: np.ndarray | None) -> list[Any]:
        return [update() if mask is None else ink(mask)]

    def both_values(self, shown: Image.Image, mask: np.ndarray) -> list[Any]:
        return [shown.convert("RGB"), ink(mask)]


@dataclass(frozen=True)
class UploadCanvas:
    """Inpaint upload of every host: two images."""

    base: Any
    mask: Any

    @property
    def inputs(self) -> list[Any]:
        return [self.base, self.mask]

    @property
    def mask_outputs(self) -> list[Any]:
        return [self.mask]

    @property
    def both_outputs(self) -> list[Any]:
        return [self.base, self.mask]

    @property
    def script(self) -> tuple[str, list[Any]] | None:
        return None

    @property
    def reading(self) -> str | None:
        return None

    def read(self, *values: Any) -> tuple[Any, Any]:
        return values[0], _opaque_is_grey(values[1])

    def mask_values(self, mask: np.ndarray | None) -> list[Any]:
        return [update() if mask is None else Image.fromarray(mask)]

    def both_values(self, shown: Image.Image, mask: np.ndarray) -> list[Any]:
        return [shown.convert("RGB"), Image.fromarray(mask)]


def _opaque_is_grey(mask: Image.Image | None) -> Image.Image | None:
    """The hosts read an uploaded mask's alpha only where it is not all opaque."""
    if mask is None or mask.mode != "RGBA" or mask.getextrema()[-1] != (255, 255):
        return mask
    return mask.convert("L")


def ink(mask: np.ndarray) -> Image.Image:
    """A mask (uint8 h w) as black paint of that opacity, RGBA."""
    black = np.zeros((*mask.shape, 4), np.uint8)
    black[..., 3] = mask
    return Image.fromarray(black)


def data_url(mask: np.ndarray) -> str:
    """The same for the page's script."""
    stream = io.BytesIO()
    ink(mask).save(stream, "png", compress_level=4)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
