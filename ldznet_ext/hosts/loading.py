"""Stand-alone weights into modules: a diffusers folder, or one file in CompVis' layout, always from local files.

diffusers and transformers take seconds to import; their file formats are simple, so they are read directly.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from ldznet_ext.convert.folder import read_config, read_weights
from ldznet_ext.convert.layouts import State, unet_to_compvis
from ldznet_ext.convert.openclip import PROJECTION
from ldznet_ext.convert.single_file import read_single_file, renamed
from ldznet_ext.errors import ModelError
from ldznet_ext.geometry import Size
from ldznet_ext.hosts.autoencoder import Autoencoder, AutoencoderConfig, autoencoder_keys
from ldznet_ext.hosts.building import Module, Told, build, like, pick_fields
from ldznet_ext.hosts.clip_text import ClipText, TextConfig, clip_keys
from ldznet_ext.hosts.dual_text import DualText
from ldznet_ext.hosts.prediction import VELOCITY, ZERO_SNR, measure_prediction, told_prediction
from ldznet_ext.hosts.schedule import Schedule, read_schedule
from ldznet_ext.hosts.tokens import END, SECOND_PAD, Tokens, load_tokens
from ldznet_ext.hosts.unet_settings import LATENT, family_of, unet_config
from ldznet_ext.nets.unet import UNet
from ldznet_ext.watch import UNWATCHED, Watch

NETWORKS = ("unet", "vae", "text_encoder")
PARTS = (*NETWORKS, "tokenizer")
SECOND = ("text_encoder_2", "tokenizer_2")
"""What SDXL has beside them."""
VELOCITY_CELLS = 96
"""Latent cells on a side of the pictures that SD 2.x saw while it learned to predict velocities."""


@dataclass(kw_only=True)
class Parts:
    """Everything a stand-alone backbone is made of. second_tokens: for SDXL's second text tower."""

    name: str
    family: str
    native: Size
    unet: UNet
    vae: Autoencoder
    text_encoder: ClipText | DualText
    tokens: Tokens
    schedule: Schedule
    second_tokens: Tokens | None = None


@dataclass(frozen=True, kw_only=True)
class _Stored:
    """A model as it lies in its files: settings and weights of each network in diffusers' names, and its vocabularies."""

    name: str
    configs: Mapping[str, Mapping[str, Any]]
    states: Mapping[str, State]
    tokens: Tokens
    second_tokens: Tokens | None = None
    device: torch.device
    dtype: torch.dtype
    told: Callable[[int], None] = field(repr=False)

    def make(self, part: str, make: Callable[[], Module], state: State, dtype: torch.dtype | None = None) -> Module:
        """One network, filled."""
        what, kind = f"{self.name}/{part}", dtype or self.dtype
        return build(make, state, what, device=self.device, dtype=kind, copied=self.told)


def read_folder(
    folder: Path,
    *,
    device: torch.device,
    dtype: torch.dtype,
    watch: Watch = UNWATCHED,
    prediction: str | None = None,
) -> Parts:
    """Load a diffusers folder; ModelError says what is missing, misshaped or of another kind.

    watch: told the bytes read. prediction: what the UNet predicts, where its scheduler's settings are not to be believed.
    """
    missing = [part for part in PARTS if not (folder / part).is_dir()]
    if missing:
        raise ModelError(
            f"{folder} has no {', '.join(missing)} folder; expected a Stable Diffusion model in the diffusers layout "
            "(unet, vae, text_encoder, tokenizer, scheduler), so choose another folder."
        )
    has_second = (folder / SECOND[0]).is_dir()
    networks = (*NETWORKS, SECOND[0]) if has_second else NETWORKS
    configs, states = _configs(folder, networks), {part: read_weights(folder / part) for part in networks}
    if prediction:
        configs["scheduler"] = {**configs["scheduler"], "prediction_type": prediction}
    return _assemble(
        _Stored(
            name=folder.name,
            configs=configs,
            states=states,
            tokens=load_tokens(folder / "tokenizer", folder / "tokens_seen.json"),
            second_tokens=_second_tokens(folder) if has_second else None,
            device=device,
            dtype=dtype,
            told=Told(folder.name, states.values(), watch),
        )
    )


def read_checkpoint(
    path: Path,
    companion: Path | None,
    *,
    device: torch.device,
    dtype: torch.dtype,
    watch: Watch = UNWATCHED,
    prediction: str | None = None,
) -> Parts:
    """Load one CompVis file. `companion`: Sticker-SD's folder, for CLIP's vocabulary (and the numbers shapes do not tell).

    prediction: what the UNet predicts; where neither it nor the file says so, and its family leaves it open, it is measured.
    """
    file = read_single_file(path)
    if companion is None:
        raise ModelError(
            f"{path.name} brings no vocabulary; expected Sticker-SD in a model folder to lend CLIP's, so put it there."
        )
    shape, configs = unet_config(file.configs["unet"]), file.configs
    family = family_of(shape)
    sticker = family == "sticker"
    said = prediction or told_prediction(path, file.metadata, file.markers)
    if file.inferred:
        lent = _configs(companion, NETWORKS) if sticker else configs
        configs = lent if unet_config(lent["unet"]) == shape else configs
        configs["scheduler"] = {**configs["scheduler"], **_said_of_noise(said, file.markers)}
    elif prediction:
        configs["scheduler"]["prediction_type"] = prediction
    parts = _assemble(
        _Stored(
            name=path.stem,
            configs=configs,
            states=file.states,
            tokens=load_tokens(
                companion / "tokenizer",
                companion / "tokens_seen.json" if sticker else None,
                pad=SECOND_PAD if family == "sd2" else END,
            ),
            second_tokens=load_tokens(companion / "tokenizer", pad=SECOND_PAD) if SECOND[0] in file.states else None,
            device=device,
            dtype=dtype,
            told=Told(path.stem, file.states.values(), watch),
        )
    )
    return _settled(parts, said) if file.inferred and family == "sd2" else parts


