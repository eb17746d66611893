"""The settings tab: whatever was declared, in its sections, applied by one button."""

from typing import Any

import gradio as gr

from modules import shared


def create_ui() -> gr.Blocks:
    """All settings that have something to show."""
    names: list[str] = []
    components: list[Any] = []
    with gr.Blocks(analytics_enabled=False) as interface:
        apply = gr.Button("Apply settings", variant="primary", elem_id="settings_submit")
        result = gr.HTML(elem_id="settings_result")
        sections: dict[tuple[Any, ...], list[str]] = {}
        for key, option in shared.opts.data_labels.items():
            sections.setdefault(tuple(option.section), []).append(key)
        with gr.Tabs(elem_id="settings"):
            for (identity, title), keys in sections.items():
                with gr.TabItem(title, elem_id=f"settings_{identity}"):
                    for key in keys:
                        names.append(key)
                        components.append(_component(key))

        def save(*values: Any) -> str:
            changed = [key for key, value in zip(names, values, strict=True) if shared.opts.set(key, value)]
            shared.opts.save(shared.config_filename)
            return f"<p>{len(changed)} settings changed{': ' if changed else ''}{', '.join(changed)}.</p>"

        apply.click(fn=save, inputs=components, outputs=[result])
    return interface


def _component(key: str) -> Any:
    option = shared.opts.data_labels[key]
    value = getattr(shared.opts, key)
    args = option.component_args() if callable(option.component_args) else option.component_args or {}
    kind = option.component or {bool: gr.Checkbox, int: gr.Number, float: gr.Number}.get(
        type(option.default), gr.Textbox
    )
    return kind(label=option.label, value=value, elem_id=f"setting_{key}", **args)
