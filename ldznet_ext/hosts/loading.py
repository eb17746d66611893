"""Stand-alone weights into modules: a diffusers folder, or one CompVis .safetensors file, always from local files.

diffusers and transformers take seconds to import; their file formats are simple, so they are read directly.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from ldznet_ext.convert.folder import read_config, read_weights
from ldznet_ext.convert.layouts import State, unet_to_compvis
from ldznet_ext.convert.single_file import read_single_file, renamed
from ldznet_ext.errors import BAD_SETTINGS, LdznetError, ModelError
from ldznet_ext.geometry import Size
from ldznet_ext.hosts.autoencoder import Autoencoder, AutoencoderConfig, autoencoder_keys
from ldznet_ext.hosts.clip_text import ClipText, TextConfig, clip_keys
from ldznet_ext.hosts.schedule import Schedule, read_schedule
from ldznet_ext.hosts.tokens import Tokens, load_tokens
from ldznet_ext.nets.unet import UNet, UNetConfig
from ldznet_ext.tensors import fill, uninitialised
from ldznet_ext.watch import UNWATCHED, Watch

Module = TypeVar("Module", bound=nn.Module)
Config = TypeVar("Config")

NETWORKS = ("unet", "vae", "text_encoder")
PARTS = (*NETWORKS, "tokenizer")
UNSUPPORTED = {
    "addition_embed_type": (None,),
    "class_embed_type": (None,),
    "transformer_layers_per_block": (None, 1),
    "resnet_time_scale_shift": (None, "default"),
    "dual_cross_attention": (None, False),
    "norm_num_groups": (None, 32),
}
"""Settings of a diffusers UNet whose other values make another network: SDXL, image variations, upscalers."""


@dataclass(kw_only=True)
class Parts:
    """Everything a stand-alone backbone is made of."""

    name: str
    family: str
    native: Size
    unet: UNet
    vae: Autoencoder
    text_encoder: ClipText
    tokens: Tokens
    schedule: Schedule


def read_folder(folder: Path, *, device: torch.device, dtype: torch.dtype, watch: Watch = UNWATCHED) -> Parts:
    """Load a diffusers folder; ModelError says what is missing, misshaped or of another kind. watch: told the bytes read."""
    missing = [part for part in PARTS if not (folder / part).is_dir()]
    if missing:
        raise ModelError(
            f"{folder} has no {', '.join(missing)} folder; expected a Stable Diffusion model in the diffusers layout "
            "(unet, vae, text_encoder, tokenizer, scheduler), so choose another folder."
        )
    configs = _configs(folder)
    return _assemble(
        folder.name,
        configs,
        {part: read_weights(folder / part) for part in NETWORKS},
        load_tokens(folder / "tokenizer", folder / "tokens_seen.json"),
        device=device,
        dtype=dtype,
        watch=watch,
    )


def read_checkpoint(
    path: Path, companion: Path | None, *, device: torch.device, dtype: torch.dtype, watch: Watch = UNWATCHED
) -> Parts:
    """Load one CompVis file. `companion`: Sticker-SD's folder, for CLIP's vocabulary (and the numbers shapes do not tell)."""
    file = read_single_file(path)
    if companion is None:
        raise ModelError(
            f"{path.name} brings no vocabulary; expected Sticker-SD in a model folder to lend CLIP's, so put it there."
        )
    sticker = family_of(unet_config(file.configs["unet"])) == "sticker"
    return _assemble(
        path.stem,
        _configs(companion) if sticker and file.inferred else file.configs,
        {"unet": file.unet, "vae": file.vae, "text_encoder": file.text_encoder},
        load_tokens(companion / "tokenizer", companion / "tokens_seen.json" if sticker else None),
        device=device,
        dtype=dtype,
        watch=watch,
    )


def _configs(folder: Path) -> dict[str, dict[str, Any]]:
    """The settings of a diffusers folder's networks and scheduler; a missing scheduler is SD's own."""
    scheduler = folder / "scheduler"
    has_own = (scheduler / "scheduler_config.json").is_file()
    return {
        **{part: read_config(folder / part) for part in NETWORKS},
        "scheduler": read_config(scheduler, "scheduler_config.json") if has_own else {},
    }


def _assemble(
    name: str,
    configs: Mapping[str, Mapping[str, Any]],
    states: Mapping[str, State],
    tokens: Tokens,
    *,
    device: torch.device,
    dtype: torch.dtype,
    watch: Watch,
) -> Parts:
    """Modules of the shapes that diffusers' settings describe, holding weights of diffusers' names."""
    unet, told = unet_config(configs["unet"]), _Told(name, states.values(), watch)
    make = partial(build, device=device, dtype=dtype, copied=told)
    vae = pick_fields(AutoencoderConfig, configs["vae"], f"{name}/vae")
    text = pick_fields(TextConfig, configs["text_encoder"], f"{name}/text_encoder")
    return Parts(
        name=name,
        family=family_of(unet),
        native=_native(configs["unet"], vae),
        unet=make(lambda: UNet(unet), renamed(unet_to_compvis, states["unet"], f"{name}/unet"), f"{name}/unet"),
        vae=make(lambda: Autoencoder(vae), autoencoder_keys(states["vae"]), f"{name}/vae"),
        text_encoder=make(lambda: ClipText(text), clip_keys(states["text_encoder"]), f"{name}/text_encoder"),
        tokens=tokens,
        schedule=read_schedule(configs["scheduler"]),
    )


def unet_config(settings: Mapping[str, Any]) -> UNetConfig:
    """The shape a diffusers `unet/config.json` describes; ModelError for kinds of UNet we do not have."""
    for name, allowed in UNSUPPORTED.items():
        if settings.get(name) not in allowed:
            raise ModelError(
                f"The UNet has {name} = {settings[name]}; expected a Stable Diffusion 1.x or 2.x UNet, so choose another model."
            )
    try:
        widths = tuple(int(width) for width in settings["block_out_channels"])
        levels = tuple(i for i, kind in enumerate(settings["down_block_types"]) if kind.startswith("CrossAttn"))
        heads = settings.get("attention_head_dim", 8)
        return UNetConfig(
            in_channels=int(settings.get("in_channels", 4)),
            out_channels=int(settings.get("out_channels", 4)),
            model_channels=widths[0],
            channel_mult=_multiples(widths),
            num_res_blocks=int(settings.get("layers_per_block", 2)),
            attention_levels=levels,
            # diffusers' "attention_head_dim" is the number of heads; SD 2.x lists them by level, 64 channels each
            num_heads=heads if isinstance(heads, int) else heads[0],
            head_channels=None if isinstance(heads, int) else widths[0] // heads[0],
            context_dim=int(settings["cross_attention_dim"]),
            linear_projection=bool(settings.get("use_linear_projection", False)),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelError(
            f"The UNet's config.json lacks or garbles {error}; expected diffusers' settings, so fetch it again."
        ) from error


def family_of(config: UNetConfig) -> str:
    """The family a UNet belongs to, by the width of the text states it reads."""
    if config.context_dim < 512:
        return "sticker"
    return {768: "sd1", 1024: "sd2"}.get(config.context_dim, f"context-{config.context_dim}")


class _Told:
    """Tells a watch how much of the weights has been read: bytes as they are in the files."""

    def __init__(self, name: str, states: Iterable[State], watch: Watch) -> None:
        self.name, self.watch, self.done, self.said = name, watch, 0, ""
        self.size = sum(tensor.nbytes for state in states for tensor in state.values())

    def __call__(self, read: int) -> None:
        self.done += read
        said = f"loading {self.name}, {self.done / 1e6:,.0f} of {self.size / 1e6:,.0f} MB"
        self.watch.check()
        if said != self.said or self.done == self.size:  # not for each of some thousand tensors
            self.said = said
            self.watch.tell(self.done / max(self.size, 1), said)


def build(
    make: Callable[[], Module],
    state: State,
    what: str,
    *,
    device: torch.device,
    dtype: torch.dtype,
    copied: Callable[[int], None] | None = None,
) -> Module:
    """A module holding exactly these tensors, in evaluation mode; nothing is initialised in vain."""
    try:
        with uninitialised():
            module = make()
    except LdznetError:
        raise
    except BAD_SETTINGS as error:
        raise ModelError(
            f"The settings of {what} make no network ({str(error).splitlines()[0]}); expected those of a Stable Diffusion "
            "model, so fetch it again."
        ) from error
    fill(module, state, what, device=device, dtype=dtype, copied=copied)
    return module.eval().requires_grad_(False)


def pick_fields(kind: type[Config], settings: Mapping[str, Any], what: str = "the model") -> Config:
    """A configuration from the entries of a JSON object that it has, checked; lists become tuples."""
    chosen = {}
    for item in fields(kind):  # type: ignore[arg-type]
        value = settings.get(item.name)
        if value is not None:
            chosen[item.name] = tuple(value) if isinstance(value, list) else value
            if not _like(chosen[item.name], item.default):
                raise ModelError(
                    f"The setting {item.name} of {what} is {value!r}; expected one such as {item.default}, so restore its "
                    "config.json."
                )
    return kind(**chosen)


def _like(value: object, default: object) -> bool:
    """Whether a setting is of the type of its default; whole numbers are counts, and 0 layers a level are legal."""
    if isinstance(default, tuple):
        return isinstance(value, tuple) and bool(value) and all(_like(item, default[0]) for item in value)
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, int):
        return isinstance(value, int) and value >= 0
    if isinstance(default, float):
        return isinstance(value, (int, float)) and 0 < value < float("inf")
    return isinstance(value, type(default))


def _multiples(widths: tuple[int, ...]) -> tuple[int, ...]:
    if any(width % widths[0] for width in widths):
        raise ModelError(f"The UNet's widths are {widths}; expected multiples of the first, so choose another model.")
    return tuple(width // widths[0] for width in widths)


def _native(settings: Mapping[str, Any], vae: AutoencoderConfig) -> Size:
    """The picture size a model was trained at; diffusers gives it in latent cells, as one side or as height and width."""
    given = settings.get("sample_size") or 64
    sides = (given, given) if isinstance(given, int) else tuple(given) if isinstance(given, (list, tuple)) else ()
    if len(sides) != 2 or not all(side and _like(side, 64) for side in sides):
        raise ModelError(
            f"The UNet's sample_size is {given!r}; expected one whole number or two, such as 64, so restore its config.json."
        )
    return Size(sides[0] * vae.factor, sides[1] * vae.factor)
