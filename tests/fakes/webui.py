"""A web UI's `modules` as far as they are called, in memory: A1111's, and what Forge and reForge add.

Marked as fake and strict: a model that is called without the queue, without autocast or past the memory management fails, as it
would on a user's machine. Facts: the hosts' own code (A1111 1.10.1, Forge and reForge of 2025-26).
"""

import contextlib
import copy
import re
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

EMPHASIS = re.compile(r"\\\(|\\\)|\\\[|\\]|\\\\|\\|\(|\[|:\s*([+-]?[.\d]+)\s*\)|\)|]|[^\\()\[\]:]+|:")
NAMES = [
    *(
        "shared",
        "devices",
        "sd_models",
        "call_queue",
        "prompt_parser",
        "extra_networks",
        "processing",
        "sd_unet",
        "sd_vae",
    ),
    *("lowvram", "sd_hijack", "scripts", "launch_utils", "paths_internal"),
]


@dataclass
class WebUI:
    """The fake host: its modules by name, and what a test may want to know or set."""

    kind: str
    modules: dict[str, ModuleType]
    lock: threading.Lock
    autocast: int = 0
    loras: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    """Name -> what is added to which layer's weight at multiplier 1."""

    @property
    def opts(self) -> Any:
        """Its settings."""
        return self.modules["modules.shared"].opts

    @property
    def data(self) -> Any:
        """What holds the loaded model."""
        return self.modules["modules.sd_models"].model_data

    @property
    def networks(self) -> Any:
        """The module of its LoRA extension."""
        return self.modules["networks"]

    def activate(self, text: str) -> None:
        """What a generation's `<lora:name:1>` leaves behind."""
        extra = self.modules["modules.extra_networks"]
        extra.activate(SimpleNamespace(all_prompts=[text]), extra.parse_prompt(text)[1])

    def check(self) -> None:
        """That whoever calls a model is allowed to: fails as a user's machine would, only at once."""
        assert self.lock.locked(), "a model was called outside the host's queue"
        assert self.autocast, "a model was called outside the host's autocast"
        assert not torch.is_grad_enabled(), "a model was called with gradients"


DEFAULTS = {"CLIP_stop_at_last_layers": 1, "emphasis": "Original", "sd_lora": "None", "sd_hypernetwork": "None"}


