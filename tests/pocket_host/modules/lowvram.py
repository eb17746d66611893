"""There is enough memory."""

from typing import Any


def is_enabled(sd_model: Any) -> bool:
    """Whether parts of the model are moved in and out."""
    return bool(getattr(sd_model, "lowvram", False))


def send_everything_to_cpu() -> None:
    """Nothing to send."""
