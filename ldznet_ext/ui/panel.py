"""The panel beside a host's own parts: the accordion of txt2img and img2img, the words' box of the inpaint tabs, the toolbar.

Components alone: how they answer is `wiring`, what they answer `handlers` and `painting`, where they stand in a host `bind`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from ldznet_ext.job import JOB_OPTIONS
from ldznet_ext.request import OPTION
from ldznet_ext.ui.compat import box, hidden_text, quiet, small_button
from ldznet_ext.ui.painting import REPLACE, WAYS
from ldznet_ext.ui.parts import AUTO, FINER, SLIDERS, Labelled, line, small_primary, widget

EXAMPLE = "fox & !tail"


def accordion(
    is_img2img: bool,
    methods: Labelled = AUTO,
    opener: Callable[..., Any] | None = None,
    begin: Mapping[str, Any] | None = None,
) -> list[Any]:
    """The accordion's components in the order of JOB_OPTIONS, closed and off; nothing else happens.

    opener: the host's InputAccordion, an accordion whose value is its tick; without it there is a tick inside. begin: values
    of options in place of their defaults.
    """
    prefix = f"ldznet_{'img2img' if is_img2img else 'txt2img'}"
    made: dict[str, Any] = {}
    begin = begin or {}
    options = {option.name: replace(option, default=begin.get(option.name, option.default)) for option in JOB_OPTIONS}

    def add(name: str, **more: Any) -> None:
        made[name] = widget(options[name], prefix, methods, **more)

    enabled = options["enabled"]
    if opener:
        frame = quiet(opener(False, label=enabled.label, elem_id=f"{prefix}_enabled"))
        made["enabled"] = frame
    else:
        frame = gr.Accordion(enabled.label, open=False, elem_id=f"{prefix}_accordion")
    with frame:
        if not opener:
            add("enabled")
        add("words", placeholder=f"{EXAMPLE}; empty: each thing the prompt names")
        add("source")
        with gr.Row():
            for name in SLIDERS:
                add(name)
        with gr.Row():
            for name in ("invert", "overlay", "save"):
                add(name)
        with gr.Row():
            add("batch", visible=is_img2img)
            add("not_found")
        with gr.Accordion("Inpaint automatically", open=False, elem_id=f"{prefix}_inpainting"):
            with gr.Row():
                add("inpaint")
                add("only_masked")
            add("inpaint_prompt", placeholder="what to paint there; empty: the picture's own prompt")
            add("inpaint_negative", placeholder="what to avoid there; empty: the picture's own")
            with gr.Row():
                for name in ("denoise", "mask_blur", "padding"):
                    add(name)
        with gr.Accordion("More", open=False, elem_id=f"{prefix}_more"):
            for row in (("method",), *FINER, ("refine", "sam"), ("timestep", "seed"), ("average", "parity")):
                with gr.Row():
                    for name in row:
                        add(name)
    return [made[option.name] for option in JOB_OPTIONS]


@dataclass(frozen=True)
class WordsBox:
    """The words' box of an inpaint tab; undo, clear and how are None where there is no canvas to paint on."""

    words: Any
    button: Any
    undo: Any
    clear: Any
    status: Any
    handle: Any
    how: Any
    method: Any
    cuts: dict[str, Any]


def words_box(elem_id: str, methods: Labelled = AUTO, *, on_canvas: bool = True) -> WordsBox:
    """Words, button, undo, clear, a line that answers, and the sliders."""
    undo = clear = how = None
    with box(elem_id):
        with gr.Row(elem_classes=["ldznet-row"]):
            words = line(f"{elem_id}_words", f"Mask from text: {EXAMPLE}")
            button = small_primary("Mask from text", f"{elem_id}_button")
            if on_canvas:
                undo = small_button("↩️", f"{elem_id}_undo")
                clear = small_button("🧹", f"{elem_id}_clear")
        status = quiet(gr.HTML("", elem_id=f"{elem_id}_status"))
        with gr.Accordion("Adjust the mask", open=False, elem_id=f"{elem_id}_adjust", elem_classes=["ldznet-adjust"]):
            with gr.Row():
                cuts = {name: widget(OPTION[name], elem_id) for name in SLIDERS}
            with gr.Row():
                if on_canvas:
                    label = "With what is painted already"
                    how = quiet(
                        gr.Radio(
                            [(said, way) for way, said in WAYS.items()],
                            value=REPLACE,
                            label=label,
                            elem_id=f"{elem_id}_how",
                            min_width=280,
                        )
                    )
                cuts["invert"] = widget(OPTION["invert"], elem_id, min_width=100)
            method = widget(OPTION["method"], elem_id, methods)
            with gr.Accordion("More", open=False, elem_id=f"{elem_id}_more"):
                cuts |= finer(elem_id)
        handle = hidden_text(f"{elem_id}_handle")
    return WordsBox(words, button, undo, clear, status, handle, how, method, cuts)


def finer(prefix: str) -> dict[str, Any]:
    """The settings that need no model and seldom matter, in their rows."""
    made: dict[str, Any] = {}
    for row in FINER:
        with gr.Row():
            made |= {name: widget(OPTION[name], prefix) for name in row}
    return made


@dataclass
class Toolbar:
    """Our buttons under a gallery, and the line that answers: hosts make its place after the buttons'."""

    mask: Any
    inpaint: Any
    cut: Any
    status: Any = None


def toolbar(prefix: str, make: Callable[..., Any] | None = None) -> Toolbar:
    """In the row of the host's own buttons, made like them; what they do is in their tooltips. `status` comes later."""
    signs = {"mask": "🎭", "to_inpaint": "🪄", "cut": "✂️"}
    made = [
        quiet(make(sign, elem_id=f"{prefix}_{name}")) if make else small_button(sign, f"{prefix}_{name}")
        for name, sign in signs.items()
    ]
    return Toolbar(*made)


def status_line(prefix: str) -> Any:
    """Where what the toolbar did is said."""
    return quiet(gr.HTML("", elem_id=f"{prefix}_status"))