class Options:
    """`shared.opts`: saved values first, then defaults."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name in self.data:
            return self.data[name]
        if name in DEFAULTS:
            return DEFAULTS[name]
        raise AttributeError(name)


class State:
    """`shared.state`: which job runs."""

    job = ""


class Conditioned(list):
    """`prompt_parser.SdConditioning`."""

    def __init__(self, prompts: list[str], width: int | None = None, height: int | None = None) -> None:
        super().__init__(prompts)
        self.width, self.height = width, height


class Params:
    """`extra_networks.ExtraNetworkParams`."""

    def __init__(self, items: list[str]) -> None:
        self.items = self.positional = items


def weights_of(text: str) -> list[tuple[str, float]]:
    """Parts of a prompt and their weights, as the hosts parse brackets."""
    parts, opened = [], []
    for found in EMPHASIS.finditer(text):
        piece, weight = found.group(0), found.group(1)
        if piece.startswith("\\"):
            parts.append([piece[1:], 1.0])
        elif piece == "(":
            opened.append(len(parts))
        elif opened and (weight is not None or piece == ")"):
            for part in parts[opened.pop() :]:
                part[1] *= float(weight or 1.1)
        else:
            parts.append([piece, 1.0])
    merged: list[list] = []
    for piece, weight in parts:
        if merged and merged[-1][1] == weight:
            merged[-1][0] += piece
        else:
            merged.append([piece, weight])
    return [(piece, weight) for piece, weight in merged] or [("", 1.0)]


def make_webui(kind: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> WebUI:
    """Put the modules of a kind of host into `sys.modules`, for one test."""
    modules = {f"modules.{name}": ModuleType(f"modules.{name}") for name in NAMES}
    modules["modules"], modules["networks"] = ModuleType("modules"), ModuleType("networks")
    ui = WebUI(kind, modules, threading.Lock())
    _fill_common(ui, folder)
    if kind != "a1111":
        _fill_forges(ui)
    for name in [name for name in sys.modules if name.split(".")[0] in FOREIGN]:
        monkeypatch.delitem(sys.modules, name)
    for name, module in modules.items():
        module.__spec__ = ModuleSpec(name, None)
        monkeypatch.setitem(sys.modules, name, module)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(modules[parent], child, module)
    monkeypatch.setattr(nn.Linear, "forward", _lazily_merged(ui, nn.Linear.forward))
    return ui


FOREIGN = {"modules", "networks", "backend", "modules_forge", "ldm_patched", "hypertile"}


def _fill_common(ui: WebUI, folder: Path) -> None:
    def part(name: str) -> Any:
        return ui.modules[f"modules.{name}"]

    part("shared").opts, part("shared").state, part("shared").loaded_hypernetworks = Options(), State(), []
    part("shared").cmd_opts = SimpleNamespace()
    part("paths_internal").models_path = str(folder)
    part("call_queue").queue_lock = ui.lock
    part("launch_utils").git_tag = lambda: "v0-fake"
    part("prompt_parser").SdConditioning = Conditioned
    part("processing").StableDiffusionProcessingTxt2Img = lambda: SimpleNamespace(all_prompts=None, scripts=None)
    part("sd_unet").current_unet = None
    part("sd_vae").loaded_vae_file = None
    table = SimpleNamespace(word_embeddings={})
    part("sd_hijack").model_hijack = SimpleNamespace(embedding_db=table, extra_generation_params={}, comments=[])
    part("sd_models").model_data = SimpleNamespace(sd_model=None, forge_loading_parameters={"checkpoint_info": "tiny"})
    part("sd_models").apply_token_merging = _merge_tokens
    part("lowvram").is_enabled = lambda model: model.lowvram
    part("lowvram").send_everything_to_cpu = lambda: None
    _fill_devices(ui, part("devices"))
    _fill_networks(ui, part("extra_networks"))


def _fill_devices(ui: WebUI, devices: Any) -> None:
    devices.device = torch.device("cpu")
    devices.dtype_unet = devices.dtype_vae = torch.float32
    devices.without_autocast = contextlib.nullcontext

    @contextlib.contextmanager
    def autocast() -> Iterator[None]:
        ui.autocast += 1
        try:
            yield
        finally:
            ui.autocast -= 1

    devices.autocast = autocast


def _merge_tokens(model: Any, ratio: float) -> None:
    model.applied_token_merged_ratio = ratio


def _fill_networks(ui: WebUI, extra: Any) -> None:
    """`extra_networks`, and the LoRA extension's `networks`: a list, which layers or patchers follow later."""
    networks = ui.networks
    networks.loaded_networks, networks.available_network_aliases = [], {}
    networks.available_networks = ui.loras
    networks.list_available_networks = lambda: None

    def parse_prompt(text: str) -> tuple[str, dict[str, list[Params]]]:
        asked: dict[str, list[Params]] = defaultdict(list)
        for found in re.finditer(r"<(\w+):([^>]+)>", text):
            asked[found[1]].append(Params(found[2].split(":")))
        return re.sub(r"<(\w+):([^>]+)>", "", text), asked

    def activate(p: Any, asked: dict[str, list[Params]]) -> None:
        names = [params.items for params in asked.get("lora", [])]
        if ui.opts.sd_lora != "None":
            p.all_prompts = [f"{prompt}<lora>" for prompt in p.all_prompts]  # as the host: a dummy job has no prompts
            names = [*names, [ui.opts.sd_lora, "1"]]
        networks.loaded_networks.clear()
        for name, *rest in names:
            weight = float(rest[0]) if rest else 1.0
            one = SimpleNamespace(name=name, te_multiplier=weight, unet_multiplier=weight, dyn_dim=None)
            networks.loaded_networks.append(one)
        if ui.kind != "a1111":
            _compile(ui)

    extra.parse_prompt, extra.activate = parse_prompt, activate


