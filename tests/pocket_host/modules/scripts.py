"""Scripts of extensions: found, imported, shown, and called at each stage of a generation."""

import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from modules import errors, paths_internal, script_callbacks, shared

AlwaysVisible = object()


@dataclass
class PostSampleArgs:
    """The latent after sampling."""

    samples: Any


@dataclass
class PostprocessImageArgs:
    """One picture."""

    image: Any


@dataclass
class PostProcessMaskOverlayArgs:
    """The mask and the picture that are laid over an inpainted one."""

    index: int
    mask_for_overlay: Any
    overlay_image: Any


@dataclass
class PostprocessBatchListArgs:
    """Pictures of a batch, float (3 h w) tensors in 0..1."""

    images: list[Any]


@dataclass
class MaskBlendArgs:
    """Latents of one step of inpainting."""

    current_latent: Any
    nmask: Any
    init_latent: Any
    mask: Any
    blended_latent: Any
    denoiser: Any = None
    sigma: Any = None


class Script:
    """What an extension subclasses. Only hooks that a subclass defines are called."""

    name: str | None = None
    section: str | None = None
    filename: str | None = None
    args_from: int | None = None
    args_to: int | None = None
    alwayson = False
    is_txt2img = False
    is_img2img = False
    tabname: str | None = None
    group: Any = None
    create_group = True
    infotext_fields: list[Any] | None = None
    paste_field_names: list[str] | None = None
    api_info: Any = None
    setup_for_ui_only = False
    controls: list[Any] | None = None

    def title(self) -> str:
        """The name in the page and the API."""
        raise NotImplementedError

    def ui(self, is_img2img: bool) -> Sequence[Any] | None:
        """Make and return the components."""

    def show(self, is_img2img: bool) -> Any:
        """AlwaysVisible, or whether it is in the list of scripts."""
        return True

    def elem_id(self, item_id: str) -> str:
        """A name for a component that is unique in the page."""
        title = "".join(letter if letter.isalnum() else "_" for letter in self.title().lower())
        return f"script_{'img2img' if self.is_img2img else 'txt2img'}_{title}_{item_id}"

    def setup(self, p: Any, *args: Any) -> None: ...
    def before_process(self, p: Any, *args: Any) -> None: ...
    def process(self, p: Any, *args: Any) -> None: ...
    def before_process_batch(self, p: Any, *args: Any, **kwargs: Any) -> None: ...
    def after_extra_networks_activate(self, p: Any, *args: Any, **kwargs: Any) -> None: ...
    def process_batch(self, p: Any, *args: Any, **kwargs: Any) -> None: ...
    def process_before_every_sampling(self, p: Any, *args: Any, **kwargs: Any) -> None: ...
    def post_sample(self, p: Any, ps: PostSampleArgs, *args: Any) -> None: ...
    def on_mask_blend(self, p: Any, mba: MaskBlendArgs, *args: Any) -> None: ...
    def postprocess_batch(self, p: Any, *args: Any, **kwargs: Any) -> None: ...
    def postprocess_batch_list(self, p: Any, pp: PostprocessBatchListArgs, *args: Any, **kwargs: Any) -> None: ...
    def postprocess_image(self, p: Any, pp: PostprocessImageArgs, *args: Any) -> None: ...
    def postprocess_maskoverlay(self, p: Any, ppmo: PostProcessMaskOverlayArgs, *args: Any) -> None: ...
    def postprocess_image_after_composite(self, p: Any, pp: PostprocessImageArgs, *args: Any) -> None: ...
    def postprocess(self, p: Any, processed: Any, *args: Any) -> None: ...
    def before_hr(self, p: Any, *args: Any) -> None: ...
    def before_component(self, component: Any, **kwargs: Any) -> None: ...
    def after_component(self, component: Any, **kwargs: Any) -> None: ...


current_basedir = paths_internal.script_path
scripts_data: list[tuple[type[Script], str, str]] = []
scripts_txt2img: "ScriptRunner"
scripts_img2img: "ScriptRunner"
scripts_current: "ScriptRunner | None" = None


def basedir() -> str:
    """The folder of the extension whose script is being imported."""
    return current_basedir


def load_scripts() -> None:
    """Import every file of the extension's scripts/, its root on sys.path only meanwhile, as A1111 does."""
    global current_basedir
    script_callbacks.clear_callbacks()
    scripts_data.clear()
    root = paths_internal.extension_path
    before = list(sys.path)
    for path in sorted(Path(root, "scripts").glob("*.py")):
        current_basedir = root
        sys.path = [root, *before]
        try:
            module = _load_module(path)
            for found in vars(module).values():
                if isinstance(found, type) and issubclass(found, Script) and found is not Script:
                    scripts_data.append((found, str(path), root))
        except Exception:
            errors.report(f"Error loading script: {path.name}", exc_info=True)
        finally:
            sys.path, current_basedir = list(before), paths_internal.script_path


