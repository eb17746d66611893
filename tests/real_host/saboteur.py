"""A test-only script for real hosts: does during a generation what other extensions do to each other.

Its one argument over the API says what: see `TRICKS`. `GET /saboteur` tells how many hooks hang on the UNet, for whoever wants
to know whether any were left.
"""

import sys
from collections.abc import Callable
from typing import Any

import gradio as gr
from modules import processing, script_callbacks, scripts, shared


def unet_of() -> Any:
    """The loaded UNet of any host."""
    model = shared.sd_model
    objects = getattr(model, "forge_objects", None)
    return objects.unet.model.diffusion_model if objects else model.model.diffusion_model


def raise_in_unet(p: Any) -> None:
    """The second call of the UNet fails: the generation ends in an exception."""
    calls = []

    def fail(*_: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            handle.remove()
            raise RuntimeError("sabotage in the UNet")

    handle = unet_of().register_forward_pre_hook(fail)


def raise_in_hook(p: Any) -> None:
    """A script beside ours fails in one of its own hooks."""
    raise RuntimeError("sabotage in another script")


def break_ours(p: Any) -> None:
    """Something inside our own code fails, once."""
    ours = [module for name, module in sys.modules.items() if name.startswith("ldznet_ext.hosts.")]
    find = next(module for module in ours if getattr(module, "__name__", "").endswith("find"))
    kept = find.find_words

    def fail(*_: Any, **__: Any) -> None:
        find.find_words = kept
        raise KeyError("sabotage in ours")

    find.find_words = fail


def nest(p: Any, picture: Any) -> Any:
    """What ADetailer does: another img2img from within a hook, with all other scripts; its result is the picture."""
    inner = processing.StableDiffusionProcessingImg2Img(
        sd_model=shared.sd_model,
        init_images=[picture],
        prompt="an owl",
        negative_prompt="",
        width=p.width,
        height=p.height,
        steps=2,
        denoising_strength=0.5,
        sampler_name=p.sampler_name,
        seed=1,
        do_not_save_samples=True,
        do_not_save_grid=True,
    )
    inner.scripts, inner.script_args, inner._saboteur = p.scripts, p.script_args, True
    return processing.process_images(inner).images[0]


TRICKS: dict[str, Callable[[Any], None]] = {"unet": raise_in_unet, "script": raise_in_hook, "ours": break_ours}


class Saboteur(scripts.Script):
    """Always there, does nothing unless asked."""

    def title(self) -> str:
        return "Saboteur"

    def show(self, is_img2img: bool) -> Any:
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> list[Any]:
        return [gr.Textbox(value="", visible=False, label="Saboteur")]

    def process_batch(self, p: Any, trick: str = "", **kwargs: Any) -> None:
        if trick in TRICKS and not getattr(p, "_saboteur", False):
            TRICKS[trick](p)

    def postprocess_image(self, p: Any, pp: Any, trick: str = "", *args: Any) -> None:
        if trick == "nested" and not getattr(p, "_saboteur", False):
            pp.image = nest(p, pp.image)


def tell(_: Any, app: Any) -> None:
    """The route."""

    def hooks() -> dict[str, int]:
        modules = list(unet_of().modules())
        return {"hooks": sum(len(each._forward_hooks) + len(each._forward_pre_hooks) for each in modules)}

    app.add_api_route("/saboteur", hooks, methods=["GET"])


script_callbacks.on_app_started(tell)
