"""A1111's hub of patches: here there are none."""

from types import SimpleNamespace
from typing import Any


class StableDiffusionModelHijack:
    """What is asked of it by name."""

    def __init__(self) -> None:
        self.embedding_db = SimpleNamespace(word_embeddings={}, skipped_embeddings={})
        self.comments: list[str] = []
        self.extra_generation_params: dict[str, Any] = {}
        self.optimization_method = None

    def apply_circular(self, enable: bool) -> None:
        """No tiling."""

    def clear_comments(self) -> None:
        """Nothing to say."""
        self.comments.clear()


model_hijack = StableDiffusionModelHijack()
