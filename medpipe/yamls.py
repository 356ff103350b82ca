"""Reads YAML of strangers: plain values only, and neither large, deep nor full of aliases."""

from typing import Any

import yaml
from yaml import YAMLError

__all__ = ["YAMLError", "load_yaml"]

_MAX_CHARACTERS = 2**20
_MAX_DEPTH = 32
_MAX_ALIASES = 64


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which by itself reads whatever fits into memory and the stack."""

    depth = 0
    aliases = 0
    anchors_open = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose one node, inside the limits."""
        if self.check_event(yaml.AliasEvent):
            self._count_alias()
            return super().compose_node(parent, index)
        anchored = self.peek_event().anchor is not None  # type: ignore[no-untyped-call]
        self.depth += 1
        self.anchors_open += anchored
        if self.depth > _MAX_DEPTH:
            raise YAMLError(f"it is nested deeper than {_MAX_DEPTH} levels")
        node = super().compose_node(parent, index)
        self.depth -= 1
        self.anchors_open -= anchored
        return node

    def _count_alias(self) -> None:
        self.aliases += 1
        if self.anchors_open:  # aliases of aliases grow without measure
            raise YAMLError("an alias may not stand inside an anchored value")
        if self.aliases > _MAX_ALIASES:
            raise YAMLError(f"it holds more than {_MAX_ALIASES} aliases")


def load_yaml(text: str) -> Any:
    """Return what a YAML text means, in plain Python values.

    Raises:
        YAMLError: It is no YAML, names Python objects, is larger than a MiB, nested deeper than 32
            levels, or has more than 64 aliases or aliases of aliases.
    """
    if len(text) > _MAX_CHARACTERS:
        raise YAMLError(f"it is longer than {_MAX_CHARACTERS} characters")
    return yaml.load(text, _Loader)
