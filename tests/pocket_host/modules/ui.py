"""The page: txt2img, img2img with its ways of inpainting, the extensions' tabs, settings."""

from typing import Any

import gradio as gr

from modules import (
    img2img,
    infotext_utils,
    script_callbacks,
    scripts,
    shared,
    txt2img,
    ui_gradio_extensions,
    ui_settings,
)
from modules.call_queue import wrap_gradio_gpu_call
from modules.ui_common import create_output_panel, create_toprow
from modules.ui_components import FormGroup, FormRow, InputAccordion, ToolButton

LABEL = shared.host_name
NO_QUEUE = {"show_progress": False}


def create_ui() -> gr.Blocks:
    """Everything, in the hosts' order: txt2img with its scripts, img2img, the extensions' tabs, settings."""
    ui_gradio_extensions.patch()
    infotext_utils.reset()
    script_callbacks.before_ui_callback()
    script_callbacks.ui_settings_callback()
    scripts.scripts_current = scripts.scripts_txt2img
    scripts.scripts_txt2img.initialize_scripts(is_img2img=False)
    txt2img_interface = _txt2img()
    scripts.scripts_current = scripts.scripts_img2img
    scripts.scripts_img2img.initialize_scripts(is_img2img=True)
    img2img_interface = _img2img()
    scripts.scripts_current = None
    interfaces = [(txt2img_interface, "txt2img", "txt2img"), (img2img_interface, "img2img", "img2img")]
    interfaces += script_callbacks.ui_tabs_callback()
    interfaces += [(ui_settings.create_ui(), "Settings", "settings")]
    with gr.Blocks(analytics_enabled=False, title=LABEL) as demo:
        gr.HTML(
            f"<b>{LABEL}</b> · Sticker-SD, 256 × 256 · for tests and for trying the extension", elem_id="pocket_label"
        )
        infotext_utils.connect_paste_params_buttons()
        with gr.Tabs(elem_id="tabs"):
            for interface, label, identity in interfaces:
                with gr.TabItem(label, id=identity, elem_id=f"tab_{identity}"):
                    interface.render()
    return demo


def _slider(tab: str, name: str, label: str, low: float, high: float, step: float, value: float) -> Any:
    return gr.Slider(minimum=low, maximum=high, step=step, label=label, value=value, elem_id=f"{tab}_{name}")


def _common(tab: str) -> dict[str, Any]:
    """The sliders both tabs have."""
    with FormRow():
        steps = _slider(tab, "steps", "Sampling steps", 1, 150, 1, 20)
    with FormRow():
        width = _slider(tab, "width", "Width", 64, 1024, 64, 256)
        height = _slider(tab, "height", "Height", 64, 1024, 64, 256)
        n_iter = _slider(tab, "batch_count", "Batch count", 1, 16, 1, 1)
        batch_size = _slider(tab, "batch_size", "Batch size", 1, 8, 1, 1)
    with FormRow():
        cfg_scale = _slider(tab, "cfg_scale", "CFG Scale", 1, 30, 0.5, 5)
        seed = gr.Number(label="Seed", value=-1, elem_id=f"{tab}_seed")
    return {
        "steps": steps,
        "width": width,
        "height": height,
        "n_iter": n_iter,
        "batch_size": batch_size,
        "cfg_scale": cfg_scale,
        "seed": seed,
    }


