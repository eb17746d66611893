"""A web UI's page and callbacks, tied to the parts of this package; `scripts/ldznet_masks.py` hands them on.

One entry a load of the scripts: "Reload UI" makes a new one. Nothing heavy is imported until the page is made, no network before
the first mask; and nothing of it may keep a host from starting.
"""

import functools
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ldznet_ext.errors import LdznetError, ModelError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ldznet_ext.hosts.memory import Memory
    from ldznet_ext.hosts.webui.desk import WebuiDesk
    from ldznet_ext.hosts.webui.host import Host
    from ldznet_ext.hosts.webui.script import Generation
    from ldznet_ext.ui.bind import Binder
    from ldznet_ext.ui.tab import Tab

logger = logging.getLogger("ldznet")


def harmless(function: Callable[..., Any]) -> Callable[..., Any]:
    """A callback whose failure is a line in the log, and None."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception:
            logger.exception("LD-ZNet masks: %s failed; the web UI goes on without it", function.__name__)
            return None

    return guarded


class Entry:
    """Everything one load of the scripts shares: host, memory of pictures, desk, and the page's captured components."""

    _page_fails = False

    @functools.cached_property
    def host(self) -> "Host":
        """The web UI around us."""
        from ldznet_ext.hosts.webui.host import find_host

        host = find_host()
        if host is None:
            raise ModelError("There is no web UI around LD-ZNet masks; expected one, so start it from there.")
        return host

    @functools.cached_property
    def memory(self) -> "Memory":
        """What generations leave of their pictures."""
        from ldznet_ext.hosts.memory import Memory

        return Memory()

    @functools.cached_property
    def desk(self) -> "WebuiDesk":
        """Who answers the page and the API."""
        from ldznet_ext.hosts.webui.desk import WebuiDesk

        return WebuiDesk(self.host, self.memory)

    @functools.cached_property
    def binder(self) -> "Binder":
        """The host's components as they are made."""
        from modules import ui_components

        from ldznet_ext.ui.bind import Binder

        return Binder(self.desk, open_picture, self.methods(), getattr(ui_components, "ToolButton", None))

    def generation(self) -> "Generation":
        """One tab's part in a generation."""
        from ldznet_ext.hosts.webui.script import Generation

        return Generation(self.host, self.memory)

    def methods(self) -> "list[tuple[str, str]]":
        """Labels and names of those that fit what is loaded; all while nobody knows, or where none would."""
        from ldznet_ext.hosts.about import LABELS
        from ldznet_ext.ui.desk import about_of, methods_of

        fit = methods_of(about_of(self.desk))
        return fit if len(fit) > 1 else [(label, name) for name, label in LABELS.items()]

    def accordion(self, is_img2img: bool) -> list[Any]:
        """The components of one tab's script."""
        from modules import ui_components

        from ldznet_ext.hosts.webui.settings import accordion_values
        from ldznet_ext.ui.panel import accordion

        opener = getattr(ui_components, "InputAccordion", None)
        return accordion(is_img2img, self.methods(), opener, accordion_values())

    def paste_fields(self, components: Sequence[Any]) -> list[Any]:
        """The script's `infotext_fields`."""
        from ldznet_ext.ui.infotext import paste_fields

        return paste_fields(components)

    @harmless
    def after_component(self, component: Any, **kwargs: Any) -> None:
        """on_after_component: called for each of some thousand components, so what cannot be made is said once."""
        if self._page_fails:
            return
        self._page_fails = True
        self.binder.after_component(component, **kwargs)
        self._page_fails = False

    def tabs(self) -> list[tuple[Any, str, str]]:
        """on_ui_tabs: nothing where the tab cannot be made, for half a tab would cost the page."""
        try:
            from ldznet_ext.ui.desk import about_of
            from ldznet_ext.ui.tab import tab

            return [(tab(about_of(self.desk), self._connect), "LD-ZNet", "ldznet")]
        except Exception:
            logger.exception("LD-ZNet masks: its tab could not be made; the web UI goes on without it")
            return []

    def _connect(self, made: "Tab") -> None:
        from ldznet_ext.hosts.webui.saving import save_cut_out
        from ldznet_ext.ui.wiring import connect_tab

        connect_tab(self.desk, made, save_cut_out)
        self.binder.connect(made)

    @harmless
    def settings(self) -> None:
        """on_ui_settings."""
        from ldznet_ext.hosts.webui import settings as webui_settings

        webui_settings.register()

    @harmless
    def app_started(self, demo: Any, app: "FastAPI") -> None:
        """on_app_started: with and without a page."""
        from ldznet_ext.hosts.webui import api as webui_api

        webui_api.mount(app, lambda: self.desk)

    @harmless
    def unloaded(self) -> None:
        """on_script_unloaded: everything attached comes off."""
        self.generation().unloaded()


def open_picture(value: Any) -> Any:
    """A gallery's value as a picture, by the host's own function, which knows what it may open; None where there is none."""
    from modules import infotext_utils

    try:
        return infotext_utils.image_from_url_text(value)
    except LdznetError:
        raise
    except Exception as error:
        logger.warning("LD-ZNet masks: the gallery's picture could not be opened: %s", error)
        return None
