"""Hatch's hook: a wheel brings what ships in models/, and only that, so that `pip install .` gives a program that works.

An editable install reads the checkout's own folder, and so does a web UI.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SUMS = "models/SHA256SUMS"


class WheelModels(BuildHookInterface):
    """Puts models/ beside the code: the files that SHA256SUMS lists, not the checkpoints a user may have dropped there."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before a wheel is built; `version` is "editable" for one that only points here."""
        if version != "standard":
            return
        for line in Path(self.root, SUMS).read_text(encoding="utf-8").splitlines():
            name = line.split(maxsplit=1)[1].removeprefix("./")
            build_data["force_include"][f"models/{name}"] = f"ldznet_ext/models/{name}"
