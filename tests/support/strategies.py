"""Hypothesis strategies for every fact and every action, for whoever tests a codec, a store or a machine."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from holdfast_proto.actions import (
    Action,
    CancelActivity,
    CancelTimer,
    CompleteWorkflow,
    CreateTimer,
    ReplaceHistory,
    ScheduleActivity,
    SendEvent,
    Stall,
    StartChild,
    StartDetached,
    TerminateInstance,
)
from holdfast_proto.history import (
    ActivityCancelRequested,
    ActivityCompleted,
    ActivityFailed,
    ActivityOptions,
    ActivityScheduled,
    ChildCompleted,
    ChildFailed,
    ChildScheduled,
    DetachedStarted,
    EventReceived,
    EventSent,
    Failure,
    HistoryEvent,
    Parent,
    Resumed,
    Rewound,
    Stalled,
    StallReason,
    Status,
    Suspended,
    TerminateRequested,
    TimerCanceled,
    TimerCreated,
    TimerFired,
    TimerOrigin,
    Trace,
    TurnStarted,
    WorkflowCompleted,
    WorkflowStarted,
)
from holdfast_proto.v1 import history_pb2 as pb

SENTINEL_AT: Final = 253_402_300_799_999_999_999  # 9999-12-31T23:59:59.999999999Z
FIRST_AT: Final = -62_135_596_800_000_000_000  # 0001-01-01
INT32_MAX: Final = 2**31 - 1

times = st.one_of(
    st.sampled_from([0, 1, SENTINEL_AT, FIRST_AT, -1, 1_700_000_000_123_456_789]), st.integers(FIRST_AT, SENTINEL_AT)
)
seqs = st.one_of(st.sampled_from([-1, 0, 1, 127, 128, INT32_MAX]), st.integers(-1, INT32_MAX))
words = st.text(max_size=12)
names = st.text(min_size=1, max_size=12)
payloads = st.one_of(st.none(), st.text(max_size=40))
tags = st.dictionaries(words, words, max_size=3)
statuses = st.sampled_from(Status)
optional_words = st.one_of(st.none(), words)
optional_times = st.one_of(st.none(), times)
optional_traces = st.one_of(st.none(), st.builds(Trace, words, optional_words, words))
durations = st.integers(0, 2**63 - 1)
options = st.builds(
    ActivityOptions,
    start_to_close=durations,
    schedule_to_start=durations,
    heartbeat=durations,
    is_local_first=st.booleans(),
)
optional_options = st.one_of(st.none(), options)
properties = st.lists(st.binary(max_size=6), max_size=2).map(lambda p: pb.Failure(properties=p).SerializeToString())
parents = st.builds(
    Parent,
    instance_id=words,
    seq=seqs,
    name=optional_words,
    version=optional_words,
    execution_id=optional_words,
    app_id=optional_words,
    app_namespace=optional_words,
    row=seqs,
)
optional_parents = st.one_of(st.none(), parents)


def _failures(causes: st.SearchStrategy[Failure | None]) -> st.SearchStrategy[Failure]:
    return st.builds(
        Failure,
        kind=words,
        message=words,
        stack=optional_words,
        cause=causes,
        is_non_retryable=st.booleans(),
        properties=properties,
    )


failures = st.recursive(_failures(st.none()), lambda inner: _failures(st.one_of(st.none(), inner)), max_leaves=3)
optional_failures = st.one_of(st.none(), failures)
_named_origins = st.tuples(
    st.sampled_from([TimerOrigin.EVENT_TIMEOUT, TimerOrigin.ACTIVITY_RETRY, TimerOrigin.CHILD_RETRY]), words
)
_nameless_origins = st.tuples(st.sampled_from([TimerOrigin.NONE, TimerOrigin.USER]), st.just(""))
origins = st.one_of(_named_origins, _nameless_origins)


def _timers_created() -> st.SearchStrategy[TimerCreated]:
    def build(
        origin: tuple[TimerOrigin, str], at: int, seq: int, fire_at: int, name: str | None, rerun_of: str
    ) -> TimerCreated:
        return TimerCreated(
            at=at, seq=seq, fire_at=fire_at, name=name, origin=origin[0], origin_name=origin[1], rerun_of=rerun_of
        )

    return st.builds(build, origins, times, seqs, times, optional_words, words)


events_received = st.builds(EventReceived, at=times, name=words, input=payloads, source=words)
rewound = st.builds(
    Rewound,
    at=times,
    reason=optional_words,
    parent_execution_id=optional_words,
    instance_id=optional_words,
    name=optional_words,
    version=optional_words,
    input=payloads,
    parent=optional_parents,
    trace=optional_traces,
    tags=tags,
)
BY_KIND: Final[dict[type[HistoryEvent], st.SearchStrategy[HistoryEvent]]] = {
    TurnStarted: st.builds(
        TurnStarted, at=times, patches=st.lists(words, max_size=3).map(tuple), version_name=optional_words
    ),
    WorkflowStarted: st.builds(
        WorkflowStarted,
        at=times,
        name=words,
        instance_id=words,
        execution_id=words,
        version=optional_words,
        input=payloads,
        parent=optional_parents,
        scheduled_at=optional_times,
        trace=optional_traces,
        tags=tags,
    ),
    WorkflowCompleted: st.builds(
        WorkflowCompleted, at=times, seq=seqs, status=statuses, result=payloads, failure=optional_failures
    ),
    TerminateRequested: st.builds(TerminateRequested, at=times, output=payloads, recurse=st.booleans()),
    Suspended: st.builds(Suspended, at=times, reason=optional_words),
    Resumed: st.builds(Resumed, at=times, reason=optional_words),
    ActivityScheduled: st.builds(
        ActivityScheduled,
        at=times,
        seq=seqs,
        name=words,
        version=optional_words,
        input=payloads,
        trace=optional_traces,
        tags=tags,
        task_execution_id=words,
        rerun_of=words,
        options=optional_options,
    ),
    ActivityCompleted: st.builds(ActivityCompleted, at=times, seq=seqs, result=payloads, task_execution_id=words),
    ActivityFailed: st.builds(ActivityFailed, at=times, seq=seqs, failure=failures, task_execution_id=words),
    ActivityCancelRequested: st.builds(ActivityCancelRequested, at=times, seq=seqs),
    ChildScheduled: st.builds(
        ChildScheduled,
        at=times,
        seq=seqs,
        instance_id=words,
        name=words,
        version=optional_words,
        input=payloads,
        trace=optional_traces,
        tags=tags,
        rerun_of=words,
        retry_of=words,
    ),
    ChildCompleted: st.builds(ChildCompleted, at=times, seq=seqs, result=payloads),
    ChildFailed: st.builds(ChildFailed, at=times, seq=seqs, failure=failures),
    TimerCreated: _timers_created(),
    TimerFired: st.builds(TimerFired, at=times, seq=seqs, fire_at=times),
    TimerCanceled: st.builds(TimerCanceled, at=times, seq=seqs),
    EventSent: st.builds(EventSent, at=times, seq=seqs, instance_id=words, name=words, input=payloads),
    EventReceived: events_received,
    DetachedStarted: st.builds(DetachedStarted, at=times, seq=seqs, instance_id=words),
    Rewound: rewound,
    Stalled: st.builds(Stalled, at=times, reason=st.sampled_from(StallReason), description=words),
}
events: st.SearchStrategy[HistoryEvent] = st.one_of(list(BY_KIND.values()))


def _timers() -> st.SearchStrategy[CreateTimer]:
    def build(origin: tuple[TimerOrigin, str], seq: int, fire_at: int, name: str | None) -> CreateTimer:
        return CreateTimer(seq=seq, fire_at=fire_at, name=name, origin=origin[0], origin_name=origin[1])

    return st.builds(build, origins, seqs, times, optional_words)


ACTIONS_BY_KIND: Final[dict[type[Action], st.SearchStrategy[Action]]] = {
    ScheduleActivity: st.builds(
        ScheduleActivity,
        seq=seqs,
        name=words,
        version=optional_words,
        input=payloads,
        trace=optional_traces,
        tags=tags,
        task_execution_id=words,
        options=optional_options,
    ),
    CancelActivity: st.builds(CancelActivity, seq=seqs),
    CreateTimer: _timers(),
    CancelTimer: st.builds(CancelTimer, seq=seqs),
    StartChild: st.builds(
        StartChild,
        seq=seqs,
        instance_id=words,
        name=words,
        version=optional_words,
        input=payloads,
        trace=optional_traces,
        tags=tags,
        retry_of=words,
    ),
    StartDetached: st.builds(
        StartDetached,
        seq=seqs,
        instance_id=words,
        name=words,
        version=optional_words,
        input=payloads,
        scheduled_at=optional_times,
        execution_id=optional_words,
        trace=optional_traces,
        tags=tags,
    ),
    SendEvent: st.builds(SendEvent, seq=seqs, instance_id=words, name=words, input=payloads),
    TerminateInstance: st.builds(
        TerminateInstance, seq=seqs, instance_id=words, reason=optional_words, recurse=st.booleans()
    ),
    CompleteWorkflow: st.builds(
        CompleteWorkflow,
        seq=seqs,
        status=statuses,
        result=payloads,
        failure=optional_failures,
        new_version=optional_words,
        carryover=st.lists(events_received, max_size=2).map(tuple),
        tags=st.one_of(st.none(), tags),
    ),
    ReplaceHistory: st.builds(ReplaceHistory, history=st.lists(events, max_size=3).map(tuple)),
    Stall: st.builds(Stall, reason=st.sampled_from(StallReason), description=words),
}
actions: st.SearchStrategy[Action] = st.one_of(list(ACTIONS_BY_KIND.values()))
