"""What both tabs have: the gallery and its toolbar, and the row with prompt and button."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from modules import infotext_utils, shared
from modules.ui_components import FormRow, ToolButton


@dataclass
class OutputPanel:
    """Where the results go."""

    gallery: Any = None
    generation_info: Any = None
    infotext: Any = None
    html_log: Any = None


def create_output_panel(tabname: str, outdir: str) -> OutputPanel:
    """Gallery, buttons under it, texts."""
    panel = OutputPanel()
    with gr.Column(elem_id=f"{tabname}_results"), gr.Column(variant="panel", elem_id=f"{tabname}_results_panel"):
        with gr.Group(elem_id=f"{tabname}_gallery_container"):
            panel.gallery = gr.Gallery(
                label="Output", show_label=False, elem_id=f"{tabname}_gallery", columns=4, preview=True, height=400
            )
        with gr.Row(elem_id=f"image_buttons_{tabname}", elem_classes="image-buttons"):
            buttons = {
                "img2img": ToolButton("🖼️", elem_id=f"{tabname}_send_to_img2img", tooltip="Send image to img2img"),
                "inpaint": ToolButton("🎨️", elem_id=f"{tabname}_send_to_inpaint", tooltip="Send image to inpaint"),
                "extras": ToolButton("📐", elem_id=f"{tabname}_send_to_extras", tooltip="There are no extras here"),
            }
        with gr.Group():
            panel.infotext = gr.HTML(elem_id=f"html_info_{tabname}", elem_classes="infotext")
            panel.html_log = gr.HTML(elem_id=f"html_log_{tabname}", elem_classes="html-log")
            panel.generation_info = gr.Textbox(visible=False, elem_id=f"generation_info_{tabname}")
    for name in ("img2img", "inpaint"):
        infotext_utils.register_paste_params_button(
            infotext_utils.ParamBinding(
                paste_button=buttons[name],
                tabname=name,
                source_tabname="txt2img" if tabname == "txt2img" else None,
                source_image_component=panel.gallery,
            )
        )
    return panel


@dataclass
class Toprow:
    """Prompt, negative prompt, buttons."""

    prompt: Any
    negative_prompt: Any
    submit: Any
    paste: Any


def create_toprow(tabname: str) -> Toprow:
    """Over each tab."""
    with gr.Row(elem_id=f"{tabname}_toprow"):
        with gr.Column(scale=6, elem_id=f"{tabname}_prompt_container"):
            prompt = gr.Textbox(
                label="Prompt",
                elem_id=f"{tabname}_prompt",
                show_label=False,
                lines=2,
                placeholder="Prompt: a fox and a doughnut on snow, night",
            )
            negative = gr.Textbox(
                label="Negative prompt",
                elem_id=f"{tabname}_neg_prompt",
                show_label=False,
                lines=1,
                placeholder="Negative prompt",
            )
        with gr.Column(scale=1, elem_id=f"{tabname}_actions_column"):
            with gr.Row(elem_id=f"{tabname}_generate_box", elem_classes="generate-box"):
                interrupt = gr.Button(
                    "Interrupt", elem_id=f"{tabname}_interrupt", elem_classes="generate-box-interrupt"
                )
                submit = gr.Button("Generate", elem_id=f"{tabname}_generate", variant="primary")
            with FormRow(elem_id=f"{tabname}_tools"):
                paste = ToolButton("↙️", elem_id="paste", tooltip="Read generation parameters from the prompt")
    interrupt.click(fn=lambda: shared.state.interrupt(), inputs=[], outputs=[], queue=False)
    return Toprow(prompt, negative, submit, paste)
