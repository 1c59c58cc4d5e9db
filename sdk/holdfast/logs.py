"""A logger for workflow code that is silent while the past is replayed, so that each line is written once."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from holdfast._replay.desk import Desk


class WorkflowLogger(logging.LoggerAdapter[logging.Logger]):
    """`holdfast.workflow.<name>`, with instance_id and execution_id in each record."""

    def __init__(self, run: Desk) -> None:
        logger = logging.getLogger(f"holdfast.workflow.{run.info.name}")
        super().__init__(logger, {"instance_id": run.instance_id, "execution_id": run.execution_id})
        self._run = run

    def isEnabledFor(self, level: int) -> bool:
        return not self._run.is_replaying and not self._run.loop.is_closed() and super().isEnabledFor(level)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs
