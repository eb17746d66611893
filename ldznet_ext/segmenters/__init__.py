"""Ways from a diffusion model and words to maps: one file a method, one registry."""