def _lazily_merged(ui: WebUI, forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A1111's patched `Linear.forward`: a layer's weights follow the list of networks when it is called next."""

    def merged(layer: Any, x: Tensor) -> Tensor:
        name = getattr(layer, "network_layer_name", None)
        wanted = tuple((net.name, net.unet_multiplier) for net in ui.networks.loaded_networks)
        if ui.kind == "a1111" and name is not None and getattr(layer, "network_current_names", ()) != wanted:
            if not hasattr(layer, "network_weights_backup"):
                layer.network_weights_backup = layer.weight.detach().to("cpu", copy=True)
            layer.weight.copy_(layer.network_weights_backup)
            for net, multiplier in wanted:
                if name in ui.loras[net]:
                    layer.weight.copy_(layer.weight + multiplier * ui.loras[net][name])
            layer.network_current_names = wanted
        return forward(layer, x)

    return merged


# Forge and reForge


class Patcher:
    """A module with what networks add to it, clones of which share the module; the memory management merges what it loads."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.model_options = model, {"transformer_options": {}}
        self.lora_patches: dict[str, Any] = {}
        self.merged: list[Any] = getattr(model, "_merged", [])

    def clone(self) -> "Patcher":
        """Another patcher over the same module."""
        twin = copy.copy(self)
        twin.lora_patches, twin.model_options = dict(self.lora_patches), copy.deepcopy(self.model_options)
        return twin


class Objects:
    """`forge_objects`."""

    def __init__(self, unet: Any, clip: Any, vae: Any) -> None:
        self.unet, self.clip, self.vae = unet, clip, vae

    def shallow_copy(self) -> "Objects":
        """The same parts."""
        return Objects(self.unet, self.clip, self.vae)


def _fill_forges(ui: WebUI) -> None:
    names = {
        "forge": ("backend", "backend.memory_management", "backend.sampling", "backend.sampling.sampling_function"),
        "reforge": (
            "ldm_patched",
            "ldm_patched.modules",
            "ldm_patched.modules.model_management",
            "modules_forge.forge_sampler",
        ),
    }[ui.kind]
    for name in ("modules_forge", "modules_forge.main_thread", *names):
        ui.modules[name] = ModuleType(name)
        ui.modules[name].__path__ = []  # type: ignore[attr-defined]
    memory, sampling = (ui.modules[names[index]] for index in ((1, 3) if ui.kind == "forge" else (2, 3)))
    memory.get_torch_device = lambda: torch.device("cpu")  # type: ignore[attr-defined]
    memory.load_models_gpu = lambda models, **more: [_load(ui, each) for each in models]  # type: ignore[attr-defined]
    sampling.sampling_prepare = lambda unet, x: _load(ui, unet)  # type: ignore[attr-defined]
    sampling.sampling_cleanup = lambda unet: None  # type: ignore[attr-defined]
    _fill_main_thread(ui.modules["modules_forge.main_thread"])
    if ui.kind == "forge":
        ui.modules["modules.sd_models"].forge_model_reload = lambda: (ui.data.sd_model, False)  # type: ignore[attr-defined]


def _load(ui: WebUI, patcher: Patcher) -> None:
    """Merge what the patcher says into its module, and out what another one said."""
    layers: dict[str, Any] = dict(patcher.model.named_modules())
    state: dict[str, Any] = vars(patcher.model).setdefault("merged_state", {})
    for name, weight in state.pop("backup", {}).items():
        layers[name].weight.data.copy_(weight)
    state["resident"], state["backup"] = patcher, {}
    for (_, multiplier), patches in patcher.lora_patches.items():
        for name, delta in patches.items():
            state["backup"].setdefault(name, layers[name].weight.detach().clone())
            layers[name].weight.data.add_(multiplier * delta)


def _compile(ui: WebUI) -> None:
    """What the forges' `load_networks` does: nothing where the list is the same as before."""
    model = ui.data.sd_model
    wanted = [(net.name, net.unet_multiplier) for net in ui.networks.loaded_networks]
    if model.current_lora_hash == str(wanted):
        return
    model.current_lora_hash = str(wanted)
    model.forge_objects.unet = model.forge_objects_original.unet
    for name, multiplier in wanted:
        model.forge_objects.unet = model.forge_objects.unet.clone()
        patches = {f"diffusion_model.{layer}": delta for layer, delta in ui.loras[name].items()}
        model.forge_objects.unet.lora_patches[name, multiplier] = patches
    model.forge_objects_after_applying_lora = model.forge_objects.shallow_copy()


def _fill_main_thread(module: Any) -> None:
    """Calls wait until the main thread takes them (`work_once`); an exception is printed and lost, as in reForge."""
    waiting: list[tuple[Callable[[], Any], threading.Event, list[Any]]] = []
    arrived = threading.Event()

    def run_and_wait_result(call: Callable[[], Any]) -> Any:
        done, box = threading.Event(), []
        waiting.append((call, done, box))
        arrived.set()
        assert done.wait(20), "the main thread never came"
        return box[0] if box else None

    def work_once() -> None:
        assert arrived.wait(20), "nothing was handed to the main thread"
        call, done, box = waiting.pop()
        with contextlib.suppress(Exception):
            box.append(call())
        done.set()

    module.run_and_wait_result, module.work_once = run_and_wait_result, work_once
