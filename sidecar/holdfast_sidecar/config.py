"""What a sidecar can be told: from a mapping (YAML), the environment (`HOLDFAST_…`) and flags, in growing strength."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

from holdfast_kit.config import ConfigErrors, env_name, load
from holdfast_kit.config_values import Between
from holdfast_kit.logs import LogFormat
from holdfast_proto.history import Status
from holdfast_sidecar.actors.host import Bounds
from holdfast_sidecar.core.limits import DEFAULT_LIMITS, Limits
from holdfast_sidecar.stores.urls import InvalidStoreUrl, parse_store_url

Port = Annotated[int, Between(0, 65535)]
Count = Annotated[int, Between(1)]
NotNegative = Annotated[timedelta, Between(timedelta(0))]
Positive = Annotated[timedelta, Between(timedelta(milliseconds=1))]

_DEFAULT_BOUNDS: Final = Bounds()
SDK_VARIABLES: Final = ("HOLDFAST_ADDRESS",)  # an app and its sidecar may share one environment
_NANOS_PER_MICRO: Final = 1_000
_MICRO: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class LimitsConfig:
    """Of one instance; the reasons for the defaults stand in `core/limits.py`."""

    instance_id_length_max: Count = DEFAULT_LIMITS.instance_id_length_max
    name_length_max: Count = DEFAULT_LIMITS.name_length_max
    payload_bytes_max: Count = DEFAULT_LIMITS.payload_bytes_max
    history_events_max: Count = DEFAULT_LIMITS.history_events_max
    history_bytes_max: Count = DEFAULT_LIMITS.history_bytes_max
    inbox_events_max: Count = DEFAULT_LIMITS.inbox_events_max
    actions_max: Count = DEFAULT_LIMITS.actions_max


@dataclass(frozen=True)
class RetentionConfig:
    """How long an ended instance is kept; a status of its own beats `any_terminal`, and none at all is for ever."""

    any_terminal: NotNegative | None = None
    completed: NotNegative | None = None
    failed: NotNegative | None = None
    canceled: NotNegative | None = None
    terminated: NotNegative | None = None

    def nanos(self) -> dict[Status, int]:
        own = {
            Status.COMPLETED: self.completed,
            Status.FAILED: self.failed,
            Status.CANCELED: self.canceled,
            Status.TERMINATED: self.terminated,
        }
        kept = {status: self.any_terminal if value is None else value for status, value in own.items()}
        return {status: value // _MICRO * _NANOS_PER_MICRO for status, value in kept.items() if value is not None}


@dataclass(frozen=True)
class BoundsConfig:
    """What the sidecar keeps in memory and when it says no; the reasons stand in `actors/host.py`."""

    idle_instances_max: Count = _DEFAULT_BOUNDS.idle_instances_max
    awake_instances_max: Count = _DEFAULT_BOUNDS.awake_instances_max
    queued_commits_max: Count = _DEFAULT_BOUNDS.queued_commits_max
    actors_max: Count = _DEFAULT_BOUNDS.actors_max


@dataclass(frozen=True)
class LogConfig:
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: LogFormat = LogFormat.AUTO


@dataclass(frozen=True)
class PlacementConfig:
    """Only for a sidecar that shares its partitions with others. Without addresses it owns them all."""

    addresses: tuple[str, ...] = ()
    host_id: str = ""  # empty: made at the start
    peer_port: Port = 50002  # where other sidecars connect; apps use grpc_port
    peer_bind: str = "127.0.0.1"
    peer_address: str = ""  # host:port that the others are told; empty: peer_bind and peer_port
    trust_domain: str = "holdfast.local"  # whose certificates are talked to, with TLS
    # Which sidecar runs an activity: the owner of its own id; the one of its workflow while a worker there has a free
    # slot; or the latter if nothing else of its workflow runs, else the former.
    activities: Literal["auto", "by-hash", "local-first"] = "auto"
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_authority: Path | None = None

    def __post_init__(self) -> None:
        files = (self.tls_certificate, self.tls_key, self.tls_authority)
        if any(files) and not all(files):
            raise ValueError("tls_certificate, tls_key and tls_authority: expected all three or none, found some")


@dataclass(frozen=True)
class Config:
    grpc_port: Port = 50001
    http_port: Port = 3500
    grpc_address: str = "127.0.0.1"  # the app lives beside us; whoever opens it to others sets a token too
    http_address: str = "127.0.0.1"
    data_dir: Path = Path(".holdfast")
    store: str = field(default="", repr=False)  # a URL, maybe with a password; empty is SQLite in data_dir
    namespace: str = "default"
    app_id: str = "app"
    partitions: Annotated[int, Between(1, 65536)] = 1024
    api_token: str = field(default="", repr=False)
    drain_limit: NotNegative = timedelta(seconds=10)  # an orchestrator kills after 30 s, and closing needs some too
    request_bytes_max: Count = 4 * 1024 * 1024  # of an HTTP body; one payload and its envelope
    wait_max: Positive = timedelta(minutes=1)  # of one long poll: proxies cut what is silent for longer
    limits: LimitsConfig = LimitsConfig()
    retention: RetentionConfig = RetentionConfig()
    bounds: BoundsConfig = BoundsConfig()
    log: LogConfig = LogConfig()
    placement: PlacementConfig = PlacementConfig()

    def __post_init__(self) -> None:
        if self.grpc_port == self.http_port != 0:
            raise ValueError(f"grpc_port and http_port: expected two ports, found {self.grpc_port} for both")
        empty = [name for name in ("namespace", "app_id", "grpc_address", "http_address") if not getattr(self, name)]
        if empty:
            raise ValueError(f"{' and '.join(empty)}: expected some text, found none")

    @property
    def instance_limits(self) -> Limits:
        own = {name: getattr(self.limits, name) for name in LimitsConfig.__dataclass_fields__}
        return Limits(**own, retention=self.retention.nanos())

    @property
    def host_bounds(self) -> Bounds:
        return Bounds(**{name: getattr(self.bounds, name) for name in BoundsConfig.__dataclass_fields__})


def load_config(
    mapping: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Config:
    """Flags win over the environment, the environment over the mapping. ConfigErrors tells all problems together."""
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    merged = {**(mapping or {}), **given}
    hidden = {env_name(name) for name in given}
    left = {name: value for name, value in (environ or {}).items() if name not in hidden}
    problems = _store_problems(left.get(env_name("store")) or merged.get("store"))
    try:
        config = load(Config, merged, left, known_env=SDK_VARIABLES)
    except ConfigErrors as errors:
        raise ConfigErrors([*errors.problems, *problems]) from None
    if problems:
        raise ConfigErrors(problems)
    return config


def _store_problems(url: object) -> list[str]:
    """Looked at apart from the rest, so that a wrong URL is told together with other problems."""
    if not isinstance(url, str) or not url:
        return []
    try:
        parse_store_url(url)
    except InvalidStoreUrl as invalid:
        return [f"store: {invalid}"]
    return []
