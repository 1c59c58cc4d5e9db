"""Tests of workflows: the real engine in memory, with a clock that jumps; and histories replayed against today's code.

`Cluster` needs `pip install 'holdfast[testing]'`, checking histories nothing beyond `pip install holdfast`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from holdfast.testing.histories import History, load_histories, save_history
from holdfast.testing.replay import ReplayFailed, check_replay

if TYPE_CHECKING:
    from holdfast.testing.cluster import Cluster
    from holdfast.testing.fakes import Fake
    from holdfast.testing.stuck import Stuck

__all__ = [
    "Cluster",
    "Fake",
    "History",
    "ReplayFailed",
    "Stuck",
    "check_replay",
    "load_histories",
    "save_history",
]

_LATE: Final = {
    "Cluster": "holdfast.testing.cluster",
    "Fake": "holdfast.testing.fakes",
    "Stuck": "holdfast.testing.stuck",
}


def __getattr__(name: str) -> Any:
    """What needs the sidecar's code is loaded when it is asked for."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATE[name]), name)
