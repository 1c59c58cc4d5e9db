"""What `inspect` shows of an instance."""

from __future__ import annotations

import json

import msgspec

from holdfast_proto.history import Status
from holdfast_sidecar.core.state import NEVER_AT, ActivityRow, Record, Reminder, Stored
from holdfast_sidecar.stores.inspect import inspect


class Happened(msgspec.Struct):
    what: str


def _record(**more: int | bytes) -> Record:
    return msgspec.structs.replace(
        Record(
            id="order-7",
            name="checkout",
            status=Status.RUNNING,
            created_at=1_700_000_000_000_000_001,
            updated_at=1_700_000_060_000_000_000,
            execution_id="run",
        ),
        **more,
    )


def _decode(data: bytes) -> Happened:
    return Happened(data.decode())


def test_keys_are_those_of_the_documents_and_come_in_their_order() -> None:
    stored = Stored(
        record=_record(inbox_first=999_999, inbox_length=2, history_length=2),
        custom_status="packing",
        inbox=(b"m", b"n"),
        history=(b"a", b"b"),
        activities=(ActivityRow(0, 1, b"x"), ActivityRow(0, 2, b"y"), ActivityRow(12, 2, b"z")),
        reminders=(Reminder("order-7", "timer-3", 1_700_000_000_000_000_000, b"123"), Reminder("order-7", "wake", 0)),
    )
    shown = inspect(stored, _decode)
    assert list(shown) == [
        *("metadata", "customStatus", "inbox-999999", "inbox-1000000", "history-000000", "history-000001"),
        *("order-7#0", "order-7#12", "reminders"),
    ]
    assert shown["history-000001"] == {"event": "Happened", "what": "b"}
    assert shown["order-7#0"] == {
        "activityreq-1": {"event": "Happened", "what": "x"},
        "activityreq-2": {"event": "Happened", "what": "y"},
    }
    assert shown["reminders"] == {
        "timer-3": {"due": "2023-11-14T22:13:20.000000000Z", "data_bytes": 3},
        "wake": {"due": "at recovery", "data_bytes": 0},
    }
    json.dumps(shown)


def test_metadata_is_readable_to_the_nanosecond_and_fit_for_json() -> None:
    shown = inspect(Stored(record=_record(completed_at=1_700_000_001_500_000_000, turn_trace=b"\x00\xff")), _decode)
    assert json.loads(json.dumps(shown)) == {
        "metadata": {
            "id": "order-7",
            "name": "checkout",
            "status": "RUNNING",
            "created_at": "2023-11-14T22:13:20.000000001Z",
            "updated_at": "2023-11-14T22:14:20.000000000Z",
            "completed_at": "2023-11-14T22:13:21.500000000Z",
            "execution_id": "run",
            "turn_trace": "AP8=",
        }
    }


def test_a_reminder_that_never_fires_says_so() -> None:
    stored = Stored(record=_record(), reminders=(Reminder("order-7", "timer-1", NEVER_AT),))
    assert inspect(stored, _decode)["reminders"] == {"timer-1": {"due": "never", "data_bytes": 0}}


def test_what_the_decoder_gives_that_is_no_struct_is_shown_as_it_is() -> None:
    shown = inspect(Stored(record=_record(), history=(b"abc",)), lambda data: data.hex())
    assert shown["history-000000"] == "616263"
