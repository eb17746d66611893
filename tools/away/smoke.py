"""A few steps of both tasks with all that happens at their end: what would fail after ten minutes fails within one."""

import os
from dataclasses import replace
from pathlib import Path

from train import settle

from ldznet_ext.train import loop
from ldznet_ext.train.cli import build_task
from ldznet_ext.train.recipe import Recipe, load_recipe

SMALL = {"channels": [64, 128, 192, 192], "text_width": 96, "text_layers": 3, "text_heads": 4}


def few_steps(name: str, **data) -> Recipe:
    """A recipe for six steps of small batches, from nothing."""
    recipe = load_recipe(name)
    phases = tuple(replace(phase, batch=4) for phase in recipe.phases)
    model = {**recipe.model, **SMALL, "vae": "models/sticker-sd/vae", "sticker_sd": "runs/smoke/sticker-sd"}
    model["cache_folder"] = "runs/smoke/latents"
    short = {"minutes": None, "steps": 6, "workers": 2, "start": ""}
    return replace(recipe, **short, phases=phases, model=model, data={**recipe.data, **data})


if __name__ == "__main__":
    settle(os.environ.get("SPEED", "narrow"))
    for recipe in (
        few_steps("diffusion_gpu", cache={"256": 32}),
        few_steps("head_gpu", calibration_scenes=48, calibration_paintings=16),
    ):
        loop.train(build_task(recipe), recipe, Path("runs/smoke"), resume=False)
        print(recipe.kind, "ran to its end", flush=True)