def _load_module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class ScriptRunner:
    """One tab's scripts."""

    def __init__(self) -> None:
        self.scripts: list[Script] = []
        self.alwayson_scripts: list[Script] = []
        self.selectable_scripts: list[Script] = []
        self.infotext_fields: list[Any] = []
        self.paste_field_names: list[str] = []
        self.inputs: list[Any] = [None]

    def initialize_scripts(self, is_img2img: bool) -> None:
        """One instance of each script for this tab."""
        self.scripts.clear()
        self.alwayson_scripts.clear()
        for script_class, path, _ in scripts_data:
            try:
                script = script_class()
                script.filename, script.is_txt2img, script.is_img2img = path, not is_img2img, is_img2img
                script.tabname = "img2img" if is_img2img else "txt2img"
                if script.show(is_img2img) is AlwaysVisible:
                    script.alwayson = True
                    self.alwayson_scripts.append(script)
                    self.scripts.append(script)
            except Exception:
                errors.report(f"Error initializing script {path}", exc_info=True)

    def create_script_ui(self, script: Script) -> None:
        """Ask one script for its components, and note where its arguments stand."""
        script.args_from = script.args_to = len(self.inputs)
        try:
            controls = script.ui(script.is_img2img)
        except Exception:
            errors.report(f"Error calling ui of {script.filename}", exc_info=True)
            return
        if controls is None:
            return
        script.name = script.title().lower()
        script.controls = list(controls)
        self.inputs += script.controls
        script.args_to = len(self.inputs)
        self.infotext_fields += script.infotext_fields or []
        self.paste_field_names += script.paste_field_names or []

    def setup_ui(self) -> list[Any]:
        """All components, the (empty) choice of a script first."""
        import gradio as gr

        self.inputs = [gr.Dropdown(label="Script", choices=["None"], value="None", type="index", visible=False)]
        for script in self.alwayson_scripts:
            if script.create_group:
                with gr.Group() as group:
                    self.create_script_ui(script)
                script.group = group
            else:
                self.create_script_ui(script)
        return self.inputs

    def default_args(self) -> list[Any]:
        """The arguments a request of the API gets where it names none: the components' values, the page unseen."""
        import gradio as gr

        with gr.Blocks():
            self.setup_ui()
        return [0, *(getattr(control, "value", None) for control in self.inputs[1:])]

    def script(self, title: str) -> Script | None:
        """By its title in any case."""
        return next((script for script in self.scripts if script.title().lower() == title.lower()), None)

    def _each(self, hook: str, p: Any, *before: Any, **kwargs: Any) -> None:
        for script in self.alwayson_scripts:
            if getattr(type(script), hook) is getattr(Script, hook):
                continue
            try:
                args = p.script_args[script.args_from : script.args_to]
                getattr(script, hook)(p, *before, *args, **kwargs)
            except Exception:
                errors.report(f"Error running {hook}: {script.filename}", exc_info=True)

    def setup_scrips(self, p: Any, *, is_ui: bool = True) -> None:
        """The first hook, before anything is decided."""
        self._each("setup", p)

    def before_process(self, p: Any) -> None:
        self._each("before_process", p)

    def process(self, p: Any) -> None:
        self._each("process", p)

    def before_process_batch(self, p: Any, **kwargs: Any) -> None:
        self._each("before_process_batch", p, **kwargs)

    def after_extra_networks_activate(self, p: Any, **kwargs: Any) -> None:
        self._each("after_extra_networks_activate", p, **kwargs)

    def process_batch(self, p: Any, **kwargs: Any) -> None:
        self._each("process_batch", p, **kwargs)

    def process_before_every_sampling(self, p: Any, **kwargs: Any) -> None:
        self._each("process_before_every_sampling", p, **kwargs)

    def post_sample(self, p: Any, ps: PostSampleArgs) -> None:
        self._each("post_sample", p, ps)

    def on_mask_blend(self, p: Any, mba: MaskBlendArgs) -> None:
        self._each("on_mask_blend", p, mba)

    def postprocess_batch(self, p: Any, images: Any, **kwargs: Any) -> None:
        self._each("postprocess_batch", p, images=images, **kwargs)

    def postprocess_batch_list(self, p: Any, pp: PostprocessBatchListArgs, **kwargs: Any) -> None:
        self._each("postprocess_batch_list", p, pp, **kwargs)

    def postprocess_image(self, p: Any, pp: PostprocessImageArgs) -> None:
        self._each("postprocess_image", p, pp)

    def postprocess_maskoverlay(self, p: Any, ppmo: PostProcessMaskOverlayArgs) -> None:
        self._each("postprocess_maskoverlay", p, ppmo)

    def postprocess_image_after_composite(self, p: Any, pp: PostprocessImageArgs) -> None:
        self._each("postprocess_image_after_composite", p, pp)

    def postprocess(self, p: Any, processed: Any) -> None:
        self._each("postprocess", p, processed)

    def before_hr(self, p: Any) -> None:
        self._each("before_hr", p)

    def run(self, p: Any, *args: Any) -> None:
        """No script replaces the generation here."""


def list_files_with_name(filename: str) -> list[str]:
    """Files of that name at the roots of the pocket host and of the extension: style.css."""
    roots = (paths_internal.script_path, paths_internal.extension_path)
    return [path for root in roots if os.path.isfile(path := os.path.join(root, filename))]


def list_javascript() -> list[str]:
    """The page's own script, then the extension's."""
    own = [str(Path(paths_internal.script_path, "script.js"))]
    if shared.cmd_opts.without_extension:
        return own
    folder = Path(paths_internal.extension_path, "javascript")
    return own + [str(path) for path in sorted(folder.glob("*.js"))]


def _initialise() -> None:
    global scripts_txt2img, scripts_img2img
    scripts_txt2img, scripts_img2img = ScriptRunner(), ScriptRunner()


OnComponent = Callable[..., Any]
ScriptClassData = tuple
_initialise()
