"""The checkpoint: found, loaded at its first use, kept."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modules import devices, errors, paths_internal, script_callbacks, shared

model_path = str(Path(paths_internal.models_path, "Stable-diffusion"))


@dataclass
class CheckpointInfo:
    """What is known of a checkpoint without loading it."""

    filename: str
    name: str
    shorthash: str = "5712ce5d00"
    sha256: str = "5712ce5d00" * 6 + "5712"
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def name_for_extra(self) -> str:
        """In the infotext."""
        return Path(self.name).stem

    @property
    def title(self) -> str:
        """In the list."""
        return f"{self.name} [{self.shorthash}]"

    @property
    def short_title(self) -> str:
        """In short."""
        return f"{self.name_for_extra} [{self.shorthash}]"

    @property
    def hash(self) -> str:
        """The old kind."""
        return self.shorthash[:8]


checkpoints_list: dict[str, CheckpointInfo] = {}
checkpoint_aliases: dict[str, CheckpointInfo] = {}


def list_models() -> None:
    """Sticker-SD of the checkout is the one there is; --no-checkpoint hides it."""
    checkpoints_list.clear()
    checkpoint_aliases.clear()
    folder = Path(paths_internal.extension_path, "models", "sticker-sd")
    if shared.cmd_opts.no_checkpoint or not (folder / "unet").is_dir():
        return
    info = CheckpointInfo(filename=str(folder), name="sticker-sd")
    checkpoints_list[info.title] = info
    checkpoint_aliases.update(dict.fromkeys((info.title, info.name, info.shorthash, info.name_for_extra), info))


def select_checkpoint() -> CheckpointInfo:
    """The chosen one, or the first."""
    if not checkpoints_list:
        list_models()
    if not checkpoints_list:
        raise FileNotFoundError("No checkpoint was found.")
    return checkpoint_aliases.get(shared.opts.sd_model_checkpoint or "") or next(iter(checkpoints_list.values()))


def get_closet_checkpoint_match(name: str) -> CheckpointInfo | None:
    """By any of its names."""
    return checkpoint_aliases.get(name)


def checkpoint_tiles(use_short: bool = False) -> list[str]:
    """Titles."""
    return [info.short_title if use_short else info.title for info in checkpoints_list.values()]


class SdModelData:
    """The loaded model; one load that failed is not tried again until somebody asks to."""

    def __init__(self) -> None:
        self.sd_model: Any = None
        self.loaded_sd_models: list[Any] = []
        self.was_loaded_at_least_once = False
        self.lock = threading.RLock()

    def get_sd_model(self) -> Any:
        """Load at the first time; None where that fails."""
        if self.was_loaded_at_least_once:
            return self.sd_model
        with self.lock:
            if self.sd_model is None and not self.was_loaded_at_least_once:
                try:
                    load_model()
                except Exception as error:
                    errors.display(error, "loading stable diffusion model")
                    self.sd_model = None
                self.was_loaded_at_least_once = True
        return self.sd_model

    def set_sd_model(self, model: Any, already_loaded: bool = False) -> None:
        """Take another."""
        self.sd_model = model
        if model is not None and model not in self.loaded_sd_models:
            self.loaded_sd_models.insert(0, model)


model_data = SdModelData()


def load_model(checkpoint_info: CheckpointInfo | None = None) -> Any:
    """Read the files, tell the extensions."""
    import torch

    from modules import sticker

    info = checkpoint_info or select_checkpoint()
    parts = sticker.checkout().read_folder(Path(info.filename), device=devices.device, dtype=torch.float32)
    model = sticker.LatentDiffusion(parts, info).to(devices.device).eval().requires_grad_(False)
    model_data.set_sd_model(model)
    model_data.was_loaded_at_least_once = True
    shared.opts.data["sd_model_checkpoint"] = info.title
    script_callbacks.model_loaded_callback(model)
    return model


def reload_model_weights(sd_model: Any = None, info: CheckpointInfo | None = None, forced_reload: bool = False) -> Any:
    """Load what the settings name, unless it is loaded."""
    wanted = info or select_checkpoint()
    model = sd_model or model_data.sd_model
    if model is not None and model.sd_checkpoint_info.filename == wanted.filename and not forced_reload:
        return model
    return load_model(wanted)


def unload_model_weights(sd_model: Any = None, info: Any = None) -> Any:
    """Let go of it."""
    model_data.sd_model = None
    model_data.loaded_sd_models.clear()
    model_data.was_loaded_at_least_once = False
    devices.torch_gc()
    return sd_model


def apply_token_merging(sd_model: Any, token_merging_ratio: float) -> None:
    """There is none."""
