"""The panel: the accordion of txt2img and img2img, the words' box of the inpaint tabs, and the tab with everything.

Components alone: how they answer is `wiring`, what they answer `handlers`, where they stand in a host `bind`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from ldznet_ext.hosts.webui_job import CHOICES, JOB_OPTIONS
from ldznet_ext.request import CHOICE, FLAG, OPTION, TEXT, Option
from ldznet_ext.ui.compat import annotated, box, hidden_text, picture, quiet, small_button
from ldznet_ext.ui.handlers import REPLACE, WAYS

if TYPE_CHECKING:
    from ldznet_ext.ui.desk import About

EXAMPLE = "fox & !tail"
CUTS = ("threshold", "grow", "feather", "invert")
"""Settings that need no model."""


def widget(option: Option, prefix: str, methods: Sequence[str] = ("auto",), **more: Any) -> Any:
    """The component of a row of the table."""
    automatic = "" if option.unset is None else f" ({option.unset:g}: auto)"
    name = {"label": option.label + automatic, "elem_id": f"{prefix}_{option.name}"}
    value = option.to_widget(option.default)
    if option.kind == TEXT:
        return quiet(gr.Textbox(value=value, lines=1, **name, **more))
    if option.kind == FLAG:
        return quiet(gr.Checkbox(value=value, **name, **more))
    if option.kind == CHOICE:
        choices: list[Any] = list(CHOICES.get(option.name, methods))
        kind = gr.Radio if option.name in CHOICES else gr.Dropdown
        return quiet(kind(choices=choices, value=value, **name, **more))
    if option.high is None or option.high > 1e6:
        return quiet(gr.Number(value=value, precision=0, **name, **more))
    low = min(each for each in (option.low, option.unset) if each is not None)
    more.setdefault("min_width", 200)
    return quiet(gr.Slider(minimum=low, maximum=option.high, step=option.step, value=value, **name, **more))


def accordion(
    is_img2img: bool,
    methods: Sequence[str] = ("auto",),
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
        with gr.Row():
            add("words", placeholder=f"What to mask, for example {EXAMPLE}", scale=3)
            add("source", scale=1)
        with gr.Row():
            for name in CUTS[:3]:
                add(name)
        with gr.Row():
            for name in ("invert", "overlay", "save"):
                add(name)
        with gr.Row():
            add("method")
            add("not_found")
        with gr.Accordion("Inpaint automatically", open=False, elem_id=f"{prefix}_inpainting"):
            with gr.Row():
                add("inpaint")
                add("only_masked")
                add("batch", visible=is_img2img)
            add("inpaint_prompt", placeholder="what to paint there; empty: the picture's own prompt")
            add("inpaint_negative", placeholder="what to avoid there; empty: the picture's own")
            with gr.Row():
                for name in ("denoise", "mask_blur", "padding"):
                    add(name)
        with gr.Accordion("More", open=False, elem_id=f"{prefix}_more"), gr.Row():
            for name in ("refine", "timestep", "seed"):
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


def words_box(elem_id: str, methods: Sequence[str] = ("auto",), *, on_canvas: bool = True) -> WordsBox:
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
                cuts = {name: widget(OPTION[name], elem_id) for name in CUTS[:3]}
            with gr.Row():
                if on_canvas:
                    label = "With what is painted already"
                    how = quiet(
                        gr.Radio(list(WAYS), value=REPLACE, label=label, elem_id=f"{elem_id}_how", min_width=280)
                    )
                method = widget(OPTION["method"], elem_id, methods)
                cuts["invert"] = widget(OPTION["invert"], elem_id)
        handle = hidden_text(f"{elem_id}_handle")
    return WordsBox(words, button, undo, clear, status, handle, how, method, cuts)


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


def line(elem_id: str, placeholder: str) -> Any:
    """One line of text that says itself what it is for."""
    return quiet(
        gr.Textbox(
            label=placeholder,
            show_label=False,
            container=False,
            lines=1,
            scale=6,
            elem_id=elem_id,
            placeholder=placeholder,
        )
    )


def small_primary(text: str, elem_id: str, variant: Any = "primary") -> Any:
    """A button as high as the line beside it."""
    return quiet(gr.Button(text, variant=variant, size="sm", scale=1, min_width=110, elem_id=elem_id))


@dataclass(frozen=True)
class Tab:
    """The tab's components: what is asked, and what comes back, by name."""

    asked: dict[str, Any]
    shown: dict[str, Any]


def tab(about: "About", connect: Callable[[Tab], None]) -> Any:
    """The tab with everything, as Blocks; `connect` wires it, inside the same Blocks."""
    with gr.Blocks(analytics_enabled=False) as blocks:
        with gr.Row(elem_id="ldznet_tab"):
            with gr.Column(elem_id="ldznet_tab_left"):
                asked = question(about)
            with gr.Column(elem_id="ldznet_tab_right"):
                shown = answer()
        connect(Tab(asked, shown))
    return blocks


