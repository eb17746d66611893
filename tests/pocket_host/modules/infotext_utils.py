"""Parameters as text, and the buttons that send a picture with them from one tab to another."""

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote as unquote_url

from PIL import Image

from modules import script_callbacks

FIELD = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


class PasteField(tuple):
    """(component, key or function of the parsed text); `api` names the field of a request that it fills."""

    def __new__(cls, component: Any, target: Any, *, api: str | None = None) -> "PasteField":
        made = super().__new__(cls, (component, target))
        made.api, made.component, made.label, made.function = (  # type: ignore[attr-defined]
            api,
            component,
            target if isinstance(target, str) else None,
            target if callable(target) else None,
        )
        return made


@dataclass
class ParamBinding:
    """A button that sends a picture and its parameters to a tab."""

    paste_button: Any
    tabname: str
    source_text_component: Any = None
    source_image_component: Any = None
    source_tabname: str | None = None
    override_settings_component: Any = None
    paste_field_names: Sequence[str] = ()


paste_fields: dict[str, dict[str, Any]] = {}
registered_param_bindings: list[ParamBinding] = []


def reset() -> None:
    """Before the page is made anew."""
    paste_fields.clear()
    registered_param_bindings.clear()


def quote(text: Any) -> str:
    """In quotation marks where the text would end a field."""
    import json

    text = str(text)
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ",\n:") else text


def unquote(text: str) -> str:
    """The other way round."""
    import json

    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def image_from_url_text(filedata: Any) -> Image.Image | None:
    """What a gallery or a text holds, as a picture: a dict of gradio, a data URL, or a list of one."""
    if isinstance(filedata, list):
        filedata = filedata[0] if filedata else None
    if isinstance(filedata, tuple):
        filedata = filedata[0]
    if isinstance(filedata, Image.Image) or not filedata:
        return filedata or None
    if isinstance(filedata, dict):
        if not filedata.get("is_file"):
            filedata = filedata.get("data")
        else:
            return _open(filedata["name"])
    if isinstance(filedata, str) and filedata.startswith("data:image/"):
        return Image.open(io.BytesIO(base64.b64decode(filedata.split(",", 1)[1])))
    return _open(filedata) if isinstance(filedata, str) else None


def _open(name: str) -> Image.Image:
    return Image.open(Path(unquote_url(name.rsplit("?", 1)[0])))


def add_paste_fields(tabname: str, init_img: Any, fields: Any, override_settings_component: Any = None) -> None:
    """Where a tab's parameters go."""
    paste_fields[tabname] = {
        "init_img": init_img,
        "fields": [PasteField(*field) if not isinstance(field, PasteField) else field for field in fields or ()],
    }


def create_buttons(tabs: Sequence[str]) -> dict[str, Any]:
    """A button for each tab."""
    import gradio as gr

    return {tab: gr.Button(f"Send to {tab}", elem_id=f"{tab}_tab") for tab in tabs}


def register_paste_params_button(binding: ParamBinding) -> None:
    """Remember a button; it is connected when the page is complete."""
    registered_param_bindings.append(binding)


def connect_paste_params_buttons() -> None:
    """Connect them all: picture, and fields of the text."""
    for binding in registered_param_bindings:
        _connect(binding)


def _connect(binding: ParamBinding) -> None:
    target = paste_fields.get(binding.tabname, {})
    image = target.get("init_img")
    if binding.source_image_component is not None and image is not None:
        gallery = type(binding.source_image_component).__name__ == "Gallery"
        binding.paste_button.click(
            fn=image_from_url_text,
            _js="extract_image_from_gallery" if gallery else None,
            inputs=[binding.source_image_component],
            outputs=[image],
            show_progress=False,
        )
    if binding.source_text_component is not None and target.get("fields"):
        connect_paste(binding.paste_button, target["fields"], binding.source_text_component)
    if binding.source_tabname:
        names = ["Prompt", "Negative prompt", "Steps", "CFG scale", "Seed", *binding.paste_field_names]
        source = {
            field.label: field.component for field in paste_fields[binding.source_tabname]["fields"] if field.label
        }
        goal = {field.label: field.component for field in target["fields"] if field.label}
        shared = [name for name in names if name in source and name in goal]
        binding.paste_button.click(
            fn=lambda *values: values if len(values) > 1 else values[0],
            inputs=[source[name] for name in shared],
            outputs=[goal[name] for name in shared],
            show_progress=False,
        )
    binding.paste_button.click(fn=None, _js=f"switch_to_{binding.tabname}", inputs=None, outputs=None)


def connect_paste(button: Any, fields: Sequence[PasteField], text: Any) -> None:
    """A button that reads the text into fields; what it does not mention stays."""
    import gradio as gr

    def paste(written: str) -> list[Any]:
        params = parse_generation_parameters(written or "")
        script_callbacks.infotext_pasted_callback(written, params)
        return [_value(field, params) for field in fields]

    def _value(field: PasteField, params: dict[str, Any]) -> Any:
        value = field[1](params) if callable(field[1]) else params.get(field[1])
        if value is None or isinstance(value, dict):
            return gr.update() if value is None else value
        kind = type(getattr(field[0], "value", ""))
        try:
            return gr.update(value=value == "True" if kind is bool else kind(value) if kind in (int, float) else value)
        except ValueError:
            return gr.update()

    button.click(fn=paste, inputs=[text], outputs=[field[0] for field in fields], show_progress=False)


def parse_generation_parameters(text: str, skip_fields: Sequence[str] | None = None) -> dict[str, Any]:
    """Prompt, negative prompt, and the fields of the last line."""
    *lines, last = text.strip().split("\n") if text.strip() else [""]
    if len(FIELD.findall(last)) < 3:
        lines, last = [*lines, last], ""
    at = next((index for index, line in enumerate(lines) if line.startswith("Negative prompt:")), len(lines))
    params: dict[str, Any] = {
        "Prompt": "\n".join(lines[:at]).strip(),
        "Negative prompt": "\n".join(lines[at:]).removeprefix("Negative prompt:").strip(),
    }
    for key, value in FIELD.findall(last):
        size = re.fullmatch(r"(\d+)x(\d+)", value)
        if size:
            params[f"{key}-1"], params[f"{key}-2"] = size.groups()
        else:
            params[key] = unquote(value)
    return params
