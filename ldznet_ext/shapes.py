"""Axis annotations for tensors: `Float[Tensor, "b c h w"]`.

With jaxtyping installed (a development dependency) the axes can be checked at run time; without it the annotation is
the plain tensor type. Axes come from one glossary: b c h w, tokens, heads, `lh lw` for latent rows and columns.
"""

from typing import Any

try:
    from jaxtyping import Bool, Float, Int
except ImportError:  # inert in a host: nothing to install there

    class _Axes:
        """Stands in for a jaxtyping dtype: `Float[Tensor, "h w"]` is `Tensor`."""

        def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
            return item[0]

    Bool = Float = Int = _Axes

__all__ = ["Bool", "Float", "Int"]
