"""The commands, as a table: a row per command, loaded only when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

Main: TypeAlias = Callable[[Sequence[str]], int | None]
"""Takes the arguments after the command's name and gives the exit code; None is 0."""


@dataclass(frozen=True, slots=True)
class Command:
    entry: str  # module:function
    summary: str
    extra: str  # what must be installed for it beyond `pip install holdfast`; empty: nothing

    def load(self) -> Main:
        module, _, function = self.entry.partition(":")
        return cast("Main", getattr(importlib.import_module(module), function))


COMMANDS: Final[dict[str, Command]] = {
    "dev": Command("holdfast_sidecar.__main__:dev", "run a sidecar on this machine, state in .holdfast", "sidecar"),
    "sidecar": Command("holdfast_sidecar.__main__:main", "run a sidecar as it is deployed", "sidecar"),
    "placement": Command("holdfast_placement.__main__:main", "run the service that places partitions", "placement"),
    "cluster": Command("holdfast_cli.cluster.run:main", "start a whole cluster on this machine", "cluster"),
    "worker": Command("holdfast_cli.worker:main", "run workflows and activities: worker module:app", ""),
    "certs": Command("holdfast_cli.certs:main", "make certificates for development", "certs"),
    "lint": Command("holdfast_cli.lint:main", "find what in workflow code cannot be replayed", ""),
    "replay": Command("holdfast_cli.replay:main", "check recorded histories against today's code", ""),
    "inspect": Command("holdfast_cli.inspect:main", "show what is stored of an instance, key by key", "sidecar"),
}
