"""What a web UI loads: one always-visible script, and the callbacks. All logic is in the package.

The package is imported here, at the top, for the extension's root is on sys.path only now. Should that fail, the web UI starts
as without us and one sentence says so.
"""

import logging

from modules import script_callbacks, scripts

logger = logging.getLogger("ldznet")

try:
    from ldznet_ext.hosts.webui.entry import Entry
except Exception as error:
    logger.error(
        "LD-ZNet masks could not be loaded (%s: %s); the web UI works without them.", type(error).__name__, error
    )
else:
    entry = Entry()

    class LdznetMasks(scripts.Script):
        """Masks of the words, or of every thing the prompt names, with each picture."""

        def __init__(self) -> None:
            self.generation = entry.generation()

        def title(self) -> str:
            return "LD-ZNet masks"

        def show(self, is_img2img: bool) -> object:
            return scripts.AlwaysVisible

        def ui(self, is_img2img: bool) -> list:
            components = entry.accordion(is_img2img)
            self.infotext_fields = entry.paste_fields(components)
            return components

        def before_process(self, p, *args):
            self.generation.before_process(p, args)

        def process(self, p, *args):
            self.generation.process(p, args)

        def process_before_every_sampling(self, p, *args, **kwargs):
            self.generation.process_before_every_sampling(p, args, **kwargs)

        def post_sample(self, p, ps, *args):
            self.generation.post_sample(p, ps, args)

        def postprocess_image(self, p, pp, *args):
            self.generation.postprocess_image(p, pp, args)

        def postprocess_image_after_composite(self, p, pp, *args):
            self.generation.postprocess_image_after_composite(p, pp, args)

        def postprocess(self, p, processed, *args):
            self.generation.postprocess(p, processed, args)

    script_callbacks.on_after_component(entry.after_component)
    script_callbacks.on_ui_tabs(entry.tabs)
    script_callbacks.on_ui_settings(entry.settings)
    script_callbacks.on_app_started(entry.app_started)
    script_callbacks.on_script_unloaded(entry.unloaded)
