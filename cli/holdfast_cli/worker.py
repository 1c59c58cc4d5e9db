"""`holdfast worker module:app`: a worker as a process of its own. SIGTERM drains it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, cast

from holdfast import HoldfastError, Worker
from holdfast_cli.targets import HELP, BadTarget, add_folder, find, is_worker, offers_of
from holdfast_kit import logs
from holdfast_kit.serve import ExitCode, Lifetime, serve

_log = logging.getLogger("holdfast.worker")

_CLOSING: Final = timedelta(seconds=5)  # beyond the drain limit, for the stream to end
_SETTINGS: Final = {  # flag -> parameter of Worker
    "address": "address",
    "namespace": "namespace",
    "name": "name",
    "slots": "activity_slots",
    "turn_slots": "turn_slots",
    "threads": "threads",
    "processes": "processes",
    "cache": "cache_max",
    "drain_limit": "drain_limit",
    "liveness_file": "liveness_file",
}


def main(arguments: Sequence[str] | None = None) -> int:
    flags = _parser().parse_args(arguments)
    logs.setup(flags.log_level, flags.log_format)
    add_folder(flags.app_dir)
    try:
        worker = _worker(flags)
    except (BadTarget, HoldfastError, ValueError) as error:
        print(f"holdfast worker: {error}", file=sys.stderr)
        return ExitCode.MISUSED
    _log.info("serving %d workflows and %d activities", len(worker.registry.versions), len(worker.registry.activities))
    code = serve(
        _Serving(worker),
        drain_limit=timedelta(seconds=worker.drain_limit) + _CLOSING,
        loop_factory=_loop_factory(),
    )
    return _leave(code, worker)


class _Serving:
    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def __call__(self, lifetime: Lifetime) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                running = group.create_task(self._worker.run())
                running.add_done_callback(lambda _: lifetime.stop("the worker ended"))
                await lifetime.stopping()
                self._worker.stop()
        except* HoldfastError as refused:
            lifetime.exit_code = ExitCode.FAILED
            for error in refused.exceptions:
                _log.error("%s", error)


def _leave(code: int, worker: Worker) -> int:
    """Threads of sync activities cannot be stopped; waiting for them would make the drain limit a lie."""
    if not worker.left_behind:
        return code
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code or ExitCode.UNDRAINED)


def _worker(flags: argparse.Namespace) -> Worker:
    found = [(target, find(target)) for target in flags.target]
    settings = {name: getattr(flags, flag) for flag, name in _SETTINGS.items() if getattr(flags, flag) is not None}
    for target, value in found:
        if not is_worker(value):
            continue
        if settings or len(found) > 1:
            raise BadTarget(
                f"{target!r} is a worker with settings of its own: expected it alone, without flags for them; "
                "name a list of workflows and activities instead"
            )
        return cast("Worker", value)
    return Worker(*(offer for target, value in found for offer in offers_of(target, value)), **settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="holdfast worker",
        description="Run workflows and activities for the sidecar on this machine. SIGTERM takes nothing new, lets "
        "running activities end, and ends with 0; 3 when some had to be left, 1 when the sidecar refuses the worker, "
        "2 when it cannot start. The API token is taken from HOLDFAST_API_TOKEN.",
    )
    add: Callable[..., Any] = parser.add_argument
    add("target", metavar="TARGET", nargs="+", help=HELP)
    add("--address", metavar="HOST:PORT", help="of the sidecar (HOLDFAST_ADDRESS, else localhost:50001)")
    add("--namespace", metavar="NAME", help="that the sidecar must serve (HOLDFAST_NAMESPACE)")
    add("--name", metavar="NAME", help="of this worker, for logs")
    add("--slots", metavar="N", type=int, help="activities at once (1000)")
    add("--turn-slots", metavar="N", type=int, help="turns of workflows at once (1000)")
    add("--threads", metavar="N", type=int, help="sync activities at once (64)")
    add("--processes", metavar="N", type=int, help="activities in processes at once (as many as there are cores)")
    add("--cache", metavar="N", type=int, help="workflows kept alive between their turns (10000)")
    add("--drain-limit", metavar="SECONDS", type=float, help="for running activities at the end (30)")
    add("--liveness-file", metavar="FILE", help="touched every 5 seconds while connected")
    add("--app-dir", metavar="DIR", default=".", help="where modules are looked for first (.)")
    add("--log-level", metavar="LEVEL", default="info", choices=("debug", "info", "warning", "error"), help="(info)")
    add("--log-format", default="auto", choices=("auto", "text", "json"), help="auto: text on a terminal, else JSON")
    return parser


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop comes with holdfast[sidecar]; the standard loop does the same, slower."""
    if find_spec("uvloop") is None:
        return None
    return cast("Callable[[], asyncio.AbstractEventLoop]", import_module("uvloop").new_event_loop)
