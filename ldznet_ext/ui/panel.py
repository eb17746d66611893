"""The panel: the accordion of txt2img and img2img, the words' box of the inpaint tabs, and the tab with everything.

Components alone and how they answer each other; what they answer is `handlers`, where they stand in a host is `bind`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np
from PIL import Image

from ldznet_ext.hosts.webui_job import CHOICES, JOB_OPTIONS
from ldznet_ext.request import CHOICE, FLAG, OPTION, TEXT, MaskSettings, Option
from ldznet_ext.ui import handlers
from ldznet_ext.ui.compat import (
    Canvas,
    annotated,
    box,
    hidden_text,
    listen,
    on_select,
    picture,
    quiet,
    small_button,
    update,
)

if TYPE_CHECKING:
    from ldznet_ext.ui.desk import About, Desk

EXAMPLE = "fox & !tail"
CUTS = ("threshold", "grow", "feather", "invert")
"""Settings that need no model."""


def widget(option: Option, prefix: str, methods: Sequence[str] = ("auto",), **more: Any) -> Any:
    """The component of a row of the table."""
    name = {"label": option.label, "elem_id": f"{prefix}_{option.name}"}
    value = option.to_widget(option.default)
    if option.kind == TEXT:
        return quiet(gr.Textbox(value=value, lines=1, **name, **more))
    if option.kind == FLAG:
        return quiet(gr.Checkbox(value=value, **name, **more))
    if option.kind == CHOICE:
        choices = list(CHOICES.get(option.name, methods))
        kind = gr.Radio if option.name in CHOICES else gr.Dropdown
        return quiet(kind(choices=choices, value=value, **name, **more))
    if option.high is None or option.high > 1e6:
        return quiet(gr.Number(value=value, precision=0, **name, **more))
    low = option.low if option.unset is None else min(option.unset, option.low or 0)
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
    """The words' box of an inpaint tab."""

    words: Any
    button: Any
    undo: Any
    clear: Any
    status: Any
    handle: Any
    how: Any
    method: Any
    cuts: dict[str, Any]


def words_box(elem_id: str, methods: Sequence[str] = ("auto",)) -> WordsBox:
    """Words, button, undo, clear, a line that answers, and the sliders."""
    with box(elem_id):
        with gr.Row(elem_classes=["ldznet-row"]):
            words = quiet(
                gr.Textbox(
                    label="Mask from text",
                    show_label=False,
                    container=False,
                    lines=1,
                    scale=6,
                    elem_id=f"{elem_id}_words",
                    placeholder=f"Mask from text: {EXAMPLE}",
                )
            )
            button = quiet(
                gr.Button("Mask from text", variant="primary", scale=2, min_width=120, elem_id=f"{elem_id}_button")
            )
            undo = small_button("↩️", f"{elem_id}_undo")
            clear = small_button("🧹", f"{elem_id}_clear")
        status = quiet(gr.HTML("", elem_id=f"{elem_id}_status"))
        with gr.Accordion("Adjust the mask", open=False, elem_id=f"{elem_id}_adjust", elem_classes=["ldznet-adjust"]):
            with gr.Row():
                cuts = {name: widget(OPTION[name], elem_id) for name in CUTS[:3]}
            with gr.Row():
                how = quiet(
                    gr.Radio(
                        list(handlers.WAYS),
                        value=handlers.REPLACE,
                        label="What is painted already",
                        elem_id=f"{elem_id}_how",
                    )
                )
                method = widget(OPTION["method"], elem_id, methods)
                cuts["invert"] = widget(OPTION["invert"], elem_id)
        handle = hidden_text(f"{elem_id}_handle")
    return WordsBox(words, button, undo, clear, status, handle, how, method, cuts)


def connect_words_box(desk: "Desk", made: WordsBox, canvas: Canvas) -> None:
    """Wire a words' box to the canvas of its tab."""
    cuts = list(made.cuts.values())
    outputs = [*canvas.mask_outputs, made.status, made.handle]

    def answer(view: handlers.View) -> list[Any]:
        return [*canvas.mask_values(view.mask), view.message, view.handle]

    def find(words: str, method: str, how: str, handle: str, *values: Any) -> list[Any]:
        settings = _settings(words, method, values[: len(cuts)])
        if isinstance(settings, str):
            return answer(handlers.View(message=settings, handle=handle))
        shown, painted = canvas.read(*values[len(cuts) :])
        return answer(handlers.onto_canvas(desk, shown, painted, settings, how, handle))

    def cut(how: str, handle: str, *values: Any) -> list[Any]:
        return answer(handlers.repaint(handle, how, _cuts(values)) if handle else handlers.View(message="", handle=""))

    def wipe(handle: str, *values: Any) -> list[Any]:
        return answer(handlers.clear(*canvas.read(*values), handle))

    asked = [made.words, made.method, made.how, made.handle, *cuts, *canvas.inputs]
    for event in (made.button.click, made.words.submit):
        _painted(listen(event, find, asked, outputs, progress="minimal"), canvas)
    for component in (*cuts, made.how):
        _painted(listen(_moved(component), cut, [made.how, made.handle, *cuts], outputs, queue=False), canvas)
    _painted(
        listen(made.undo.click, lambda handle: answer(handlers.undo(handle)), [made.handle], outputs, queue=False),
        canvas,
    )
    _painted(listen(made.clear.click, wipe, [made.handle, *canvas.inputs], outputs, queue=False), canvas)