def _txt2img() -> gr.Blocks:
    with gr.Blocks(analytics_enabled=False) as interface:
        top = create_toprow("txt2img")
        dummy = gr.Label(visible=False)
        with gr.Row():
            with gr.Column(variant="compact", elem_id="txt2img_settings"):
                common = _common("txt2img")
                with (
                    FormRow(elem_id="txt2img_accordions", elem_classes="accordions"),
                    InputAccordion(False, label="Hires. fix", elem_id="txt2img_hr") as enable_hr,
                ):
                    hr_steps = _slider("txt2img", "hires_steps", "Hires steps", 0, 150, 1, 0)
                    denoising = _slider("txt2img", "denoising_strength", "Denoising strength", 0, 1, 0.01, 0.7)
                    hr_scale = _slider("txt2img", "hr_scale", "Upscale by", 1, 4, 0.05, 1.5)
                with FormGroup(elem_id="txt2img_script_container"):
                    script_inputs = scripts.scripts_txt2img.setup_ui()
            panel = create_output_panel("txt2img", shared.opts.outdir_txt2img_samples)
        names = ("steps", "n_iter", "batch_size", "cfg_scale", "height", "width", "seed")
        inputs = [
            dummy,
            top.prompt,
            top.negative_prompt,
            *(common[name] for name in names),
            enable_hr,
            denoising,
            hr_scale,
            hr_steps,
        ]
        call = {
            "fn": wrap_gradio_gpu_call(txt2img.txt2img, extra_outputs=[None, "", ""]),
            "_js": "submit",
            "inputs": inputs + script_inputs,
            "outputs": [panel.gallery, panel.generation_info, panel.infotext, panel.html_log],
            **NO_QUEUE,
        }
        top.prompt.submit(**call)
        top.submit.click(**call)
        _paste_fields("txt2img", top, common, None, scripts.scripts_txt2img.infotext_fields)
    return interface


def _paste_fields(tab: str, top: Any, common: dict[str, Any], image: Any, more: list[Any]) -> None:
    fields = [
        (top.prompt, "Prompt"),
        (top.negative_prompt, "Negative prompt"),
        (common["steps"], "Steps"),
        (common["cfg_scale"], "CFG scale"),
        (common["seed"], "Seed"),
        (common["width"], "Size-1"),
        (common["height"], "Size-2"),
        *more,
    ]
    for name, target in (
        [(tab, image)] if tab == "txt2img" else [("img2img", image["img2img"]), ("inpaint", image["inpaint"])]
    ):
        infotext_utils.add_paste_fields(name, target, fields)
    infotext_utils.connect_paste(top.paste, infotext_utils.paste_fields[tab]["fields"], top.prompt)


def _picture(elem_id: str, tool: str | None = None, **more: Any) -> Any:
    kwargs: dict[str, Any] = {"tool": tool} if tool else {}
    return gr.Image(
        label="Image",
        elem_id=elem_id,
        show_label=False,
        source="upload",
        interactive=True,
        type="pil",
        height=384,
        **kwargs,
        **more,
    )


def _img2img() -> gr.Blocks:
    with gr.Blocks(analytics_enabled=False) as interface:
        top = create_toprow("img2img")
        dummy = gr.Label(visible=False)
        with gr.Row():
            with gr.Column(variant="compact", elem_id="img2img_settings"):
                pictures, tabs = _modes()
                common = _common("img2img")
                denoising = _slider("img2img", "denoising_strength", "Denoising strength", 0, 1, 0.01, 0.75)
                resize = gr.Radio(
                    label="Resize mode",
                    elem_id="resize_mode",
                    choices=["Just resize", "Crop and resize", "Resize and fill"],
                    type="index",
                    value="Just resize",
                )
                controls = _inpaint_controls(tabs)
                with FormGroup(elem_id="img2img_script_container"):
                    script_inputs = scripts.scripts_img2img.setup_ui()
            panel = create_output_panel("img2img", shared.opts.outdir_img2img_samples)
        call = {
            "fn": wrap_gradio_gpu_call(img2img.img2img, extra_outputs=[None, "", ""]),
            "_js": "submit_img2img",
            "inputs": [
                dummy,
                dummy,
                top.prompt,
                top.negative_prompt,
                pictures["img2img"],
                pictures["sketch"],
                pictures["inpaint"],
                pictures["color_sketch"],
                pictures["color_original"],
                pictures["upload"],
                pictures["mask"],
                common["steps"],
                *controls,
                common["n_iter"],
                common["batch_size"],
                common["cfg_scale"],
                denoising,
                common["height"],
                common["width"],
                resize,
                common["seed"],
                pictures["batch"],
                *script_inputs,
            ],
            "outputs": [panel.gallery, panel.generation_info, panel.infotext, panel.html_log],
            **NO_QUEUE,
        }
        top.prompt.submit(**call)
        top.submit.click(**call)
        _paste_fields("img2img", top, common, pictures, scripts.scripts_img2img.infotext_fields)
    return interface


