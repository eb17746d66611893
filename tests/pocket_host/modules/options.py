"""Settings: a key, a default, a label, a component; kept in config.json."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


class OptionInfo:
    """One setting, with the chained remarks that extensions write."""

    def __init__(
        self,
        default: Any = None,
        label: str = "",
        component: Any = None,
        component_args: Any = None,
        onchange: Callable[[], Any] | None = None,
        section: tuple[str | None, str] | None = None,
        refresh: Callable[[], Any] | None = None,
        comment_before: str = "",
        comment_after: str = "",
        infotext: str | None = None,
        restrict_api: bool = False,
        category_id: str | None = None,
    ) -> None:
        self.default, self.label, self.component, self.component_args = default, label, component, component_args
        self.onchange, self.section, self.refresh = onchange, section or (None, "Other"), refresh
        self.comment_before, self.comment_after = comment_before, comment_after
        self.infotext, self.restrict_api, self.category_id = infotext, restrict_api, category_id

    def info(self, info: str) -> "OptionInfo":
        """A remark after the label."""
        self.comment_after += f"<span class='info'>({info})</span>"
        return self

    def html(self, html: str) -> "OptionInfo":
        """The same as HTML."""
        self.comment_after += html
        return self

    def link(self, label: str, url: str) -> "OptionInfo":
        """A link before the label."""
        self.comment_before += f"[<a href='{url}' target='_blank'>{label}</a>]"
        return self

    def js(self, label: str, function: str) -> "OptionInfo":
        """A link that calls a function of the page."""
        self.comment_before += f"[<a onclick='{function}(); return false'>{label}</a>]"
        return self

    def needs_reload_ui(self) -> "OptionInfo":
        """Say that the page must be made anew."""
        return self.info("requires Reload UI")

    def needs_restart(self) -> "OptionInfo":
        """Say that the program must be started anew."""
        return self.info("requires restart")


class Options:
    """Attribute access to the settings: what is saved, else the default, else AttributeError."""

    def __init__(self, labels: dict[str, OptionInfo]) -> None:
        self.__dict__["data_labels"] = labels
        self.__dict__["data"] = {key: option.default for key, option in labels.items()}

    def __setattr__(self, key: str, value: Any) -> None:
        self.data[key] = value

    def __getattr__(self, key: str) -> Any:
        if key in self.data:
            return self.data[key]
        if key in self.data_labels:
            return self.data_labels[key].default
        raise AttributeError(key)

    def set(self, key: str, value: Any, is_api: bool = False, run_callbacks: bool = True) -> bool:
        """Whether a value was taken; `onchange` is called."""
        if self.data.get(key) == value:
            return False
        self.data[key] = value
        option = self.data_labels.get(key)
        if run_callbacks and option and option.onchange:
            option.onchange()
        return True

    def get_default(self, key: str) -> Any:
        """A setting's default, None where there is no such setting."""
        option = self.data_labels.get(key)
        return None if option is None else option.default

    def add_option(self, key: str, info: OptionInfo) -> None:
        """Declare a setting; one that was saved keeps its value."""
        self.data_labels[key] = info
        if key not in self.data and not info.restrict_api:
            self.data[key] = info.default

    def onchange(self, key: str, function: Callable[[], Any], call: bool = True) -> None:
        """Call a function when a setting changes, and now."""
        self.data_labels[key].onchange = function
        if call:
            function()

    def load(self, filename: str) -> None:
        """Read config.json; afterwards only saved keys are in `data`, as in the hosts."""
        path = Path(filename)
        if path.is_file():
            self.__dict__["data"] = json.loads(path.read_text(encoding="utf-8"))

    def save(self, filename: str) -> None:
        """Write config.json."""
        Path(filename).parent.mkdir(parents=True, exist_ok=True)
        Path(filename).write_text(json.dumps(self.data, indent=4, default=str), encoding="utf-8")


def options_section(section: tuple[Any, ...], options: dict[str, OptionInfo]) -> dict[str, OptionInfo]:
    """The same settings with a section."""
    for option in options.values():
        option.section = section[:2]
    return options
