"""Loaded checkpoints as A1111, Forge and reForge hold them, over the tiny model of the tests: real modules, faked objects."""

import copy
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from ldznet_ext.hosts.standalone import StandaloneBackbone
from ldznet_ext.nets.unet import UNet, UNetConfig
from tests.fakes.webui import Objects, Patcher, WebUI, weights_of
from tests.tiny import UNET, randomise

VECTOR = 2816
"""Width of what SDXL adds to its time embedding."""


class HostUNet(UNet):
    """Our UNet with the hosts' arguments; `y` is added to the time embedding where there is one."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__(config)
        self.label = nn.Linear(VECTOR, 4 * config.model_channels) if config.context_dim == 2048 else None

    def forward(self, x: Tensor, timesteps: Tensor, context: Tensor, y: Tensor | None = None, **options: Any) -> Tensor:  # type: ignore[override]
        emb = self.embed(timesteps)
        if self.label is not None:
            assert y is not None and y.shape == (len(x), VECTOR), "SDXL wants its vector"
            emb = emb + self.label(y)
        return self.out(self.hidden(x, emb, context))


def host_unet(backbone: StandaloneBackbone) -> HostUNet:
    """The tiny model's UNet, weights and all."""
    unet = HostUNet(UNET)
    unet.load_state_dict(backbone.unet.state_dict())
    return named(unet)


def other_unet(**changes: Any) -> HostUNet:
    """One of another shape: `in_channels=9`, `context_dim=2048`."""
    settings = {name: getattr(UNET, name) for name in UNET.__dataclass_fields__}
    return named(randomise(HostUNet(UNetConfig(**{**settings, **changes})), 3))  # type: ignore[arg-type]


def named(unet: HostUNet) -> HostUNet:
    """In evaluation mode, each layer knowing its name, as the LoRA extension tells them."""
    for name, module in unet.named_modules():
        if isinstance(module, nn.Linear):
            module.network_layer_name = name  # type: ignore[assignment]
    return unet.eval().requires_grad_(False)  # type: ignore[return-value]


class Posterior:
    """A VAE's distribution; drawing from it is what must not happen."""

    def __init__(self, mean: Tensor) -> None:
        self.mean = mean

    def sample(self) -> Tensor:
        """A draw: another one each time."""
        return self.mean + torch.randn_like(self.mean)

    def mode(self) -> Tensor:
        """The mean."""
        return self.mean


class FakeClip:
    """A wrapped text encoder: chunks of 77, weights by brackets, CLIP skip as set, text embeddings by name."""

    def __init__(self, ui: WebUI, backbone: StandaloneBackbone, embeddings: Any) -> None:
        self.ui, self.tokens = ui, backbone.tokens
        self.encoder: Any = backbone.text_encoder
        self.embeddings = self.hijack = embeddings
        self.clip_skip = 1

    def tokenize_line(self, line: str) -> tuple[list[Any], int]:
        """Chunks and the number of tokens."""
        parsed = [(line, 1.0)] if self.ui.opts.emphasis == "None" else weights_of(line)
        pairs = [(token, weight) for text, weight in parsed for token in self._ids(text)]
        chunks = []
        for start in range(0, max(1, len(pairs)), 75):
            part = pairs[start : start + 75]
            rest = 75 - len(part)
            ids = [self.tokens._start, *(token for token, _ in part), *[self.tokens._end] * (rest + 1)]
            chunks.append(SimpleNamespace(tokens=ids, multipliers=[1.0, *(w for _, w in part), *[1.0] * (rest + 1)]))
        return chunks, len(pairs)

    def _ids(self, text: str) -> list[int]:
        """A text embedding takes as many places as it has vectors."""
        found: list[int] = []
        for word in text.split():
            vectors = self.embeddings.word_embeddings.get(word)
            found += [0] * vectors if vectors else self.tokens.ids(word)
        return found

    def encode(self, text: str, skip: int) -> Tensor:
        """States of the layer that the CLIP skip names, weighted."""
        chunk = self.tokenize_line(text)[0][0]
        x = self.encoder.embeddings(torch.tensor([chunk.tokens]))
        layers = self.encoder.encoder.layers
        for layer in list(layers)[: len(layers) - skip + 1]:
            x = layer(x)
        return self.encoder.final_layer_norm(x) * torch.tensor(chunk.multipliers)[None, :, None]


