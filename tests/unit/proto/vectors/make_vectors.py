"""Writes what real clients' own message modules make of `scenarios.json`, and a filled message of every kind they have.

    python make_vectors.py <client> <module>

Run it with the Python of an environment that holds that client: `microsoft` durabletask 1.12.0 and `legacy`
durabletask-dapr 0.17.4 (module durabletask.internal.orchestrator_service_pb2), `dapr` dapr 1.19.0 (module
dapr.ext.workflow._durabletask.internal.orchestrator_service_pb2). The tests read only the files it leaves.

In a filled message, a text of field 7 is "s7", a number 7, bytes "b7", a map {"k7": "s7"}, and a wrapped text or a time
bears the number of the field that holds it; so a field that was read as another one shows.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor

HERE = Path(__file__).parent
DEPTH_MAX = 4
Set = Any  # a message of a kind that is only known when this runs


def main(client: str, module: str) -> None:
    kinds = {kind.name: kind for kind in message_kinds(importlib.import_module(module).DESCRIPTOR)}
    scenarios = json.loads((HERE / "scenarios.json").read_text())[client]
    vectors = {
        "fields": {name: {str(field.number): field.name for field in kind.fields} for name, kind in kinds.items()},
        "filled": {name: [filled(kind, nth).hex() for nth in range(variants(kind))] for name, kind in kinds.items()},
        "scenarios": {name: made(kinds, *scenario).hex() for name, scenario in scenarios.items()},
    }
    (HERE / f"{client}.json").write_text(json.dumps(vectors, indent=1, sort_keys=True) + "\n")


def message_kinds(file: FileDescriptor) -> list[Descriptor]:
    if file.name.startswith("google/"):
        return []
    inner = [kind for dependency in file.dependencies for kind in message_kinds(dependency)]
    return inner + list(file.message_types_by_name.values())


def made(kinds: dict[str, Descriptor], kind: str, fields: dict[str, Any]) -> bytes:
    message = message_factory.GetMessageClass(kinds[kind])()
    return json_format.ParseDict(fields, message).SerializeToString(deterministic=True)


def variants(kind: Descriptor) -> int:
    return max([len(oneof.fields) for oneof in kind.oneofs] or [1])


def filled(kind: Descriptor, nth: int) -> bytes:
    message = message_factory.GetMessageClass(kind)()
    fill(message, kind, nth, depth=0)
    return message.SerializeToString(deterministic=True)


def fill(message: Set, kind: Descriptor, nth: int, *, depth: int) -> None:
    for field in kind.fields:
        oneof = field.containing_oneof
        if oneof is None or oneof.fields[nth % len(oneof.fields)] is field:
            fill_field(message, field, depth=depth)


def fill_field(message: Set, field: FieldDescriptor, *, depth: int) -> None:
    kind = field.message_type
    if kind is None:
        if field.is_repeated:
            getattr(message, field.name).append(value_of(field, field.number))
        else:
            setattr(message, field.name, value_of(field, field.number))
    elif kind.GetOptions().map_entry:
        fill_map(getattr(message, field.name), field)
    elif depth < DEPTH_MAX:
        target = getattr(message, field.name)
        inner = target.add() if field.is_repeated else target
        inner.SetInParent()
        if kind.full_name.startswith("google.protobuf."):
            fill_known(inner, kind, field.number)
        else:
            fill(inner, kind, 0, depth=depth + 1)


def fill_known(message: Set, kind: Descriptor, number: int) -> None:
    for field in kind.fields:
        setattr(message, field.name, value_of(field, number))


def fill_map(target: Set, field: FieldDescriptor) -> None:
    if target.__class__.__name__.startswith("Scalar"):
        target[f"k{field.number}"] = f"s{field.number}"
    else:
        target[f"k{field.number}"].string_value = f"s{field.number}"


def value_of(field: FieldDescriptor, number: int) -> Any:
    if field.type == FieldDescriptor.TYPE_STRING:
        return f"s{number}"
    if field.type == FieldDescriptor.TYPE_BYTES:
        return f"b{number}".encode()
    if field.type == FieldDescriptor.TYPE_BOOL:
        return True
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    return number


if __name__ == "__main__":
    main(*sys.argv[1:])