def _moved(component: Any) -> Any:
    """A slider answers when it is let go; everything else when a person changes it."""
    return component.release if hasattr(component, "release") else getattr(component, "input", component.change)


def _painted(event: Any, canvas: Canvas) -> None:
    if canvas.script:
        script, inputs = canvas.script
        listen(event.then, None, inputs, js=script)


def _cuts(values: Sequence[Any]) -> dict[str, Any]:
    return {name: OPTION[name].from_widget(value) for name, value in zip(CUTS, values, strict=True)}


def _settings(words: str, method: str, values: Sequence[Any], **more: Any) -> MaskSettings | str:
    """The settings, or the sentence that says what is wrong with them."""
    from ldznet_ext.errors import LdznetError
    from ldznet_ext.ui.messages import complaint

    try:
        return MaskSettings(words=words or "", method=method or "auto", **_cuts(values), **more)
    except LdznetError as error:
        return complaint(str(error))


@dataclass(frozen=True)
class Tab:
    """The tab's components that others send to, or send from."""

    blocks: Any
    picture: Any
    prompt: Any
    words: Any
    find: Any
    look: Any
    handle: Any
    message: Any
    to_inpaint: Any
    to_upload: Any
    save: Any
    extra: dict[str, Any] = field(default_factory=dict)


def tab(
    desk: "Desk",
    connect: Callable[[Tab], None] | None = None,
    save: Callable[[Image.Image, np.ndarray, str], str] | None = None,
) -> Any:
    """The tab with everything. connect: wires it to the host's own components, inside the same Blocks.

    save: writes (cut-out RGBA, mask, words) where the host writes pictures and answers with a sentence.
    """
    with gr.Blocks(analytics_enabled=False) as blocks:
        about = _about(desk)
        with gr.Row(elem_id="ldznet_tab"):
            with gr.Column(elem_id="ldznet_tab_left"):
                asked = _question(about)
            with gr.Column(elem_id="ldznet_tab_right"):
                shown = _answer()
        made = Tab(
            blocks=blocks,
            picture=asked["picture"],
            prompt=asked["prompt"],
            words=asked["words"],
            find=asked["find"],
            look=asked["look"],
            handle=shown["handle"],
            message=shown["message"],
            to_inpaint=shown["to_inpaint"],
            to_upload=shown["to_upload"],
            save=shown["save"],
            extra={**asked, **shown},
        )
        _connect_tab(desk, asked, shown, save)
        if connect:
            connect(made)
    return blocks


def _about(desk: "Desk") -> "About":
    from ldznet_ext.errors import LdznetError
    from ldznet_ext.ui.desk import About

    try:
        return desk.about()
    except LdznetError as error:
        return About(message=str(error))


def _question(about: "About") -> dict[str, Any]:
    """What is asked: picture, words, method, sliders, and the line about the model."""
    made: dict[str, Any] = {"picture": picture("ldznet_tab_picture", "Picture", interactive=True, height=360)}
    with gr.Row(elem_classes=["ldznet-row"]):
        made["words"] = quiet(
            gr.Textbox(
                label="Words",
                show_label=False,
                container=False,
                lines=1,
                scale=6,
                elem_id="ldznet_tab_words",
                placeholder=f"What to mask, for example {EXAMPLE}",
            )
        )
        made["find"] = quiet(gr.Button("Find", variant="primary", scale=1, min_width=80, elem_id="ldznet_tab_find"))
    with gr.Row(elem_classes=["ldznet-row"]):
        made["prompt"] = quiet(
            gr.Textbox(
                label="Prompt",
                show_label=False,
                container=False,
                lines=1,
                scale=6,
                elem_id="ldznet_tab_prompt",
                placeholder="The picture's prompt: every thing it names becomes a region",
            )
        )
        made["look"] = quiet(gr.Button("Regions", scale=1, min_width=80, elem_id="ldznet_tab_look"))
    with gr.Row():
        for name in CUTS[:3]:
            made[name] = widget(OPTION[name], "ldznet_tab")
    with gr.Row():
        made["method"] = widget(OPTION["method"], "ldznet_tab", _names(about))
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
            made["convert"] = quiet(gr.Button("Convert", elem_id="ldznet_tab_convert", scale=1, min_width=80))
    with gr.Row(elem_classes=["ldznet-row"]):
        made["about"] = quiet(gr.HTML(about_html(about), elem_id="ldznet_tab_about"))
        made["refresh"] = small_button("🔄", "ldznet_tab_refresh")
    return made


def _answer() -> dict[str, Any]:
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
        made["to_upload"] = quiet(gr.Button("Send to Inpaint upload", elem_id="ldznet_tab_to_upload"))
        made["save"] = quiet(gr.Button("Save mask and cut-out", elem_id="ldznet_tab_save"))
    return made


