"""Turns at the worker: the cache of live runs, turns run on them, and the fused step.

Turn --run cached and counts agree--> advance --> TurnDone
     \\--whole history sent----------> new run, replay, advance --> TurnDone
     \\--neither---------------------> needs_history

results of activities of a cached run that waits for nothing else --> advance at once --> FusedStep

With `replay_every_turn` nothing is fused, the history is always asked for, and the cached run only checks the new one.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import UnsetType

from holdfast._replay.engine import Run
from holdfast._replay.outcome import TurnOutcome
from holdfast._worker.differences import difference
from holdfast._worker.frames import Frames
from holdfast.errors import HistoryMismatch, HoldfastError, NonDeterminism, VersionNotAvailable
from holdfast.registry import Registry
from holdfast_kit.clock import Clock
from holdfast_proto.actions import Action, Stall
from holdfast_proto.codec import Unreadable, event_of, fill_action
from holdfast_proto.codec.values import set_failure
from holdfast_proto.history import ActivityCompleted, ActivityFailed, HistoryEvent, StallReason, TurnStarted
from holdfast_proto.v1 import worker_pb2 as pb

_log = logging.getLogger("holdfast.worker")

Answer = tuple[int, ActivityCompleted | ActivityFailed]  # the token of the sending, and what came of it
Watched = Callable[[str | None], None]
_MANY: Final = 16  # answers at once: a wide fan-out is better served by turns that take all that has arrived


class Cached:
    """A live run. `turn_token` is that of the last turn that the sidecar sent for it."""

    __slots__ = ("execution_id", "run", "turn_time", "turn_token")

    def __init__(self, execution_id: str, run: Run, turn_token: int) -> None:
        self.execution_id = execution_id
        self.run = run
        self.turn_token = turn_token
        self.turn_time = 0


class Turns:
    def __init__(
        self, registry: Registry, clock: Clock, *, cache_max: int, watched: Watched, replay_every_turn: bool = False
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._frames = Frames()
        self._cache_max = cache_max
        self._replay_every_turn = replay_every_turn
        self._watched = watched  # told which instance's code is about to run, and None when it is done
        self._runs: OrderedDict[str, Cached] = OrderedDict()
        self._pieces: dict[int, list[HistoryEvent]] = {}
        self.payload_bytes_max = 1 << 62

    def __len__(self) -> int:
        return len(self._runs)

    def where(self, instance_id: str) -> str:
        """The lines of workflow code at which it waits; "" when it is not kept here."""
        cached = self._runs.get(instance_id)
        return "" if cached is None else cached.run.where()

    def connected(self, frames: Frames) -> None:
        """A new stream: tokens of the old one mean nothing, and nobody knows what became of its last answers."""
        self._frames = frames
        self._pieces.clear()
        self.close()

    def close(self) -> None:
        """Gives all runs up; they go on from their histories elsewhere."""
        for cached in self._runs.values():
            cached.run.close()
        self._runs.clear()

    # -- turns of the sidecar --------------------------------------------------------------------------------------

    def take(self, turn: pb.Turn) -> None:
        try:
            past = [event_of(event) for event in turn.past]
            if turn.has_more:
                self._pieces.setdefault(turn.token, []).extend(past)
                return
            pieces = self._pieces.pop(turn.token, None)
            new = [event_of(event) for event in turn.new]
        except Unreadable as error:
            self._stall(
                turn, StallReason.CONTRADICTION, f"this worker cannot read the history: {error}; update its SDK"
            )
            return
        self._run(
            turn, past if pieces is None else pieces + past, new, is_whole=not turn.past_count or pieces is not None
        )

    def drop(self, instance_id: str) -> None:
        cached = self._runs.pop(instance_id, None)
        if cached is not None:
            cached.run.close()

    def _run(self, turn: pb.Turn, past: Sequence[HistoryEvent], new: Sequence[HistoryEvent], *, is_whole: bool) -> None:
        cached = self._runs.get(turn.instance_id)
        if not is_whole and (cached is None or self._replay_every_turn or past or not _follows(cached, turn)):
            if not self._replay_every_turn:
                self.drop(turn.instance_id)
            self._needs_history(turn)
            return
        if is_whole or cached is None:
            self._runs.pop(turn.instance_id, None)
            before, cached = cached, self._fresh(turn)
        else:
            before = None
        cached.turn_token = turn.token
        outcome = self._advance(turn, cached, past, new)
        difference = "" if before is None else self._closed_before(before, turn, outcome, past, new)
        if outcome is not None and difference:
            cached.run.close()
            self._stall(turn, StallReason.NONDETERMINISM, difference)
        elif outcome is not None:
            self._answer(turn, cached, outcome)

    def _fresh(self, turn: pb.Turn) -> Cached:
        run = Run(self._registry, report=_report, payload_bytes_max=self.payload_bytes_max)
        return Cached(turn.execution_id, run, turn.token)

    def _advance(
        self, turn: pb.Turn, cached: Cached, past: Sequence[HistoryEvent], new: Sequence[HistoryEvent]
    ) -> TurnOutcome | None:
        """None when the turn was answered with what went wrong."""
        self._watched(turn.instance_id)
        try:
            if new and isinstance(new[0], TurnStarted):
                cached.turn_time = new[0].at
            return cached.run.advance(new, past=past, is_repaired=turn.is_repaired)
        except NonDeterminism as error:
            _log.error("workflow code does not fit its history: %s", error, extra={"instance_id": turn.instance_id})
            self._stall(turn, StallReason.NONDETERMINISM, str(error))
        except VersionNotAvailable as error:
            self._stall(turn, StallReason.VERSION_NOT_AVAILABLE, str(error))
        except HistoryMismatch as error:
            if past or not cached.run.count:
                self._stall(turn, StallReason.NONDETERMINISM, str(error))
            else:
                self._needs_history(turn)
        except Exception as error:  # noqa: BLE001 - a bug of ours must not take the worker's other workflows with it
            _log.exception("a turn failed in a way that it should not", extra={"instance_id": turn.instance_id})
            self._abandon(turn, f"{type(error).__name__}: {error}")
        finally:
            self._watched(None)
        self.drop(turn.instance_id)
        cached.run.close()
        return None

    def _closed_before(
        self,
        before: Cached,
        turn: pb.Turn,
        outcome: TurnOutcome | None,
        past: Sequence[HistoryEvent],
        new: Sequence[HistoryEvent],
    ) -> str:
        """Closes the run that was kept until now. Where it must decide the same: how it differs, "" if it does not."""
        try:
            if not self._replay_every_turn or outcome is None or before.execution_id != turn.execution_id:
                return ""
            if not past or before.run.count != len(past):  # the sidecar did not take what it decided last
                return ""
            return difference(turn.instance_id, kept=before.run.advance(new), built=outcome)
        except HoldfastError as error:
            return str(error)
        finally:
            before.run.close()

    def _answer(self, turn: pb.Turn, cached: Cached, outcome: TurnOutcome) -> None:
        done = self._frames.item().turns.add()
        done.token = turn.token
        _fill(done, outcome)
        done.is_cached = self._keep(turn.instance_id, cached, outcome)
        self._frames.grant(turns=1)

    def _keep(self, instance_id: str, cached: Cached, outcome: TurnOutcome) -> bool:
        if outcome.has_ended or self._cache_max == 0:
            self._runs.pop(instance_id, None)
            cached.run.close()
            return False
        self._runs[instance_id] = cached
        self._runs.move_to_end(instance_id)
        if len(self._runs) > self._cache_max:
            other, evicted = self._runs.popitem(last=False)
            evicted.run.close()
            forgotten = self._frames.item().forgotten.add()
            forgotten.instance_id = other
            forgotten.execution_id = evicted.execution_id
        return True

    def _abandon(self, turn: pb.Turn, reason: str) -> None:
        done = self._frames.item().turns.add()
        done.token = turn.token
        done.abandoned = reason
        self._frames.grant(turns=1)

    def _needs_history(self, turn: pb.Turn) -> None:
        done = self._frames.item().turns.add()
        done.token = turn.token
        done.needs_history = True

    def _stall(self, turn: pb.Turn, reason: StallReason, description: str) -> None:
        done = self._frames.item().turns.add()
        done.token = turn.token
        _fill_actions(done, [Stall(reason=reason, description=description)])
        self._frames.grant(turns=1)

    # -- the fused step --------------------------------------------------------------------------------------------

    def fuse(self, instance_id: str, execution_id: str, answers: Sequence[Answer]) -> bool:
        """Feeds answers to the run that waits for them and sends both; False when there is no such run."""
        cached = self._runs.get(instance_id)
        if (
            cached is None
            or cached.execution_id != execution_id
            or len(answers) > _MANY
            or self._replay_every_turn
            or not cached.run.waits_for_activities_only
        ):
            return False
        based_on = cached.run.count
        cached.turn_time = max(self._clock.now_ns(), cached.turn_time)
        new: list[HistoryEvent] = [TurnStarted(at=cached.turn_time)]
        for _, event in answers:
            new.append(event)
        self._watched(instance_id)
        try:
            outcome = cached.run.advance(new)
        except (NonDeterminism, HistoryMismatch, VersionNotAvailable):
            self.drop(instance_id)  # the plain way finds out what is wrong, and says so
            self._forgotten(instance_id, execution_id)
            return False
        finally:
            self._watched(None)
        self._send_fused(instance_id, cached, outcome, answers, based_on)
        return True

    def _send_fused(
        self, instance_id: str, cached: Cached, outcome: TurnOutcome, answers: Sequence[Answer], based_on: int
    ) -> None:
        step = self._frames.item().fused.add()
        for token, event in answers:
            fill_answer(step.results.add(), token, event)
        step.turn_token = cached.turn_token
        step.based_on = based_on
        step.turn_time = cached.turn_time
        _fill(step, outcome)
        step.is_cached = self._keep(instance_id, cached, outcome)

    def _forgotten(self, instance_id: str, execution_id: str) -> None:
        forgotten = self._frames.item().forgotten.add()
        forgotten.instance_id = instance_id
        forgotten.execution_id = execution_id


def _follows(cached: Cached, turn: pb.Turn) -> bool:
    """Whether the run stands for exactly what comes before the turn."""
    return cached.execution_id == turn.execution_id and cached.run.count == turn.past_count


def _report(run: Run, context: dict[str, Any]) -> None:
    """What asyncio says of a task or callback of workflow code that nobody listens to."""
    if not run.is_replaying:
        _log.warning(
            "workflow %s: %s",
            run.info.name,
            context.get("message"),
            exc_info=context.get("exception"),
            extra={"instance_id": run.instance_id},
        )


def fill_answer(done: pb.ActivityDone, token: int, event: ActivityCompleted | ActivityFailed) -> None:
    done.token = token
    if not isinstance(event, ActivityCompleted):
        set_failure(done.failure, event.failure)
    elif event.result is not None:
        done.result = event.result


def _fill(done: pb.TurnDone | pb.FusedStep, outcome: TurnOutcome) -> None:
    _fill_actions(done, outcome.actions)
    if outcome.custom_status is None:
        done.clears_custom_status = True
    elif not isinstance(outcome.custom_status, UnsetType):
        done.custom_status = outcome.custom_status
    if outcome.patches:
        done.patches.extend(outcome.patches)
    if outcome.version_name is not None:
        done.version_name = outcome.version_name


def _fill_actions(done: pb.TurnDone | pb.FusedStep, actions: Sequence[Action]) -> None:
    for action in actions:
        fill_action(done.actions.add(), action)
