"""The section "LD-ZNet" of a web UI's settings page, and its values, read so that nothing a host does can surprise.

A host adds the section only where it builds its interface: with `--nowebui` there are none of these options, and after an update
of ours an old `config.json` may hold anything.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECTION = ("ldznet", "LD-ZNet")
PREFIX = "ldznet_"
KEEP, CPU, DROP = "keep on the device", "move to the CPU", "drop"
"""What becomes of a trained head after a mask."""
METHODS = ("auto", "ldznet", "znet", "rgbnet", "concat", "attention", "maskdiffusion", "noise_difference")
FLAG = "ldznet_models_dir"
"""The command line's `--ldznet-models-dir`, as `preload.py` declares it."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One row of the page. `choices` or `low`, `high` and `step` say which values there are; `private`: not by the API."""

    name: str
    default: str | float | bool
    label: str
    info: str = ""
    choices: tuple[str, ...] = ()
    low: float = 0
    high: float = 0
    step: float = 0
    private: bool = False

    @property
    def key(self) -> str:
        """Its name among the host's options."""
        return PREFIX + self.name

    def checked(self, value: Any) -> Any:
        """The value, or the default where it is of another type or out of range."""
        if isinstance(self.default, bool) or isinstance(value, bool):
            return value if isinstance(value, bool) and isinstance(self.default, bool) else self.default
        if isinstance(self.default, str):
            return value if isinstance(value, str) and (not self.choices or value in self.choices) else self.default
        return value if isinstance(value, (int, float)) and self.low <= value <= self.high else self.default


SETTINGS = (
    Setting(
        name="method",
        default="auto",
        label="Method to begin with",
        choices=METHODS,
        info="what the accordion holds after a start; auto takes the best one that fits the loaded checkpoint",
    ),
    Setting(
        name="head_folders",
        default="",
        label="More folders with trained heads",
        info="divided by commas; looked into beside the extension's models and models/ldznet",
        private=True,
    ),
    Setting(
        name="head_after",
        default=KEEP,
        label="A trained head after use",
        choices=(KEEP, CPU, DROP),
        info="the next mask is quickest with the first, the device is emptiest with the last two",
    ),
    Setting(
        name="save_masks",
        default=False,
        label="Save masks beside the pictures",
        info="also where the accordion does not ask for it",
    ),
    Setting(
        name="overlay",
        default=True,
        label="Show masks on the picture in the gallery",
        info="what the accordion holds after a start",
    ),
    Setting(
        name="words",
        default="",
        label="Words to begin with in automatic mode",
        info="what the accordion's word box holds after a start",
    ),
    Setting(
        name="memory_mb",
        default=512,
        label="Memory for the features of generated pictures, in MB",
        low=0,
        high=8192,
        step=64,
        info="for masks of a picture just painted without another pass; 0 keeps none",
    ),
)
SETTING = {setting.name: setting for setting in SETTINGS}


def register() -> None:
    """For `on_ui_settings`: add the section. Called again by "Reload UI", it only renews it."""
    from modules import shared

    for setting in SETTINGS:
        widget, arguments = _widget(setting)
        option = shared.OptionInfo(
            setting.default, setting.label, widget, arguments, section=SECTION, restrict_api=setting.private
        )
        shared.opts.add_option(setting.key, option.info(setting.info) if setting.info else option)


def get(name: str) -> Any:
    """A setting by its name, with or without `ldznet_`; the default where the host has none or holds nonsense."""
    setting = SETTING[name.removeprefix(PREFIX)]
    try:
        return setting.checked(getattr(_shared().opts, setting.key))
    except AttributeError:  # --nowebui, no host at all, or a host that is still starting
        return setting.default


def accordion_values() -> dict[str, Any]:
    """What the accordion's components hold after a start, by name, where the settings have a say in it."""
    return {name: get(name) for name in ("words", "method", "overlay")}


def folders() -> tuple[Path, ...]:
    """The host's own folders for heads: of the command line, of the settings, and `models/ldznet`."""
    given = [getattr(getattr(_shared(), "cmd_opts", None), FLAG, None) or "", *get("head_folders").split(",")]
    paths = getattr(sys.modules.get("modules.paths_internal"), "models_path", None)
    own = [Path(paths) / "ldznet"] if isinstance(paths, (str, os.PathLike)) else []
    named = [Path(text.strip()).expanduser() for text in map(str, given) if text.strip()]
    return tuple(dict.fromkeys([*named, *own]))


def share_folders() -> None:
    """Have heads looked for there from now on."""
    from ldznet_ext.weights import look_also_in

    look_also_in(folders())


def put_heads_away() -> None:
    """What becomes of the trained heads that are loaded, and of SAM, after use; what never was loaded is not imported for it."""
    after = get("head_after")
    if after == KEEP:
        return
    to = "cpu" if after == CPU else None
    if heads := sys.modules.get("ldznet_ext.segmenters.heads"):
        heads.put_away(to)
    if sam := sys.modules.get("ldznet_ext.sam"):
        sam.put_sam_away(to)


def _shared() -> Any:
    """The host's module, if a host is there; it is never imported for the first time here."""
    return sys.modules.get("modules.shared")


def _widget(setting: Setting) -> tuple[Callable[..., Any] | None, dict[str, Any] | None]:
    """The kind of widget and its arguments; None lets the host choose by the default's type."""
    gradio = sys.modules.get("gradio")  # loaded by now in every host that has a settings page
    if gradio is None or not (setting.choices or setting.high):
        return None, None
    if setting.choices:
        kind = gradio.Radio if len(setting.choices) <= 3 else gradio.Dropdown
        return kind, {"choices": list(setting.choices)}
    return gradio.Slider, {"minimum": setting.low, "maximum": setting.high, "step": setting.step}
