"""What hosts work out at their start."""

from collections.abc import Iterator

from modules import shared


def get_gradio_auth_creds() -> Iterator[tuple[str, str]]:
    """Nobody logs in to the page here."""
    yield from ()


__all__ = ["get_gradio_auth_creds", "shared"]
