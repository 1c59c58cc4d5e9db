"""A configuration file: YAML, each key once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from holdfast_sidecar.startup import Unstartable


def read_mapping(path: Path) -> Mapping[str, object]:
    """An empty file is an empty mapping. Unstartable tells what is wrong with the file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unstartable(f"configuration file {path}: cannot be read: {error}") from error
    try:
        found: object = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader, stricter
    except yaml.YAMLError as error:
        raise Unstartable(f"configuration file {path}: expected YAML, found something else: {error}") from error
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise Unstartable(f"configuration file {path}: expected a mapping, found {type(found).__name__}")
    return cast("Mapping[str, object]", found)


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice: YAML says nothing and lets the last one win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands here twice", node.start_mark)
        return super().construct_mapping(node, deep=deep)
