"""Every difference between Gradio 3.41 (A1111, reForge) and 4.40 (Forge) that the panel meets, told by what is there.

How a web UI's own canvases differ with them is in `canvases`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

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
