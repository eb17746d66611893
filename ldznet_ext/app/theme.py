"""The app's look: Gradio's own variables set to our few colours, and the style sheet of what is ours.

Letters are the system's own: Gradio's themes fetch theirs from another machine or ship half a megabyte.
"""

from typing import Any

FONT = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")
ROLES = {
    "body_background_fill": "--ldz-ground",
    "background_fill_primary": "--ldz-surface",
    "background_fill_secondary": "--ldz-ground",
    "block_background_fill": "--ldz-surface",
    "body_text_color": "--ldz-ink",
    "body_text_color_subdued": "--ldz-quiet",
    "block_label_text_color": "--ldz-quiet",
    "block_title_text_color": "--ldz-quiet",
    "border_color_primary": "--ldz-line",
    "border_color_accent": "--ldz-accent",
    "block_border_color": "--ldz-line",
    "input_background_fill": "--ldz-field",
    "input_background_fill_focus": "--ldz-field",
    "input_border_color": "--ldz-line",
    "input_border_color_focus": "--ldz-accent",
    "input_placeholder_color": "--ldz-faint",
    "button_primary_background_fill": "--ldz-accent",
    "button_primary_background_fill_hover": "--ldz-accent-strong",
    "button_primary_text_color": "--ldz-on-accent",
    "button_primary_border_color": "--ldz-accent",
    "button_secondary_background_fill": "--ldz-field",
    "button_secondary_background_fill_hover": "--ldz-hover",
    "button_secondary_text_color": "--ldz-ink",
    "button_secondary_border_color": "--ldz-line",
    "color_accent": "--ldz-accent",
    "color_accent_soft": "--ldz-hover",
    "slider_color": "--ldz-accent",
}
"""Gradio's variable -> ours; ours have a light and a dark value in app.css."""


def theme() -> Any:
    """Gradio's base theme in our colours."""
    import gradio as gr

    made = gr.themes.Base(font=FONT, font_mono=MONO, radius_size=gr.themes.sizes.radius_lg)
    values = {name: f"var({ours})" for name, ours in ROLES.items()}
    dark = {f"{name}_dark": value for name, value in values.items() if hasattr(made, f"{name}_dark")}
    return made.set(
        **values,
        **dark,
        block_border_width="0px",
        block_shadow="none",
        block_padding="0px",
        input_shadow="none",
        input_shadow_focus="none",
        button_primary_shadow="none",
        button_secondary_shadow="none",
        layout_gap="0px",
    )
