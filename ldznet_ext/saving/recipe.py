"""A recipe: everything that repeats a mask, as it travels in a picture's metadata or in a file of its own."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ldznet_ext import __version__
from ldznet_ext.errors import LdznetError, RecipeError
from ldznet_ext.geometry import Size
from ldznet_ext.request import MaskSettings

if TYPE_CHECKING:
    import numpy as np

    from ldznet_ext.backbone import Backbone
    from ldznet_ext.masks.edits import Edits
    from ldznet_ext.result import Segmentation

FORMAT = "ldznet-recipe-1"
KEY = "ldznet"
"""The name a recipe stands under in a PNG's text and in the JSON of other formats."""
LONGEST = 64 << 20
"""Bytes of a file that is read as text: no recipe comes near."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that repeats a mask.

    words: expressions of the mask language, each with its own answer. settings: how; their `words` are those where there is one
    expression. edits: what a person did by hand, None where nothing. model, weights, head, head_weights, place: what computed
    it, by name and by `marks`. picture: the file's name, without its folder. pixels, size: which it was. painted: the mask was
    read while the picture was painted, which the finished picture repeats nearly, not exactly. Empty marks were not known.
    """

    words: tuple[str, ...]
    settings: MaskSettings = field(default_factory=MaskSettings)
    edits: "Edits | None" = None
    model: str = ""
    weights: str = ""
    head: str = ""
    head_weights: str = ""
    place: str = ""
    picture: str = ""
    pixels: str = ""
    size: Size | None = None
    painted: bool = False
    version: str = __version__

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", tuple(self.words))
        object.__setattr__(self, "edits", self.edits or None)
        alone = self.words[0] if len(self.words) == 1 else ""
        object.__setattr__(self, "settings", replace(self.settings, words=alone))

    def to_mapping(self) -> dict[str, Any]:
        """The recipe as JSON takes it; what is not known or the default is left out."""
        settings = {name: value for name, value in self.settings.to_mapping().items() if name != "words"}
        model = {"name": self.model, "weights": self.weights, "head": self.head, "head_weights": self.head_weights}
        picture = {"name": self.picture, "pixels": self.pixels, "size": list(self.size) if self.size else None}
        rest = {
            "settings": settings,
            "edits": self.edits.to_mapping() if self.edits else None,
            "model": _known({**model, "place": self.place}),
            "picture": _known(picture),
            "painted": self.painted,
        }
        return {"format": FORMAT, "version": self.version, "words": list(self.words), **_known(rest)}

    @classmethod
    def from_mapping(cls, mapping: Any, what: str = "The recipe") -> "Recipe":
        """The other way round; RecipeError where it is no recipe, OptionError for a setting that there is not."""
        if not isinstance(mapping, Mapping) or mapping.get("format") != FORMAT:
            raise RecipeError(
                f"{what} is no recipe of a mask; expected one that was saved with a mask, so choose that."
            )
        try:
            return cls(
                words=_texts(mapping["words"]),
                settings=MaskSettings.from_mapping(mapping.get("settings", {})),
                edits=_edits(mapping.get("edits")),
                painted=mapping.get("painted", False) is True,
                version=str(mapping.get("version", "")),
                **_model(mapping.get("model", {})),
                **_picture(mapping.get("picture", {})),
            )
        except LdznetError:
            raise
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise _damaged(what, error) from None

    def to_text(self) -> str:
        """The recipe as one line of JSON, in plain ASCII, so that nothing on the way can hurt it."""
        return json.dumps(self.to_mapping(), separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str, what: str = "The recipe") -> "Recipe":
        """A recipe out of JSON: its own, or that of a format that carries it (COCO's `info`)."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _damaged(what, error) from None
        carried = value.get("info", {}) if isinstance(value, Mapping) and "format" not in value else {}
        return cls.from_mapping(carried.get(KEY, value) if isinstance(carried, Mapping) else value, what)


def recipe_of(
    picture: "np.ndarray",
    result: "Segmentation",
    settings: MaskSettings,
    *,
    name: str | os.PathLike[str] = "",
    edits: "Edits | None" = None,
    backbone: "Backbone | None" = None,
    weights: str | None = None,
) -> Recipe:
    """The recipe of a result's mask. name: the picture's file. weights: their mark where it is known already, for many
    pictures; else the backbone's is made, or left out where there is none."""
    from ldznet_ext.saving.marks import head_mark, pixels_mark, place_mark, weights_mark

    head = str(result.provenance.get("head") or "")
    if weights is None:
        weights = weights_mark(backbone) if backbone is not None else ""
    return Recipe(
        words=tuple(answer.text for answer in result.phrases),
        settings=replace(settings, method=result.method),  # what "auto" took: another day it may take another
        edits=edits,
        model=result.model,
        weights=weights,
        head=head,
        head_weights=head_mark(head, backbone),
        place=place_mark(backbone) if backbone is not None else "",
        picture=Path(name).name,
        pixels=pixels_mark(picture),
        size=Size(*picture.shape[:2]),
        painted="generation_unet_calls" in result.provenance
        or result.provenance.get("features") == "of the generation",
    )


def read(path: str | os.PathLike[str]) -> Recipe:
    """The recipe in a PNG that was saved here or in a JSON file (also COCO's); RecipeError says what is wrong with it."""
    from ldznet_ext.saving.png import SIGNATURE, text_of

    what = f"The file {Path(path).name!r}"
    content = _content(Path(path), what)
    if not content.startswith(SIGNATURE):
        return Recipe.from_text(_decoded(content, what), what)
    text = text_of(content, KEY)
    if text is None:
        raise RecipeError(
            f"{what} is a PNG without a recipe in it; expected one saved by this program, and not saved again by another since, "
            "so choose that."
        )
    return Recipe.from_text(text, what)


def _known(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if value}


def _model(mapping: Mapping[str, Any]) -> dict[str, str]:
    names = {"model": "name", "weights": "weights", "head": "head", "head_weights": "head_weights", "place": "place"}
    return {name: str(mapping.get(key, "")) for name, key in names.items()}


def _picture(mapping: Mapping[str, Any]) -> dict[str, Any]:
    size = mapping.get("size")
    return {
        "picture": Path(str(mapping.get("name", ""))).name,  # a name, never a place to read from
        "pixels": str(mapping.get("pixels", "")),
        "size": Size(*(int(side) for side in size)) if size else None,
    }


def _edits(mapping: Any) -> "Edits | None":
    if not mapping:
        return None
    from ldznet_ext.masks.edits import Edits

    return Edits.from_mapping(mapping)


def _texts(words: Any) -> tuple[str, ...]:
    listed: Sequence[Any] = [words] if isinstance(words, str) else list(words)
    if not listed or not all(isinstance(text, str) for text in listed):
        raise ValueError("its words are no texts")
    return tuple(listed)


def _content(path: Path, what: str) -> bytes:
    try:
        if path.stat().st_size > LONGEST and path.suffix.lower() != ".png":
            raise RecipeError(f"{what} has over {LONGEST >> 20} MB; expected a recipe, so choose another file.")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, RecipeError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise RecipeError(
            f"{what} cannot be read ({reason}); expected a PNG or JSON file with a recipe, so check its path."
        ) from None


def _decoded(content: bytes, what: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _damaged(what, error) from None


def _damaged(what: str, error: BaseException) -> RecipeError:
    said = " ".join(str(error).split())[:80].rstrip(".") or type(error).__name__
    return RecipeError(
        f"{what} holds no recipe that can be read ({said}); expected a PNG or JSON file saved with a mask, so choose another."
    )
