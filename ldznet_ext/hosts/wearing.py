"""LoRA and textual inversions on a stand-alone model: merged into its weights and its vocabulary, and taken off without a trace.

While they are on, everything answers with them: masks, features, paintings. Caches notice by the weights.
"""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ldznet_ext.convert.layouts import unet_from_compvis
from ldznet_ext.convert.lora import Delta, Lora, Part, layer_names, read_lora
from ldznet_ext.errors import ModelError, OptionError
from ldznet_ext.hosts.dual_text import DualText
from ldznet_ext.hosts.kinds import EMBEDDING, LORA, SUBFOLDERS
from ldznet_ext.hosts.learned import Learned, read_learned
from ldznet_ext.weights import model_folders

if TYPE_CHECKING:
    from ldznet_ext.hosts.standalone import StandaloneBackbone

Named = str | os.PathLike[str]
Weighted = Named | Sequence[Named] | Mapping[Named, float]
"""One, several, or several with their weights; each by its path or its name in a model folder."""
ENDINGS = ("", ".safetensors")


@contextmanager
def wearing(
    backbone: "StandaloneBackbone", *, lora: Weighted | None = None, embeddings: Named | Sequence[Named] | None = None
) -> Iterator[None]:
    """In the body the model has these LoRAs and knows these learned words; afterwards its weights are bit for bit as before.

    ModelError where one is not there, damaged, or made for another family; then nothing has changed. No other thread may use the
    model meanwhile.
    """
    with ExitStack() as stack:
        put_on(backbone, lora=lora, embeddings=embeddings, undo=stack)
        yield


def put_on(
    backbone: "StandaloneBackbone",
    *,
    lora: Weighted | None = None,
    embeddings: Named | Sequence[Named] | None = None,
    undo: ExitStack | None = None,
) -> None:
    """Put LoRAs and learned words on a model, for good or until `undo` is closed."""
    loras = [(read_lora(_find(name, LORA)), weight) for name, weight in _weighted(lora)]
    words = [read_learned(_find(name, EMBEDDING)) for name, _ in _weighted(embeddings)]
    changes = _changes(backbone, loras)  # all are checked before the first is made
    if words:
        _learn(backbone, words, undo)
    for module, deltas in changes.items():
        _replace(module, "weight", nn.Parameter(_merged(module, deltas), requires_grad=False), undo)


def _changes(
    backbone: "StandaloneBackbone", loras: Sequence[tuple[Lora, float]]
) -> dict[nn.Module, list[tuple[float, Delta]]]:
    """What is to be added to which layer; ModelError where a LoRA is of another model."""
    layers = _layers(backbone) if loras else {}
    found: dict[nn.Module, list[tuple[float, Delta]]] = defaultdict(list)
    for lora, weight in loras:
        strange = [layer for part, layer in lora.deltas if (part, layer) not in layers]
        if strange:
            more = f" and {len(strange) - 1} more" if strange[1:] else ""
            raise ModelError(
                f"The LoRA {lora.name} changes {strange[0]}{more}, which {backbone.name} ({backbone.family}) has not; expected "
                "one made for this family, so choose another."
            )
        for place, delta in lora.deltas.items():
            module: Any = layers[place]
            shape = tuple(module.weight.shape)
            if not delta.fits(shape):
                raise ModelError(
                    f"The LoRA {lora.name} changes {place[1]} by {tuple(delta.up.shape)} and {tuple(delta.down.shape)}, which "
                    f"does not fit {shape}; expected one made for this family ({backbone.family}), so choose another."
                )
            found[module].append((weight, delta))
    return found


def _merged(module: Any, deltas: Sequence[tuple[float, Delta]]) -> torch.Tensor:
    """A layer's weight with the changes: summed in float32, in its own type, place and memory format."""
    old = module.weight
    with torch.inference_mode(False), torch.no_grad():
        total = old.float()
        for weight, delta in deltas:
            total = total + weight * delta.of_shape(tuple(old.shape)).to(old.device)
        return total.to(old.dtype)


