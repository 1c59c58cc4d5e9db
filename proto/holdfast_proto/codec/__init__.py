"""Facts and requests as bytes, and back. The only place that knows both the values and their stored form.

`encode_event` gives the bytes of a history row, which are also the bytes that go to clients; see `v1/history.proto`.
"""

from holdfast_proto.codec.actions import action_of, decode_action, encode_action, fill_action
from holdfast_proto.codec.errors import Unreadable, UnreadableKind
from holdfast_proto.codec.event_reader import decode_event, event_of
from holdfast_proto.codec.event_writer import encode_event
from holdfast_proto.codec.kinds import Kind, kind_of
from holdfast_proto.codec.values import decode_failure, encode_failure

__all__ = [
    "Kind",
    "Unreadable",
    "UnreadableKind",
    "action_of",
    "decode_action",
    "decode_event",
    "decode_failure",
    "encode_action",
    "encode_event",
    "encode_failure",
    "event_of",
    "fill_action",
    "kind_of",
]
