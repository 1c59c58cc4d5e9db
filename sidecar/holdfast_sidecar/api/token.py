"""The token that callers show, the same way in over gRPC and HTTP."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final

NAMES: Final = ("dapr-api-token", "holdfast-api-token")


def shows(metadata: Mapping[str, str], token: str) -> bool:
    """Compares in a time that says nothing about how much was right. `metadata` has its names in lower case."""
    shown = [metadata[name] for name in NAMES if name in metadata]
    scheme, _, bearer = metadata.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        shown.append(bearer.strip())
    return any(hmac.compare_digest(text.encode("utf-8", "surrogateescape"), token.encode()) for text in shown)
