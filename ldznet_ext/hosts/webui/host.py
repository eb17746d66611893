"""The web UI this program runs inside, and how its loaded model is borrowed: the lock, the main thread, the modes it computes in.

`find_host()` is None outside one. Which one it is, is told by what it has, never by a name: forks rename things.
"""

import functools
import importlib.util
import sys
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from ldznet_ext.errors import ModelError
from ldznet_ext.hosts.webui.networks import Networks, active, only
from ldznet_ext.hosts.webui.plain import on_device, plain_model
from ldznet_ext.hosts.webui.settings import share_folders

if TYPE_CHECKING:
    from ldznet_ext.hosts.webui.backbone import BorrowedBackbone

Kind = Literal["a1111", "forge", "reforge"]
NAMES: dict[Kind, str] = {"a1111": "A1111", "forge": "Forge", "reforge": "reForge"}
Result = TypeVar("Result")


def find_host() -> "Host | None":
    """The host around us; None where there is none, as in the command line."""
    if not {"modules.shared", "modules.scripts"} & set(sys.modules):
        return None
    share_folders()
    return _host(_kind())


@functools.lru_cache(maxsize=3)
def _host(kind: Kind) -> "Host":
    return Host(kind)


def _kind() -> Kind:
    """Forge reloads its model by a function of its own; reForge has Forge's modules without it."""
    from modules import sd_models

    if hasattr(sd_models, "forge_model_reload"):
        return "forge"
    return "reforge" if importlib.util.find_spec("modules_forge") is not None else "a1111"


