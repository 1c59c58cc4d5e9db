"""Every limit of an instance: its name, its default, and why that number."""

from __future__ import annotations

from msgspec import Struct

from holdfast_proto.history import Status


class Limits(Struct, frozen=True, kw_only=True):
    instance_id_length_max: int = 256  # fits every store's key and a log line
    name_length_max: int = 256
    payload_bytes_max: int = 4 * 1024 * 1024 - 64 * 1024  # gRPC's default of 4 MiB less room for the envelope
    history_events_max: int = 200_000  # a replay of this many takes seconds; continue-as-new is the way on
    history_bytes_max: int = 256 * 1024 * 1024
    inbox_events_max: int = 10_000  # more than this unread means that nobody reads
    actions_max: int = 100_000  # of one turn
    seen_sources_max: int = 64  # kept in the record over continue-as-new; a sender repeats itself within seconds
    retention: dict[Status, int] = {}  # ns from the end until the instance is purged; no entry: kept for ever


DEFAULT_LIMITS = Limits()
