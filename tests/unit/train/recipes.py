"""Recipes small enough for tests."""

from ldznet_ext.train.recipe import parse_recipe


def few_texts(all_texts, count=12):
    """The same texts of a few scenes only."""
    return lambda recipe: all_texts(recipe, count)


def diffusion_recipe(vae_folder, cache, **changes):
    """Two steps of four latents of 8x8."""
    settings = {
        "kind": "diffusion",
        "steps": 2,
        "warmup": 0,
        "checkpoint_minutes": 0.0,
        "sample_minutes": 999.0,
        "phases": [{"share": 1.0, "size": 64, "batch": 4, "rate": 1e-3}],
        "model": {
            "vae": str(vae_folder),
            "channels": [32, 32, 64, 64],
            "text_width": 32,
            "text_layers": 1,
            "text_heads": 4,
            "cache_folder": str(cache / "latents"),
        },
        "data": {"concepts": "known", "cache": {"64": 6}},
        "loss": {"empty_captions": 0.5, "snr_cap": 5.0},
    }
    return parse_recipe({**settings, **changes})
