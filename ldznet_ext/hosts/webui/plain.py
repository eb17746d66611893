"""A web UI's loaded model as its checkpoint is, for a pass of our own: what a generation left on it is put aside, and back after.

ControlNet calls a UNet of its own making; token merging and HyperTile merge and tile the cells that are read, tiling wraps the
picture's edges round; the text encoder's notes would end in the parameters of whatever picture is painted next.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

HYPERTILE = "__webui_hypertile_params"


@contextmanager
def plain_model(model: Any) -> Iterator[None]:
    """Nothing but the checkpoint in the body; everything is restored, also after an exception."""
    with ExitStack() as stack:
        for put_aside in (_patches, _notes, _merging, _tiling, _hypertile, own_forward):
            stack.enter_context(put_aside(model))
        yield


@contextmanager
def on_device(model: Any) -> Iterator[None]:
    """A1111: a checkpoint that the person has put into main memory is fetched for the pass, and put back.

    Under --medvram nothing stays on the accelerator afterwards, as after a generation of the host. Forge and reForge do all this
    themselves.
    """
    if not hasattr(model, "parameters") or hasattr(model, "forge_objects"):
        yield
        return
    from modules import devices, lowvram, sd_models

    weight, small = next(model.parameters(), None), lowvram.is_enabled(model)
    away = weight is not None and not small and weight.device.type != devices.device.type
    if away:
        sd_models.send_model_to_device(model)
    try:
        yield
    finally:
        if away:
            sd_models.send_model_to_cpu(model)
        if small:
            lowvram.send_everything_to_cpu()


@contextmanager
def settings(**values: Any) -> Iterator[None]:
    """Settings of the host that hold these values in the body; its file of settings is not written."""
    from modules import shared

    data, nothing = shared.opts.data, object()
    before = {name: data.get(name, nothing) for name in values}
    data.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is nothing:
                data.pop(name, None)
            else:
                data[name] = value


@contextmanager
def own_forward(model: Any) -> Iterator[None]:
    """A1111's UNet in the body as its class has it: ControlNet replaces its `forward`, with hints of the picture it paints."""
    unet = getattr(getattr(model, "model", None), "diffusion_model", None)
    replaced = vars(unet).pop("forward", None) if unet is not None else None
    try:
        yield
    finally:
        if replaced is not None:
            unet.forward = replaced  # type: ignore[union-attr]


@contextmanager
def _patches(model: Any) -> Iterator[None]:
    """Forge and reForge: patchers without what the last sampling hung on them, as at the start of each of theirs."""
    objects = getattr(model, "forge_objects", None)
    if objects is None:
        yield
        return
    model.forge_objects = model.forge_objects_after_applying_lora.shallow_copy()
    try:
        yield
    finally:
        model.forge_objects = objects


@contextmanager
def _notes(model: Any) -> Iterator[None]:
    """What the text encoder notes for a picture's parameters, and says beside it."""
    tables = _notebooks()
    before = [dict(table) if isinstance(table, dict) else list(table) for table in tables]
    try:
        yield
    finally:
        for table, kept in zip(tables, before, strict=True):
            table.clear()
            (table.update if isinstance(table, dict) else table.extend)(kept)


def _notebooks() -> list[Any]:
    hijack = getattr(sys.modules.get("modules.sd_hijack"), "model_hijack", None)
    engine = sys.modules.get("backend.text_processing.classic_engine")
    found = [getattr(hijack, name, None) for name in ("extra_generation_params", "comments")]
    found.append(getattr(engine, "last_extra_generation_params", None))
    return [table for table in found if isinstance(table, (dict, list))]


@contextmanager
def _merging(model: Any) -> Iterator[None]:
    """A1111 merges tokens in the model itself; Forge and reForge in a copy of the patcher, which an own pass does not take."""
    from modules import sd_models

    ratio = getattr(model, "applied_token_merged_ratio", 0)
    if not ratio:
        yield
        return
    sd_models.apply_token_merging(model, 0)
    try:
        yield
    finally:
        sd_models.apply_token_merging(model, ratio)


@contextmanager
def _tiling(model: Any) -> Iterator[None]:
    """Circular padding, which stays until the next generation: each convolution has its own."""
    from torch import nn

    wrapped = [
        layer
        for part in _modules(model)
        for layer in part.modules()
        if isinstance(layer, nn.Conv2d) and layer.padding_mode == "circular"
    ]
    for layer in wrapped:
        layer.padding_mode = "zeros"
    try:
        yield
    finally:
        for layer in wrapped:
            layer.padding_mode = "circular"


@contextmanager
def _hypertile(model: Any) -> Iterator[None]:
    found = [getattr(layer, HYPERTILE, None) for part in _modules(model) for layer in part.modules()]
    tiled = [params for params in found if params is not None and params.enabled]
    for params in tiled:
        params.enabled = False
    try:
        yield
    finally:
        for params in tiled:
            params.enabled = True


def _modules(model: Any) -> "list[nn.Module]":
    """Everything of the model that is a network."""
    from torch import nn

    objects = getattr(model, "forge_objects", None)
    if objects is None:
        return [model] if isinstance(model, nn.Module) else []
    return [part for part in (objects.unet.model, objects.vae.first_stage_model) if isinstance(part, nn.Module)]