class _Base:
    """What the model objects of all hosts have."""

    is_sdxl = lowvram = False
    parameterization = "eps"
    context_dim: int

    def __init__(self, ui: WebUI, backbone: StandaloneBackbone, unet: nn.Module, name: str) -> None:
        self.ui, self.alone = ui, backbone
        self.sd_checkpoint_info = SimpleNamespace(name_for_extra=name, filename=f"/nowhere/{name}.safetensors")
        self.vae = backbone.vae
        self.prompts: list[tuple[str, int]] = []

    def _states(self, clip: FakeClip, prompts: list[str], skip: int) -> Any:
        self.ui.check()
        self.prompts += [(prompt, skip) for prompt in prompts]
        states = torch.cat([clip.encode(prompt, skip) for prompt in prompts]).repeat(1, 1, self.context_dim // 32)
        if self.context_dim != 2048:
            return states
        size = torch.tensor([[float(prompts.width or 0), float(prompts.height or 0)]])  # type: ignore[attr-defined]
        return {"crossattn": states, "vector": torch.cat([size / 1000, torch.zeros(len(prompts), VECTOR - 2)], dim=1)}


class LatentDiffusion(nn.Module, _Base):
    """A1111's: VP, `apply_model` with index timesteps and a dict, medvram's hook on the wrapper."""

    def __init__(self, ui: WebUI, backbone: StandaloneBackbone, unet: HostUNet, name: str = "tiny") -> None:
        nn.Module.__init__(self)
        _Base.__init__(self, ui, backbone, unet, name)
        self.model = Wrapper(unet)
        self.context_dim = unet.config.context_dim
        self.scale_factor = backbone.vae.config.scaling_factor
        self.alphas_cumprod = torch.tensor(backbone.schedule.alpha_bar, dtype=torch.float32)
        clip = FakeClip(ui, backbone, ui.modules["modules.sd_hijack"].model_hijack)
        clip.embeddings = ui.modules["modules.sd_hijack"].model_hijack.embedding_db
        self.cond_stage_model: Any = SimpleNamespace(embedders=[object(), clip]) if self.context_dim == 2048 else clip
        self.clip = clip
        self.first_stage_model = backbone.vae

    def get_learned_conditioning(self, prompts: list[str]) -> Any:
        """As the user's CLIP skip says."""
        return self._states(self.clip, prompts, self.ui.opts.CLIP_stop_at_last_layers)

    def encode_first_stage(self, x: Tensor) -> Posterior:
        """What the latent is drawn from."""
        self.ui.check()
        return Posterior(self.alone.vae.encode(x) / self.scale_factor)

    def decode_first_stage(self, z: Tensor) -> Tensor:
        """Pixels."""
        return self.alone.vae.decode(z)

    def apply_model(self, x: Tensor, t: Tensor, cond: dict[str, Any]) -> Tensor:
        """The one way to the UNet."""
        self.ui.check()
        assert t.dtype == torch.int64 and len(t) == len(x)
        return self.model(x, t, **cond)


class Wrapper(nn.Module):
    """DiffusionWrapper: `model.model`."""

    def __init__(self, unet: HostUNet) -> None:
        super().__init__()
        self.diffusion_model = unet

    def forward(
        self, x: Tensor, t: Tensor, c_concat: Any, c_crossattn: Any = None, crossattn: Any = None, vector: Any = None
    ) -> Tensor:
        if self.diffusion_model.config.in_channels == 9:
            x = torch.cat([x, *c_concat], dim=1)
        context = crossattn if c_crossattn is None else torch.cat(c_crossattn, dim=1)
        return self.diffusion_model(x, t, context=context, y=vector)


def use_medvram(model: LatentDiffusion, ui: WebUI) -> None:
    """The UNet works only after the hook of --medvram on the wrapper has fetched it, as on a GPU."""
    model.lowvram, fetched = True, []

    def away() -> None:
        fetched.clear()

    def needs(module: nn.Module, args: Any) -> None:
        assert fetched, "the UNet is on the CPU: expected all tensors to be on the same device"

    model.model.register_forward_pre_hook(lambda module, args: fetched.append(1))
    model.model.diffusion_model.register_forward_pre_hook(needs)
    ui.modules["modules.lowvram"].send_everything_to_cpu = away  # type: ignore[attr-defined]
    model.fetched = fetched  # type: ignore[assignment]


class ForgeModel(_Base):
    """Forge's engine and reForge's object: VE, patchers, the memory management."""

    def __init__(self, ui: WebUI, backbone: StandaloneBackbone, unet: HostUNet, name: str = "tiny") -> None:
        super().__init__(ui, backbone, unet, name)
        self.context_dim = unet.config.context_dim
        embeddings = SimpleNamespace(word_embeddings={})
        self.clip = FakeClip(ui, backbone, embeddings)
        if ui.kind == "forge":
            self.text_processing_engine = self.clip
        else:
            self.clip.hijack = SimpleNamespace(embedding_db=embeddings)
            del self.clip.embeddings
            self.clip.embeddings = embeddings
            self.cond_stage_model = self.clip
        objects = Objects(
            Patcher(KModel(ui, backbone, unet)),
            None,
            ForgeVae(backbone) if ui.kind == "forge" else ReforgeVae(backbone),
        )
        self.forge_objects, self.forge_objects_original = objects, objects.shallow_copy()
        self.forge_objects_after_applying_lora = objects.shallow_copy()
        self.current_lora_hash = "[]"
        if ui.kind == "forge":
            self.set_clip_skip = lambda layers: setattr(self.clip, "clip_skip", layers)

    def get_learned_conditioning(self, prompts: list[str]) -> Any:
        """Forge: what its engine was told last; reForge: the setting."""
        skip = self.clip.clip_skip if self.ui.kind == "forge" else self.ui.opts.CLIP_stop_at_last_layers
        return self._states(self.clip, prompts, skip)

    def encode_first_stage(self, x: Tensor) -> Tensor:
        """A scaled latent: a draw, but for a regulation."""
        self.ui.check()
        return self.forge_objects.vae.encode(x).to(x)

    def decode_first_stage(self, x: Tensor) -> Tensor:
        """Pixels."""
        return self.alone.vae.decode(x)


class ForgeVae:
    """Forge's autoencoder: clones of its patcher take a rule for the distribution, and it draws without one."""

    def __init__(self, backbone: StandaloneBackbone) -> None:
        self.first_stage_model = backbone.vae
        self._ruled(lambda posterior: posterior.sample())

    def _ruled(self, rule: Any) -> None:
        self.rule = rule
        self.patcher = SimpleNamespace(set_model_vae_regulation=self._ruled)

    def clone(self) -> "ForgeVae":
        """Another patcher over the same module."""
        twin = copy.copy(self)
        twin._ruled(self.rule)
        return twin

    def encode(self, x: Tensor) -> Tensor:
        """By the rule."""
        return self.rule(Posterior(self.first_stage_model.encode(x)))


class ReforgeVae:
    """reForge's: a switch in the module, and clones that lack what encoding needs."""

    def __init__(self, backbone: StandaloneBackbone) -> None:
        self.first_stage_model = SimpleNamespace(regularization=SimpleNamespace(sample=True), vae=backbone.vae)

    def encode(self, x: Tensor) -> Tensor:
        """A draw, or the mean where the switch is off."""
        posterior = Posterior(self.first_stage_model.vae.encode(x))
        return posterior.sample() if self.first_stage_model.regularization.sample else posterior.mode()


class KModel(nn.Module):
    """`forge_objects.unet.model`: VE in, clean latent out, only what the memory management has loaded."""

    def __init__(self, ui: WebUI, backbone: StandaloneBackbone, unet: HostUNet) -> None:
        super().__init__()
        self.ui, self.diffusion_model = ui, unet
        alpha = torch.tensor(backbone.schedule.alpha_bar, dtype=torch.float64)
        self.sigmas = ((1 - alpha) / alpha).sqrt().float()
        if ui.kind == "forge":
            self.predictor, self.computation_dtype = self._schedule(), torch.float32
        else:
            self.model_sampling, self.manual_cast_dtype = self._schedule(), None
            self.get_dtype = lambda: torch.float32
        self.merged_state: dict[str, Any] = {}

    def _schedule(self) -> Any:
        return SimpleNamespace(sigma=lambda t: self.sigmas[t.long()], prediction_type="epsilon")

    def apply_model(
        self,
        x: Tensor,
        t: Tensor,
        c_concat: Any = None,
        c_crossattn: Any = None,
        transformer_options: Any = None,
        y: Any = None,
    ) -> Tensor:
        """The one way to the UNet."""
        self.ui.check()
        assert torch.is_inference_mode_enabled(), "Forge samples in inference mode"
        model = self.ui.data.sd_model
        assert self.merged_state.get("resident") is model.forge_objects.unet, "the memory management has not loaded it"
        sigma = t.view(-1, 1, 1, 1)
        scaled = x / (sigma**2 + 1) ** 0.5
        timestep = (self.sigmas[None].log() - t[:, None].log()).abs().argmin(dim=1).float()
        inputs = scaled if c_concat is None else torch.cat([scaled, c_concat], dim=1)
        noise = self.diffusion_model(
            inputs, timestep, context=c_crossattn, y=y, transformer_options=transformer_options
        )
        return x - noise * sigma


def load(ui: WebUI, backbone: StandaloneBackbone, unet: HostUNet | None = None, name: str = "tiny") -> Any:
    """Have the fake host load the tiny model, or another UNet with its encoders."""
    unet = host_unet(backbone) if unet is None else unet
    model = (LatentDiffusion if ui.kind == "a1111" else ForgeModel)(ui, backbone, unet, name)
    ui.data.sd_model = ui.modules["modules.shared"].sd_model = model  # type: ignore[attr-defined]
    return model


def unet_of(model: Any) -> HostUNet:
    """The UNet module of a loaded model."""
    return (
        model.forge_objects.unet.model.diffusion_model
        if hasattr(model, "forge_objects")
        else model.model.diffusion_model
    )


@contextmanager
def as_host(ui: WebUI) -> Any:
    """A generation of the host's own: its queue, autocast and mode."""
    grading = torch.no_grad() if ui.kind == "a1111" else torch.inference_mode()
    with ui.lock, ui.modules["modules.devices"].autocast(), grading:
        yield
