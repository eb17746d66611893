"""Extra networks of a web UI (LoRA, hypernetworks) for one pass of our own: exactly those the words name, and then as before.

The last generation's stay active in every host until the next one, so a pass that does not reset them answers for another
model. All names are the hosts' own: `modules.extra_networks`, and the built-in LoRA extension's module `networks`.
"""

import sys
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from ldznet_ext.errors import PhraseError
from ldznet_ext.hosts.webui.plain import settings

ALWAYS = ("sd_lora", "sd_hypernetwork")
"""Settings that add a network to every prompt: no words of ours name it."""
MULTIPLIERS = ("te_multiplier", "unet_multiplier", "dyn_dim")


@dataclass(frozen=True)
class Networks:
    """What `<kind:name:weight>` in the words asks for, as the host parses it: kind -> its parameters."""

    asked: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    as_they_are: bool = False
    """Whether what is active stays so."""

    @property
    def loras(self) -> tuple[str, ...]:
        """Names of the LoRAs that are asked for."""
        return tuple(str(params.positional[0]) for params in self.asked.get("lora", ()) if params.positional)


AS_THEY_ARE = Networks(as_they_are=True)


def split_networks(words: str) -> tuple[str, Networks]:
    """Words without their `<lora:name:1>`, and what those ask for."""
    from modules import extra_networks

    plain, asked = extra_networks.parse_prompt(words)
    return plain.strip(), Networks(dict(asked))


def networks_key(model: Any) -> Hashable:
    """What is active now: LoRAs with their multipliers, and hypernetworks."""
    from modules import shared

    loras = tuple((net.name, *(getattr(net, each, None) for each in MULTIPLIERS)) for net in _loras())
    hypernets = tuple(
        (net.name, getattr(net, "multiplier", 1.0)) for net in getattr(shared, "loaded_hypernetworks", ())
    )
    return loras, hypernets, getattr(model, "current_lora_hash", "")


def active(model: Any) -> Hashable:
    """The key of what is active now; empty where nothing is."""
    return networks_key(model) if _any_active(model) else ()


@contextmanager
def only(networks: Networks, model: Any) -> Iterator[None]:
    """In the body exactly these networks are active in the loaded model; afterwards what was active before.

    PhraseError where a LoRA is named that the host does not have, or could not load.
    """
    if networks.as_they_are or not (networks.asked or _any_active(model)):
        yield
        return
    _check_names(networks)
    with ExitStack() as stack:
        stack.enter_context(_kept(model))
        stack.enter_context(settings(**dict.fromkeys(ALWAYS, "None")))
        _activate(networks)
        yield


def _activate(networks: Networks) -> None:
    from modules import extra_networks, processing

    extra_networks.activate(processing.StableDiffusionProcessingTxt2Img(), networks.asked)
    if len(_loras()) != len(networks.loras):
        raise PhraseError(
            f"The words name the LoRAs {', '.join(networks.loras)}, and the web UI loaded {len(_loras())}; expected all of them, "
            "so look into its log and check the files."
        )


def _check_names(networks: Networks) -> None:
    """Refuse a LoRA that does not exist, before anything is changed: Forge would keep the last one active."""
    module = _module()
    for name in networks.loras:
        if module is None or not _is_there(module, name):
            raise PhraseError(
                f'The words name the LoRA "{name[:60]}", which the web UI does not have; expected one of its own, so check the '
                "name."
            )


def _is_there(module: Any, name: str) -> bool:
    """Whether the host knows a LoRA, once it has looked into its folder again."""

    def listed() -> bool:
        return name in module.available_networks or name in module.available_network_aliases

    if not listed():
        module.list_available_networks()
    return listed()


def _any_active(model: Any) -> bool:
    loras, hypernets, merged = networks_key(model)  # type: ignore[misc]
    return bool(loras or hypernets or merged not in ("", "[]"))


@contextmanager
def _kept(model: Any) -> Iterator[None]:
    """Whatever the body loads, the networks of before are listed again afterwards; the weights follow in the next pass."""
    from modules import shared

    hypernets = getattr(shared, "loaded_hypernetworks", [])
    lists = [loras for loras in (_loras(), hypernets) if isinstance(loras, list)]
    before = [(each, [(net, _settings(net)) for net in each]) for each in lists]
    merged = {name: vars(model)[name] for name in ("current_lora_hash", *_OBJECTS) if name in vars(model)}
    if "forge_objects" in merged:
        model.forge_objects = merged["forge_objects"].shallow_copy()  # the host writes into the object it finds
    try:
        yield
    finally:
        _forget_embeddings(model)
        for each, nets in before:
            each[:] = [_set(net, settings) for net, settings in nets]
        _remember_embeddings(model)
        for name, value in merged.items():
            setattr(model, name, value)


_OBJECTS = ("forge_objects", "forge_objects_after_applying_lora")


def _settings(net: Any) -> dict[str, Any]:
    return {name: getattr(net, name) for name in (*MULTIPLIERS, "multiplier") if hasattr(net, name)}


def _set(net: Any, settings: Mapping[str, Any]) -> Any:
    if "multiplier" in settings and hasattr(net, "set_multiplier"):
        net.set_multiplier(settings["multiplier"])  # a hypernetwork hands it on to its layers
    for name in settings.keys() & set(MULTIPLIERS):
        setattr(net, name, settings[name])
    return net


def _forget_embeddings(model: Any) -> None:
    """Take the text embeddings that the present LoRAs brought out of the host's table, as the host does."""
    for table, name, _ in _embeddings():
        table.register_embedding_by_name(None, model, name)


def _remember_embeddings(model: Any) -> None:
    for table, _, embedding in _embeddings():
        table.register_embedding(embedding, model)


def _embeddings() -> Iterator[tuple[Any, str, Any]]:
    """Table, name and embedding of each that a loaded LoRA brought (A1111 only)."""
    bundled = [item for net in _loras() for item in getattr(net, "bundle_embeddings", {}).items()]
    for name, embedding in bundled:
        if getattr(embedding, "loaded", None):
            from modules import sd_hijack

            yield sd_hijack.model_hijack.embedding_db, name, embedding


def _module() -> Any:
    """The module `networks` of the host's LoRA extension; None where that is switched off."""
    found = sys.modules.get("networks")
    return found if hasattr(found, "loaded_networks") else None


def _loras() -> list[Any]:
    module = _module()
    return [] if module is None else module.loaded_networks
