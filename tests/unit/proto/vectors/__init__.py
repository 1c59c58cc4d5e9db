"""Bytes that real clients' message modules wrote; `make_vectors.py` says how."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, TypedDict


class Vectors(TypedDict):
    fields: dict[str, dict[str, str]]
    filled: dict[str, list[str]]
    scenarios: dict[str, str]


CLIENTS: Final = ("microsoft", "legacy", "dapr")


def _read(client: str) -> Vectors:
    vectors: Vectors = json.loads((Path(__file__).parent / f"{client}.json").read_text())
    return vectors


BY_CLIENT: Final = {client: _read(client) for client in CLIENTS}


def scenario(client: str, name: str) -> bytes:
    return bytes.fromhex(BY_CLIENT[client]["scenarios"][name])
