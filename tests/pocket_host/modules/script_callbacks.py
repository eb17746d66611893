"""What extensions register at import, called in the hosts' order; an exception in one is reported and the rest go on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules import errors


@dataclass
class ImageSaveParams:
    """A picture about to be saved."""

    image: Any
    p: Any
    filename: str
    pnginfo: dict[str, str]


@dataclass
class ExtraNoiseParams:
    """Noise added to an img2img latent."""

    noise: Any
    x: Any
    xi: Any


@dataclass
class CFGDenoiserParams:
    """One denoiser call before the UNet: x and sigma are the rows of all conds, then of unconds, as in A1111."""

    x: Any
    image_cond: Any
    sigma: Any
    sampling_step: int
    total_sampling_steps: int
    text_cond: Any
    text_uncond: Any
    denoiser: Any = None


@dataclass
class CFGDenoisedParams:
    """The same after the UNet."""

    x: Any
    sampling_step: int
    total_sampling_steps: int
    inner_model: Any


@dataclass
class AfterCFGCallbackParams:
    """And after guidance."""

    x: Any
    sampling_step: int
    total_sampling_steps: int


@dataclass
class Callback:
    """A registered function and the file it came from."""

    function: Callable[..., Any]
    filename: str


_callbacks: dict[str, list[Callback]] = {}


def _register(category: str, function: Callable[..., Any]) -> None:
    filename = getattr(getattr(function, "__code__", None), "co_filename", "")
    _callbacks.setdefault(category, []).append(Callback(function, filename))


def _call(category: str, *args: Any, **kwargs: Any) -> list[Any]:
    answers = []
    for callback in list(_callbacks.get(category, ())):
        try:
            answers.append(callback.function(*args, **kwargs))
        except Exception:
            errors.report(f"Error executing callback {category} for {callback.filename}", exc_info=True)
    return answers


def clear_callbacks() -> None:
    """Forget all: before the scripts are read again."""
    _callbacks.clear()


def remove_callbacks_for_function(function: Callable[..., Any]) -> None:
    """Forget one."""
    for listed in _callbacks.values():
        listed[:] = [callback for callback in listed if callback.function is not function]


def remove_current_script_callbacks() -> None:
    """Forget those of the file that calls."""
    import inspect

    caller = inspect.stack()[1].filename
    for listed in _callbacks.values():
        listed[:] = [callback for callback in listed if Path(callback.filename) != Path(caller)]


def on_app_started(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """(demo or None, app): the server answers."""
    _register("app_started", callback)


def on_before_reload(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """(): the page is about to be made anew."""
    _register("before_reload", callback)


def on_model_loaded(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """(sd_model): a checkpoint was loaded."""
    _register("model_loaded", callback)


def on_ui_tabs(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """(): -> [(Blocks, title, id)]."""
    _register("ui_tabs", callback)


def on_ui_train_tabs(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """(params): never called here, there is no training."""
    _register("ui_train_tabs", callback)


def on_ui_settings(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """(): declare settings."""
    _register("ui_settings", callback)


def on_before_image_saved(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """(ImageSaveParams)."""
    _register("before_image_saved", callback)


def on_image_saved(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """(ImageSaveParams)."""
    _register("image_saved", callback)


def on_extra_noise(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """(ExtraNoiseParams): never called here."""
    _register("extra_noise", callback)


def on_cfg_denoiser(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """(CFGDenoiserParams)."""
    _register("cfg_denoiser", callback)


def on_cfg_denoised(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """(CFGDenoisedParams)."""
    _register("cfg_denoised", callback)


def on_cfg_after_cfg(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """(AfterCFGCallbackParams)."""
    _register("cfg_after_cfg", callback)


def on_before_component(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """(component, **arguments it was made with)."""
    _register("before_component", callback)


def on_after_component(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """(component, **arguments it was made with)."""
    _register("after_component", callback)


def on_image_grid(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """(params): never called here."""
    _register("image_grid", callback)


def on_infotext_pasted(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """(infotext, dict of its fields)."""
    _register("infotext_pasted", callback)


def on_script_unloaded(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """(): undo everything."""
    _register("script_unloaded", callback)


def on_before_ui(callback: Callable[..., Any], *, name: str | None = None) -> None:
    """(): the page is about to be made."""
    _register("before_ui", callback)


def app_started_callback(demo: Any, app: Any) -> None:
    """Tell it."""
    _call("app_started", demo, app)


def app_reload_callback() -> None:
    """Tell it."""
    _call("before_reload")


def model_loaded_callback(model: Any) -> None:
    """Tell it."""
    _call("model_loaded", model)


def ui_tabs_callback() -> list[tuple[Any, str, str]]:
    """All tabs."""
    return [tab for tabs in _call("ui_tabs") for tab in tabs or ()]


def ui_settings_callback() -> None:
    """Tell it."""
    _call("ui_settings")


def before_image_saved_callback(params: ImageSaveParams) -> None:
    """Tell it."""
    _call("before_image_saved", params)


def image_saved_callback(params: ImageSaveParams) -> None:
    """Tell it."""
    _call("image_saved", params)


def cfg_denoiser_callback(params: CFGDenoiserParams) -> None:
    """Tell it."""
    _call("cfg_denoiser", params)


def cfg_denoised_callback(params: CFGDenoisedParams) -> None:
    """Tell it."""
    _call("cfg_denoised", params)


def cfg_after_cfg_callback(params: AfterCFGCallbackParams) -> None:
    """Tell it."""
    _call("cfg_after_cfg", params)


def before_component_callback(component: Any, **kwargs: Any) -> None:
    """Tell it."""
    _call("before_component", component, **kwargs)


def after_component_callback(component: Any, **kwargs: Any) -> None:
    """Tell it."""
    _call("after_component", component, **kwargs)


def infotext_pasted_callback(infotext: str, params: dict[str, Any]) -> None:
    """Tell it."""
    _call("infotext_pasted", infotext, params)


def script_unloaded_callback() -> None:
    """Tell it, the last registered first."""
    for callback in reversed(_callbacks.get("script_unloaded", [])):
        try:
            callback.function()
        except Exception:
            errors.report(f"Error executing script_unloaded for {callback.filename}", exc_info=True)


def before_ui_callback() -> None:
    """Tell it."""
    _call("before_ui")
