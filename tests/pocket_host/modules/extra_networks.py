"""`<lora:name:0.8>` in prompts: parsed out, given to the network of that name; here none is registered."""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

PATTERN = re.compile(r"<(\w+):([^>]+)>")
extra_network_registry: dict[str, Any] = {}
extra_network_aliases: dict[str, Any] = {}


class ExtraNetworkParams:
    """What stands between the colons."""

    def __init__(self, items: Sequence[str] | None = None) -> None:
        self.items = list(items or [])
        self.positional = [item for item in self.items if "=" not in item]
        self.named = dict(item.split("=", 1) for item in self.items if "=" in item)


class ExtraNetwork:
    """What an extension subclasses to offer a kind of network."""

    def __init__(self, name: str) -> None:
        self.name = name

    def activate(self, p: Any, params_list: list[ExtraNetworkParams]) -> None:
        """Change the model."""
        raise NotImplementedError

    def deactivate(self, p: Any) -> None:
        """Change it back."""
        raise NotImplementedError


def register_extra_network(network: ExtraNetwork) -> None:
    """Offer a kind of network."""
    extra_network_registry[network.name] = network


def activate(p: Any, data: dict[str, list[ExtraNetworkParams]]) -> None:
    """Exactly these, and none of the last generation."""
    for name, network in extra_network_registry.items():
        network.activate(p, data.get(name, []))


def deactivate(p: Any, data: dict[str, list[ExtraNetworkParams]]) -> None:
    """Undo."""
    for network in extra_network_registry.values():
        network.deactivate(p)


def parse_prompt(prompt: str) -> tuple[str, dict[str, list[ExtraNetworkParams]]]:
    """The prompt without them, and they."""
    found: dict[str, list[ExtraNetworkParams]] = defaultdict(list)

    def take(match: re.Match[str]) -> str:
        found[match[1]].append(ExtraNetworkParams(match[2].split(":")))
        return ""

    return PATTERN.sub(take, prompt), found


def parse_prompts(prompts: Sequence[str]) -> tuple[list[str], dict[str, list[ExtraNetworkParams]]]:
    """Of several prompts; the first one's networks count."""
    parsed = [parse_prompt(prompt) for prompt in prompts]
    return [text for text, _ in parsed], parsed[0][1] if parsed else {}