def _modes() -> tuple[dict[str, Any], list[Any]]:
    """The six ways, with the hosts' elem_ids."""
    pictures, tabs = {}, []
    with gr.Tabs(elem_id="mode_img2img"):
        with gr.TabItem("img2img", id="img2img", elem_id="img2img_img2img_tab") as tab:
            pictures["img2img"] = _picture("img2img_image", "editor", image_mode="RGBA")
        tabs.append(tab)
        with gr.TabItem("Sketch", id="img2img_sketch", elem_id="img2img_img2img_sketch_tab") as tab:
            pictures["sketch"] = _picture("img2img_sketch", "color-sketch", image_mode="RGB")
        tabs.append(tab)
        with gr.TabItem("Inpaint", id="inpaint", elem_id="img2img_inpaint_tab") as tab:
            pictures["inpaint"] = _picture("img2maskimg", "sketch", image_mode="RGBA", brush_color="#ffffff")
        tabs.append(tab)
        with gr.TabItem("Inpaint sketch", id="inpaint_sketch", elem_id="img2img_inpaint_sketch_tab") as tab:
            pictures["color_sketch"] = _picture("inpaint_sketch", "color-sketch", image_mode="RGB")
            pictures["color_original"] = gr.State(None)
            pictures["color_sketch"].change(
                lambda picture, state: (
                    picture if state is None or picture is None or state.size != picture.size else state
                ),
                inputs=[pictures["color_sketch"], pictures["color_original"]],
                outputs=[pictures["color_original"]],
                **NO_QUEUE,
            )
        tabs.append(tab)
        with gr.TabItem("Inpaint upload", id="inpaint_upload", elem_id="img2img_inpaint_upload_tab") as tab:
            pictures["upload"] = gr.Image(
                label="Image for img2img",
                show_label=False,
                source="upload",
                interactive=True,
                type="pil",
                elem_id="img_inpaint_base",
            )
            pictures["mask"] = gr.Image(
                label="Mask",
                source="upload",
                interactive=True,
                type="pil",
                image_mode="RGBA",
                elem_id="img_inpaint_mask",
            )
        tabs.append(tab)
        with gr.TabItem("Batch", id="batch", elem_id="img2img_batch_tab") as tab:
            pictures["batch"] = gr.Files(label="Files", interactive=True, elem_id="img2img_batch_upload")
        tabs.append(tab)
    return pictures, tabs


def _inpaint_controls(tabs: list[Any]) -> list[Any]:
    with FormGroup(elem_id="inpaint_controls", visible=False) as box:
        blur = _slider("img2img", "mask_blur", "Mask blur", 0, 64, 1, 4)
        mode = gr.Radio(
            label="Mask mode",
            choices=["Inpaint masked", "Inpaint not masked"],
            value="Inpaint masked",
            type="index",
            elem_id="img2img_mask_mode",
        )
        fill = gr.Radio(
            label="Masked content",
            choices=["fill", "original", "latent noise", "latent nothing"],
            value="original",
            type="index",
            elem_id="img2img_inpainting_fill",
        )
        with FormRow():
            full = gr.Radio(
                label="Inpaint area",
                choices=["Whole picture", "Only masked"],
                type="index",
                value="Whole picture",
                elem_id="img2img_inpaint_full_res",
            )
            padding = _slider("img2img", "inpaint_full_res_padding", "Only masked padding, pixels", 0, 256, 4, 32)
    for index, tab in enumerate(tabs):
        tab.select(fn=lambda shown=2 <= index <= 4: gr.update(visible=shown), inputs=[], outputs=[box], **NO_QUEUE)
    return [blur, mode, fill, full, padding]


__all__ = ["LABEL", "ToolButton", "create_ui"]