def _connect_tab(desk: "Desk", asked: dict[str, Any], shown: dict[str, Any], save: Callable[..., str] | None) -> None:
    cuts = [asked[name] for name in CUTS]
    more = [asked[name] for name in ("refine", "timestep", "seed")]
    outputs = [shown["overlay"], shown["mask"], shown["message"], shown["handle"]]

    def settings_of(words: str, method: str, values: Sequence[Any]) -> MaskSettings | str:
        refine, timestep, seed = values[len(cuts) :]
        return _settings(
            words,
            method,
            values[: len(cuts)],
            refine=refine,
            timestep=OPTION["timestep"].from_widget(timestep),
            seed=int(seed or 0),
        )

    def find(given: Any, words: str, method: str, *values: Any) -> list[Any]:
        settings = settings_of(words, method, values)
        return _views(
            handlers.View(message=settings) if isinstance(settings, str) else handlers.find(desk, given, settings)
        )

    def look(given: Any, prompt: str, method: str, *values: Any) -> list[Any]:
        settings = settings_of("", method, values)
        found = (
            handlers.Regions(message=settings)
            if isinstance(settings, str)
            else handlers.regions(desk, given, prompt or _prompt_of(given), settings)
        )
        sections = None if found.picture is None else (found.picture, list(found.sections))
        return [sections, found.message, found.handle]

    def cut(handle: str, *values: Any) -> list[Any]:
        return _views(handlers.recut(handle, _cuts(values))) if handle else [update()] * 4

    asking = [asked["picture"], asked["words"], asked["method"], *cuts, *more]
    for event in (asked["find"].click, asked["words"].submit):
        listen(event, find, asking, outputs, progress="minimal", js=_view_js("overlay", len(asking)))
    looking = [asked["picture"], asked["prompt"], asked["method"], *cuts, *more]
    for event in (asked["look"].click, asked["prompt"].submit):
        listen(
            event,
            look,
            looking,
            [shown["regions"], shown["message"], shown["regions_handle"]],
            progress="minimal",
            js=_view_js("regions", len(looking)),
        )
    on_select(
        shown["regions"].select,
        lambda handle, index: _views(handlers.pick(handle, index)),
        shown["regions_handle"],
        outputs,
    )
    for component in cuts:
        listen(_moved(component), cut, [shown["handle"], *cuts], outputs, queue=False)
    listen(asked["picture"].upload, _prompt_of, [asked["picture"]], [asked["prompt"]], queue=False)
    listen(
        asked["refresh"].click,
        lambda: _refreshed(desk),
        [],
        [asked["about"], asked["method"], asked["file"]],
        queue=False,
    )
    listen(
        asked["convert"].click,
        lambda name: _converted(desk, name),
        [asked["file"]],
        [shown["message"], asked["about"], asked["method"], asked["file"]],
    )
    if save:
        listen(
            shown["save"].click, lambda handle: _saved(handle, save), [shown["handle"]], [shown["message"]], queue=False
        )


def _views(view: handlers.View) -> list[Any]:
    """Overlay, mask, message, handle; without an answer the old pictures stay."""
    if view.overlay is None or view.mask is None:
        return [update(), update(), view.message, view.handle]
    return [Image.fromarray(view.overlay), Image.fromarray(view.mask), view.message, view.handle]


def _view_js(name: str, count: int) -> str:
    """Show the right one of the views at once; the inputs go on as they are."""
    return f"(...args) => {{ ldznet.view('{name}'); return args.slice(0, {count}); }}"


def _prompt_of(given: Any) -> str:
    """The prompt that a picture carries in its parameters, or nothing."""
    text = (getattr(given, "info", None) or {}).get("parameters", "")
    if not isinstance(text, str):
        return ""
    return text.split("\nNegative prompt:")[0].split("\nSteps:")[0].strip()


def _refreshed(desk: "Desk") -> list[Any]:
    from ldznet_ext.errors import LdznetError
    from ldznet_ext.ui.desk import About

    try:
        about = desk.heads_refresh()
    except LdznetError as error:
        about = About(message=str(error))
    return [about_html(about), update(choices=_names(about)), update(choices=list(about.convertible))]


def _converted(desk: "Desk", name: str) -> list[Any]:
    from ldznet_ext.errors import LdznetError
    from ldznet_ext.ui.messages import complaint, remark

    if not name:
        return [
            complaint(
                "No file is chosen; expected one of the authors' files in a model folder, so put it there and refresh."
            ),
            *[update()] * 3,
        ]
    try:
        said = remark(desk.convert(name))
    except LdznetError as error:
        said = complaint(str(error))
    return [said, *_refreshed(desk)]


def _saved(handle: str, save: Callable[..., str]) -> str:
    from ldznet_ext.errors import LdznetError
    from ldznet_ext.ui.messages import complaint, remark

    try:
        cut = handlers.cut_out(handle)
        words = handlers.SESSIONS.get(handle).settings.words
        return remark(save(cut, np.asarray(cut.getchannel("A")), words))
    except LdznetError as error:
        return complaint(str(error))


def _names(about: "About") -> list[str]:
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
