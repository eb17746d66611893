"""The tab with everything: what is asked on the left, what comes back on the right. Components alone."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import gradio as gr

from ldznet_ext.request import OPTION
from ldznet_ext.ui.compat import annotated, hidden_text, picture, quiet, small_button
from ldznet_ext.ui.desk import methods_of
from ldznet_ext.ui.panel import EXAMPLE, finer
from ldznet_ext.ui.parts import SLIDERS, line, small_primary, widget

if TYPE_CHECKING:
    from ldznet_ext.ui.desk import About


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
        for name in SLIDERS:
            made[name] = widget(OPTION[name], "ldznet_tab")
    with gr.Row():
        made["invert"] = widget(OPTION["invert"], "ldznet_tab")
        made["refine"] = widget(OPTION["refine"], "ldznet_tab")
    made["method"] = widget(OPTION["method"], "ldznet_tab", methods_of(about))
    with gr.Accordion("More", open=False, elem_id="ldznet_tab_more"):
        made |= finer("ldznet_tab")
        made["sam"] = widget(OPTION["sam"], "ldznet_tab")
        with gr.Row():
            made["timestep"] = widget(OPTION["timestep"], "ldznet_tab")
            made["seed"] = widget(OPTION["seed"], "ldznet_tab")
        with gr.Row():
            made["average"] = widget(OPTION["average"], "ldznet_tab")
            made["parity"] = widget(OPTION["parity"], "ldznet_tab")
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