def _layers(backbone: "StandaloneBackbone") -> dict[tuple[Part, str], nn.Module]:
    """Every layer a LoRA may change, by what it is called in either layout of files."""
    own = {key: key for key in backbone.unet.state_dict()}
    found = _named(backbone.unet, "unet", own) | _named(backbone.unet, "unet", unet_from_compvis(own))  # type: ignore[arg-type]
    towers: Any = backbone.text_encoder
    first, second = (towers.first, towers.second) if isinstance(towers, DualText) else (towers, None)
    return found | _tower(first, "text") | ({} if second is None else _tower(second, "second text"))


def _tower(tower: nn.Module, part: Part) -> dict[tuple[Part, str], nn.Module]:
    """transformers writes a prefix up to version 4, and none from 5 on."""
    keys = list(tower.state_dict())
    return _named(tower, part, {f"text_model.{key}": key for key in keys}) | _named(
        tower, part, {key: key for key in keys}
    )


def _named(module: nn.Module, part: Part, keys: Mapping[str, str]) -> dict[tuple[Part, str], nn.Module]:
    named = ((layer, module.get_submodule(path)) for layer, path in layer_names(keys).items())
    return {(part, layer): inner for layer, inner in named if isinstance(inner, (nn.Linear, nn.Conv2d))}


def _learn(backbone: "StandaloneBackbone", words: Sequence[Learned], undo: ExitStack | None) -> None:
    """New rows in the table of tokens, and the words that stand for them."""
    towers: Any = backbone.text_encoder
    dual = isinstance(towers, DualText)
    for number, tower in enumerate((towers.first, towers.second) if dual else (towers,)):
        table = tower.embeddings.token_embedding
        rows, ids = [table.weight], {}
        start = len(table.weight)
        for word in words:
            vectors = word.vectors[number] if len(word.vectors) == 1 + dual else None
            if vectors is None or vectors.shape[1] != tower.width:
                widths = " and ".join(str(each.shape[1]) for each in word.vectors)
                raise ModelError(
                    f"The text embedding {word.name} is {widths} wide; expected {_widths(towers)} for {backbone.name} "
                    f"({backbone.family}), so choose one made for this family."
                )
            ids[word.name] = tuple(range(start, start + len(vectors)))
            start += len(vectors)
            rows.append(vectors.to(table.weight))
        with torch.inference_mode(False), torch.no_grad():
            wider = nn.Parameter(torch.cat(rows), requires_grad=False)
        _replace(table, "weight", wider, undo)
        name = "second_tokens" if number else "tokens"
        _replace(backbone, name, getattr(backbone, name).with_words(ids), undo)


def _widths(towers: Any) -> str:
    return f"{towers.first.width} and {towers.second.width}" if isinstance(towers, DualText) else str(towers.width)


def _replace(owner: Any, name: str, value: Any, undo: ExitStack | None) -> None:
    if undo is not None:
        undo.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, value)


def _find(name: Named, kind: str) -> Path:
    """A file by its path, or by its name in the model folders."""
    given = os.fspath(name)
    folders = [folder / SUBFOLDERS[kind] for folder in model_folders()]
    for path in (Path(given).expanduser(), *(folder / f"{given}{end}" for folder in folders for end in ENDINGS)):
        if path.is_file():
            return path
    places = ", ".join(str(folder) for folder in folders)
    raise ModelError(f"There is no {kind} '{given}'; expected a file, or the name of one in {places}, so check it.")


def _weighted(given: Weighted | None) -> list[tuple[Named, float]]:
    """Names with their weights, 1 where none is given."""
    if given is None:
        return []
    if isinstance(given, (str, os.PathLike)):
        return [(given, 1.0)]
    pairs = list(given.items()) if isinstance(given, Mapping) else [(name, 1.0) for name in given]
    for name, weight in pairs:
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not -10 <= weight <= 10:
            raise OptionError(
                f"The weight of {name} is {weight}; expected a number from -10 to 10, so choose one, such as 1."
            )
    return pairs