def _said_of_noise(prediction: str | None, markers: frozenset[str]) -> dict[str, Any]:
    """What a file says of its schedule, as diffusers' settings."""
    return {
        **({"prediction_type": prediction} if prediction else {}),
        **({"rescale_betas_zero_snr": True} if prediction == VELOCITY and ZERO_SNR in markers else {}),
    }


def _settled(parts: Parts, said: str | None) -> Parts:
    """SD 2.x of a file that says little: what its UNet predicts is measured, and decides the size it paints at.

    Inpainting models of this family were all made from the one that predicts noise.
    """
    if said is None and parts.unet.config.in_channels == LATENT:
        device = next(parts.unet.parameters()).device
        with torch.inference_mode():
            nothing = parts.text_encoder(torch.tensor([parts.tokens.encode("")], device=device))
        said = measure_prediction(parts.unet, nothing)
    if said != VELOCITY:
        return parts
    side = VELOCITY_CELLS * parts.vae.config.factor
    return replace(parts, schedule=replace(parts.schedule, prediction=VELOCITY), native=Size(side, side))


def _configs(folder: Path, networks: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The settings of a diffusers folder's networks and scheduler; a missing scheduler is SD's own."""
    scheduler = folder / "scheduler"
    has_own = (scheduler / "scheduler_config.json").is_file()
    return {
        **{part: read_config(folder / part) for part in networks},
        "scheduler": read_config(scheduler, "scheduler_config.json") if has_own else {},
    }


def _second_tokens(folder: Path) -> Tokens:
    """The vocabulary of SDXL's second tower, in a folder of its own where it differs in the padding alone."""
    own = folder / SECOND[1]
    return load_tokens(own) if own.is_dir() else load_tokens(folder / "tokenizer", pad=SECOND_PAD)


def _assemble(stored: _Stored) -> Parts:
    """Modules of the shapes that diffusers' settings describe, holding weights of diffusers' names."""
    name, configs, states = stored.name, stored.configs, stored.states
    unet = unet_config(configs["unet"])
    family = family_of(unet)
    vae = pick_fields(AutoencoderConfig, configs["vae"], f"{name}/vae")
    # SDXL's auto-encoder overflows in half precision, unless it is the one that was mended
    fragile = family == "sdxl" and stored.dtype == torch.float16 and configs["vae"].get("force_upcast", True)
    return Parts(
        name=name,
        family=family,
        native=native_size(configs["unet"], vae.factor),
        unet=stored.make("unet", lambda: UNet(unet), renamed(unet_to_compvis, states["unet"], f"{name}/unet")),
        vae=stored.make(
            "vae", lambda: Autoencoder(vae), autoencoder_keys(states["vae"]), torch.float32 if fragile else None
        ),
        text_encoder=_text_encoder(stored, dual=bool(unet.vector_dim)),
        tokens=stored.tokens,
        second_tokens=stored.second_tokens,
        schedule=read_schedule(configs["scheduler"]),
    )


def _text_encoder(stored: _Stored, *, dual: bool) -> ClipText | DualText:
    """The text tower, or SDXL's two; ModelError where the second one is missing or one too many."""
    part, second = NETWORKS[2], SECOND[0]
    if dual != (second in stored.states):
        got, expected = (
            ("no", "SDXL's two text towers") if dual else ("a", "one text tower, for its UNet is not SDXL's")
        )
        raise ModelError(f"{stored.name} has {got} {second}; expected {expected}, so fetch the whole model again.")
    text = pick_fields(TextConfig, stored.configs[part], f"{stored.name}/{part}")
    state = clip_keys(stored.states[part])
    if not dual:
        return stored.make(part, lambda: ClipText(text), state)
    more = pick_fields(TextConfig, stored.configs[second], f"{stored.name}/{second}")
    projection = f"{PROJECTION}.weight"
    width = stored.states[second].get(projection)
    if width is None:
        raise ModelError(
            f"{stored.name}/{second} lacks {projection}; expected SDXL's second text tower, so fetch it again."
        )
    both = {f"first.{key}": tensor for key, tensor in state.items()}
    both |= {f"second.{key}": tensor for key, tensor in clip_keys(stored.states[second]).items()}
    return stored.make(f"{part} and {second}", lambda: DualText(text, more, len(width)), {**both, projection: width})


def native_size(settings: Mapping[str, Any], factor: int) -> Size:
    """The picture size a model was trained at; diffusers gives it in latent cells, as one side or as height and width."""
    given = settings.get("sample_size") or 64
    sides = (given, given) if isinstance(given, int) else tuple(given) if isinstance(given, (list, tuple)) else ()
    if len(sides) != 2 or not all(side and like(side, 64) for side in sides):
        raise ModelError(
            f"The UNet's sample_size is {given!r}; expected one whole number or two, such as 64, so restore its config.json."
        )
    return Size(sides[0] * factor, sides[1] * factor)
