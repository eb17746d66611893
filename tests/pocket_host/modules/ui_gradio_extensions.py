"""Gradio's components announce themselves to the extensions, and its page loads scripts and styles, as in the hosts."""

import os
from typing import Any
from urllib.parse import quote

import gradio as gr

from modules import paths_internal, script_callbacks, scripts, shared

_patched = False


def patch() -> None:
    """Once a process."""
    global _patched
    if _patched:
        return
    _patched = True
    for owner in (gr.components.IOComponent, gr.blocks.BlockContext):
        owner.__init__ = _announcing(owner.__init__)
    gr.blocks.Block.get_config = _with_tooltip(gr.blocks.Block.get_config)
    original = gr.routes.templates.TemplateResponse

    def response(*args: Any, **kwargs: Any) -> Any:
        answer = original(*args, **kwargs)
        answer.body = answer.body.replace(b"</head>", f"{_scripts()}</head>".encode())
        answer.body = answer.body.replace(b"</body>", f"{_styles()}</body>".encode())
        answer.init_headers()
        return answer

    gr.routes.templates.TemplateResponse = response


def _announcing(original: Any) -> Any:
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        tooltip = kwargs.pop("tooltip", None)
        script_callbacks.before_component_callback(self, **kwargs)
        original(self, *args, **kwargs)
        self.webui_tooltip = tooltip
        self.elem_classes = [f"gradio-{self.get_block_name()}", *(self.elem_classes or [])]
        script_callbacks.after_component_callback(self, **kwargs)

    return init


def _with_tooltip(original: Any) -> Any:
    def config(self: Any) -> dict[str, Any]:
        found = original(self)
        if getattr(self, "webui_tooltip", None):
            found["webui_tooltip"] = self.webui_tooltip
        return found

    return config


def _webpath(path: str) -> str:
    return f"file={quote(os.path.abspath(path))}?{os.path.getmtime(path)}"


def _scripts() -> str:
    lines = [f'<script type="text/javascript" src="{_webpath(path)}"></script>' for path in scripts.list_javascript()]
    if shared.cmd_opts.theme:
        lines.append(f'<script>pocket.theme("{shared.cmd_opts.theme}");</script>')
    return "\n".join(lines) + "\n"


def _styles() -> str:
    files = scripts.list_files_with_name("style.css")
    if shared.cmd_opts.without_extension:
        files = [path for path in files if path.startswith(paths_internal.script_path)]
    return "".join(f'<link rel="stylesheet" property="stylesheet" href="{_webpath(path)}">' for path in files)