class Host:
    """One web UI."""

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind
        self._borrowed: BorrowedBackbone | None = None
        self._inside = threading.local()

    @functools.cached_property
    def name(self) -> str:
        """What people call it, with its version: "A1111 v1.10.1"."""
        from modules import shared

        said = getattr(shared, "host_name", "")
        said = said or getattr(sys.modules.get("modules.ui"), "LABEL", "")  # the pocket host says what it is
        return said or f"{NAMES[self.kind]} {_version()}".strip()

    def loaded(self) -> Any:
        """The model object that is loaded now, or None; nothing is loaded for it."""
        from modules import sd_models

        model = sd_models.model_data.sd_model
        return None if type(model).__name__ == "FakeInitialModel" else model

    def active(self) -> Hashable:
        """A key of the networks (LoRA) that are active in the loaded model now; empty where none is."""
        return active(self.loaded())

    def backbone(self) -> "BorrowedBackbone":
        """The loaded checkpoint, looked up anew, loaded by the host where it has not done so yet; one object while it stays.

        ModelError in a sentence where nothing is loaded, or what is cannot be read: DiT models, UNets that run elsewhere.
        """
        return self.borrow(self._load())

    def borrow(self, model: Any) -> "BorrowedBackbone":
        """A model object of the host as a backbone; the last one is kept."""
        from ldznet_ext.hosts.webui.facts import checkpoint_name, refuse_diverted

        if model is None:
            raise ModelError(
                f"{self.name} has no checkpoint loaded; expected one, so choose a checkpoint and try again."
            )
        refuse_diverted(checkpoint_name(model))
        kept = self._borrowed
        if kept is None or not kept.is_of(model):
            kept = self._borrowed = _backbone_class(self.kind)(model)
        return kept

    def _load(self) -> Any:
        """The host's model, which it may have put off loading until now; never in the middle of a generation."""
        from modules import sd_models, shared

        if self.kind != "forge" or self._within:
            return self.loaded() or (None if self._within else shared.sd_model)
        try:
            if not sd_models.model_data.forge_loading_parameters:  # no interface has chosen yet: --nowebui
                from modules_forge import main_entry

                main_entry.refresh_model_loading_parameters()
            return sd_models.forge_model_reload()[0]
        except (ValueError, KeyError, TypeError) as error:  # it has no checkpoint, or none was chosen yet
            raise ModelError(
                f"{self.name} could not load a checkpoint ({error}); expected one, so choose a checkpoint and try again."
            ) from error

    @property
    def _within(self) -> bool:
        """Whether this thread is in a hook of the host's generation (`inside`)."""
        return getattr(self._inside, "depth", 0) > 0

    @contextmanager
    def job(self, title: str = "ldznet", networks: Networks | None = None) -> Iterator[None]:
        """A pass of our own between generations: the host's queue, then all that `inside` does.

        Never from a hook of a generation, which holds the queue already.
        """
        with self._queue(title):
            model = self._load()
            with self._at_hand(model, networks):
                yield

    @contextmanager
    def inside(self, networks: Networks | None = None) -> Iterator[None]:
        """A pass of our own from within a hook of a generation: the modes the host computes in, only the networks asked for.

        Everything is as before afterwards, also after an exception.
        """
        self._inside.depth = getattr(self._inside, "depth", 0) + 1
        try:
            with self._at_hand(self.loaded(), networks):
                yield
        finally:
            self._inside.depth -= 1

    def run(self, work: Callable[..., Result], *args: Any, networks: Networks | None = None, **kwargs: Any) -> Result:
        """Call `work` as a job, for handlers of the panel and of routes; its exception is raised here.

        Forge and reForge move models faster in their main thread, and expect it of whoever uses them.
        """
        return self.turn(self._work, work, args, kwargs, networks)

    def turn(self, work: Callable[..., Result], *args: Any) -> Result:
        """Call `work` in the host's turn, in the thread that owns the models; it takes one at hand itself, by `inside`."""
        with self._queue("ldznet"):
            return self._in_main_thread(work, *args)

    def _work(
        self, work: Callable[..., Result], args: tuple[Any, ...], kwargs: dict[str, Any], networks: Networks | None
    ) -> Result:
        with self._at_hand(self._load(), networks):
            return work(*args, **kwargs)

    def _in_main_thread(self, call: Callable[..., Result], *args: Any) -> Result:
        """On Forge and reForge in the thread that owns the models; its answer is brought back by us: theirs loses exceptions."""
        if self.kind == "a1111" or threading.current_thread() is threading.main_thread():
            return call(*args)
        from modules_forge import main_thread

        box: list[Any] = []

        def carry() -> None:
            try:
                box.extend((True, call(*args)))
            except BaseException as error:  # an interrupt too: the loop of the host must go on
                box.extend((False, error))

        main_thread.run_and_wait_result(carry)
        if not box[0]:
            raise box[1]
        return box[1]

    @contextmanager
    def _queue(self, title: str) -> Iterator[None]:
        """The host's turn: it paints nothing meanwhile, and says what it does.

        Not by its own `state.begin`, which empties the device's cache each time: a mask is to take less than that.
        """
        from modules import call_queue, shared

        assert not self._within, "this thread holds the queue already: Host.inside"
        with call_queue.queue_lock:
            before, shared.state.job = shared.state.job, title
            try:
                yield
            finally:
                shared.state.job = before

    @contextmanager
    def _at_hand(self, model: Any, networks: Networks | None) -> Iterator[None]:
        """The model as its checkpoint is, in the modes the host computes in."""
        import torch
        from modules import devices

        with ExitStack() as stack:
            stack.enter_context(_memory_in_words(self.name))
            stack.enter_context(torch.no_grad() if self.kind == "a1111" else torch.inference_mode())
            stack.enter_context(devices.autocast())
            if model is not None:
                stack.enter_context(on_device(model))
                stack.enter_context(only(networks or Networks(), model))
                stack.enter_context(plain_model(model))
            yield


@contextmanager
def _memory_in_words(host: str) -> Iterator[None]:
    """A device that is full is the person's business, in a sentence; the host frees what it can."""
    try:
        yield
    except RuntimeError as error:
        if "out of memory" not in str(error).lower():
            raise
        raise ModelError(
            f"The device's memory is full ({str(error).splitlines()[0]:.120}); expected room for one pass, so close other "
            f"programs, or start {host} so that it takes less, for example with --medvram."
        ) from error


def _backbone_class(kind: Kind) -> "type[BorrowedBackbone]":
    if kind == "a1111":
        from ldznet_ext.hosts.compvis import CompVisBackbone

        return CompVisBackbone
    from ldznet_ext.hosts.forge import ForgeBackbone

    return ForgeBackbone


def _version() -> str:
    """The host's version as it writes it into pictures; empty where it has none."""
    try:
        from modules import launch_utils

        said = str(launch_utils.git_tag())
    except Exception:  # no git, no tag, no such function: each in its own way
        return ""
    return "" if said == "<none>" else said
