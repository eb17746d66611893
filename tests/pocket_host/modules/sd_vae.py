"""The checkpoint's own auto-encoder is the one that is used."""

loaded_vae_file: str | None = None
base_vae = None


def get_loaded_vae_name() -> str | None:
    """Of another one, had it been chosen."""
    return None