def question(about: "About") -> dict[str, Any]:
    """What is asked: picture, words, method, sliders, and the line about the model."""
    made: dict[str, Any] = {"picture": picture("ldznet_tab_picture", "Picture", interactive=True, height=360)}
    with gr.Row(elem_classes=["ldznet-row"]):
        made["words"] = line("ldznet_tab_words", f"What to mask, for example {EXAMPLE}")
        made["find"] = small_primary("Find", "ldznet_tab_find")
    with gr.Row(elem_classes=["ldznet-row"]):
        made["prompt"] = line("ldznet_tab_prompt", "The picture's prompt: every thing it names becomes a region")
        made["look"] = small_primary("Regions", "ldznet_tab_look", "secondary")
    with gr.Row():
        for name in CUTS[:3]:
            made[name] = widget(OPTION[name], "ldznet_tab")
    with gr.Row():
        made["method"] = widget(OPTION["method"], "ldznet_tab", names(about))
        with gr.Column(min_width=160):
            made["invert"] = widget(OPTION["invert"], "ldznet_tab")
            made["refine"] = widget(OPTION["refine"], "ldznet_tab")
    with gr.Accordion("More", open=False, elem_id="ldznet_tab_more"):
        with gr.Row():
            made["timestep"] = widget(OPTION["timestep"], "ldznet_tab")
            made["seed"] = widget(OPTION["seed"], "ldznet_tab")
        with gr.Row(elem_classes=["ldznet-row"]):
            made["file"] = quiet(
                gr.Dropdown(
                    choices=list(about.convertible),
                    label="Authors' files in the model folders",
                    elem_id="ldznet_tab_file",
                    scale=4,
                )
            )
            made["convert"] = small_primary("Convert", "ldznet_tab_convert", "secondary")
    with gr.Row(elem_classes=["ldznet-row"]):
        made["about"] = quiet(gr.HTML(about_html(about), elem_id="ldznet_tab_about"))
        made["refresh"] = small_button("🔄", "ldznet_tab_refresh")
    return made


def answer() -> dict[str, Any]:
    """What comes back: overlay, mask, regions, cut-out, message, and where to send it."""
    made: dict[str, Any] = {}
    with gr.Tabs(elem_id="ldznet_tab_views"):
        with gr.TabItem("Overlay", id="overlay", elem_id="ldznet_tab_view_overlay"):
            made["overlay"] = picture("ldznet_tab_overlay", "Overlay", interactive=False, height=420, show_label=False)
        with gr.TabItem("Mask", id="mask", elem_id="ldznet_tab_view_mask"):
            made["mask"] = picture(
                "ldznet_tab_mask", "Mask", interactive=False, height=420, image_mode="L", show_label=False
            )
        with gr.TabItem("Regions", id="regions", elem_id="ldznet_tab_view_regions"):
            made["regions"] = annotated("ldznet_tab_regions")
    made["message"] = quiet(gr.HTML("", elem_id="ldznet_tab_message"))
    made["handle"] = hidden_text("ldznet_tab_handle")
    made["regions_handle"] = hidden_text("ldznet_tab_regions_handle")
    with gr.Row():
        made["to_inpaint"] = quiet(gr.Button("Send to Inpaint", elem_id="ldznet_tab_to_inpaint"))
        made["to_upload"] = quiet(gr.Button("Send to upload", elem_id="ldznet_tab_to_upload"))
        made["save"] = quiet(gr.Button("Save", elem_id="ldznet_tab_save"))
    return made


def names(about: "About") -> list[str]:
    """Methods that can be chosen now, "auto" first."""
    return ["auto", *(choice.name for choice in about.methods if not choice.why_not and choice.name != "auto")]


def about_html(about: "About") -> str:
    """The line about the model: what is loaded, which heads fit, and why a method cannot be had."""
    model = escape(about.model) if about.model else "No model is loaded yet"
    heads = f"heads: {escape(', '.join(about.heads))}" if about.heads else "no trained head; attention needs none"
    refused = "".join(
        f"<li><b>{escape(one.label)}</b>: {escape(one.why_not)}</li>" for one in about.methods if one.why_not
    )
    why = f"<details><summary>methods that do not fit</summary><ul>{refused}</ul></details>" if refused else ""
    family = f" · {escape(about.family)}" if about.family else ""
    note = f"<p>{escape(about.message)}</p>" if about.message else ""
    return f'<div class="ldznet-about"><p>{model}{family} · {heads}</p>{note}{why}</div>'
