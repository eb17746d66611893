"""The panel: one for the web UIs and the stand-alone app. Only `compat`, `panel` and `bind` see Gradio."""
