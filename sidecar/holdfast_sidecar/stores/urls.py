"""Store URLs: text in, a validated description out. Nothing is connected to and no store is made here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Final, TypeAlias, TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode

from msgspec import Struct

from holdfast_kit.durations import InvalidDuration, parse_duration

T = TypeVar("T")

REDIS_TIMEOUT: Final = timedelta(seconds=5)  # longer than a rewrite of the append-only file stalls a healthy server
REDIS_WAIT_TIMEOUT: Final = timedelta(seconds=1)
REDIS_PREFIX: Final = "hf"
POSTGRES_TIMEOUT: Final = timedelta(seconds=30)
POSTGRES_SCHEMA: Final = "holdfast"
CONNECTIONS_MAX: Final = 8  # one carries the commits, the others reads beside it


class InvalidStoreUrl(ValueError):
    """A store URL that cannot be meant as it is. The text never shows a password."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(f"store URL {redacted(url)!r}: {problem}")
        self.problem = problem


class Secret(str):
    """Text that a repr does not show, so that no log does."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'" if self else "''"


class Address(Struct, frozen=True):
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class MemoryUrl(Struct, frozen=True):
    """Nothing is kept when the process ends."""


class SqliteUrl(Struct, frozen=True):
    """`path` as written: relative to the working directory unless it starts with a slash."""

    path: str


class RedisMode(StrEnum):
    STANDALONE = "standalone"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


class Tls(Struct, frozen=True):
    """Files in PEM; without `ca` the system's authorities count."""

    ca: str = ""
    cert: str = ""
    key: str = ""


class RedisUrl(Struct, frozen=True, kw_only=True):
    mode: RedisMode
    addresses: tuple[Address, ...]  # of the server, of the sentinels, of some nodes of the cluster
    username: str = ""
    password: Secret = Secret("")
    database: int = 0
    master: str = ""  # what the sentinels call it
    sentinel_username: str = ""
    sentinel_password: Secret = Secret("")
    tls: Tls | None = None
    timeout: timedelta = REDIS_TIMEOUT
    connections_max: int = CONNECTIONS_MAX
    prefix: str = REDIS_PREFIX  # of all keys: one for each namespace that shares the server
    wait_replicas: int = 0  # replicas that must have a write before it counts as done
    wait_timeout: timedelta = REDIS_WAIT_TIMEOUT


class PostgresUrl(Struct, frozen=True, kw_only=True):
    dsn: Secret  # what the driver gets: without the options that are ours
    server: str  # for messages
    schema: str = POSTGRES_SCHEMA
    timeout: timedelta = POSTGRES_TIMEOUT
    connections_max: int = CONNECTIONS_MAX


StoreUrl: TypeAlias = MemoryUrl | SqliteUrl | RedisUrl | PostgresUrl

_FORMS: Final = (
    "memory:, sqlite:///file.db, sqlite:////absolute/file.db, redis://host:6379/0, rediss://host:6379/0 (TLS), "
    "redis+sentinel://host:26379,host:26379/master/0, redis+cluster://host:6379,host:6379, "
    "postgresql://user@host:5432/database?schema=holdfast"
)
_REDIS_SCHEMES: Final = {
    f"redis{tls}{suffix}": (mode, bool(tls))
    for suffix, mode in (("", RedisMode.STANDALONE), ("+sentinel", RedisMode.SENTINEL), ("+cluster", RedisMode.CLUSTER))
    for tls in ("", "s")
}
_REDIS_OPTIONS: Final = ("timeout", "connections", "prefix", "wait_replicas", "wait_timeout")
_TLS_OPTIONS: Final = ("ca", "cert", "key")
_SENTINEL_OPTIONS: Final = ("sentinel_username", "sentinel_password")
_POSTGRES_OPTIONS: Final = ("schema", "timeout", "connections")
_POSTGRES_DRIVER_OPTIONS: Final = (
    "host", "port", "user", "password", "dbname", "passfile", "sslmode", "sslcert", "sslkey", "sslpassword",
    "sslrootcert", "sslcrl", "sslnegotiation", "ssl_min_protocol_version", "ssl_max_protocol_version",
    "target_session_attrs", "application_name",
)  # fmt: skip
_SCHEMA_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_KEY_PREFIX: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PARTS: Final = re.compile(r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)
_PASSWORD: Final = re.compile(r"(?<=://)([^@/?#]*?):([^@/?#]*)@|((?:^|[?&])\w*password=)[^&#]*")


def redacted(url: str) -> str:
    """The URL as logs may show it."""
    return _PASSWORD.sub(lambda found: f"{found[3]}***" if found[3] else f"{found[1]}:***@", url)


def parse_store_url(url: str) -> StoreUrl:
    """What the URL says; InvalidStoreUrl tells what is wrong and what was expected."""
    parts = _split(url)
    if parts.fragment:
        raise InvalidStoreUrl(url, "expected no '#'; write it as %23 where a name or password has one")
    if parts.scheme == "memory":
        return _memory(url, parts)
    if parts.scheme == "sqlite":
        return _sqlite(url, parts)
    if parts.scheme in _REDIS_SCHEMES:
        return _redis(url, parts)
    if parts.scheme in ("postgresql", "postgres"):
        return _postgres(url, parts)
    raise InvalidStoreUrl(url, f"scheme {parts.scheme!r}: expected one of {_FORMS}")


def _split(url: str) -> SplitResult:
    """As RFC 3986 has it. urllib of newer Pythons refuses several hosts when a later one has brackets."""
    found = _PARTS.fullmatch(url)
    assert found is not None, "every part may be empty, and together they take every text"
    scheme, netloc, path, query, fragment = (part or "" for part in found.groups())
    if netloc.count("[") != netloc.count("]"):
        raise InvalidStoreUrl(url, f"expected each [ of an IPv6 address to have its ]; expected one of {_FORMS}")
    return SplitResult(scheme.lower(), netloc, path, query, fragment)


def _memory(url: str, parts: SplitResult) -> MemoryUrl:
    if parts.netloc or parts.path.strip("/") or parts.query:
        raise InvalidStoreUrl(url, "expected just memory:")
    return MemoryUrl()


def _sqlite(url: str, parts: SplitResult) -> SqliteUrl:
    _options(url, parts, allowed=())
    path = unquote(parts.path.removeprefix("/"))
    if not url.startswith("sqlite:///") or not path or path.endswith("/"):
        raise InvalidStoreUrl(
            url, "expected a file: sqlite:///file.db beside the working directory, or sqlite:////absolute/file.db"
        )
    return SqliteUrl(path)


def _redis(url: str, parts: SplitResult) -> RedisUrl:
    mode, is_tls = _REDIS_SCHEMES[parts.scheme]
    extra = (*(_TLS_OPTIONS if is_tls else ()), *(_SENTINEL_OPTIONS if mode is RedisMode.SENTINEL else ()))
    options = _options(url, parts, allowed=(*_REDIS_OPTIONS, *extra))
    username, password = _credentials(parts)
    addresses = _addresses(url, parts, default=26379 if mode is RedisMode.SENTINEL else 6379)
    if mode is RedisMode.STANDALONE and len(addresses) != 1:
        raise InvalidStoreUrl(url, f"expected one host, found {len(addresses)}; use redis+sentinel: or redis+cluster:")
    master, database = _redis_path(url, parts, mode)
    return RedisUrl(
        mode=mode,
        addresses=addresses,
        username=username,
        password=password,
        database=database,
        master=master,
        sentinel_username=options.get("sentinel_username", ""),
        sentinel_password=Secret(options.get("sentinel_password", "")),
        tls=_tls(url, options) if is_tls else None,
        timeout=_option(url, options, "timeout", _positive, REDIS_TIMEOUT),
        connections_max=_option(url, options, "connections", _count, CONNECTIONS_MAX),
        prefix=_option(url, options, "prefix", _prefix, REDIS_PREFIX),
        wait_replicas=_option(url, options, "wait_replicas", _whole, 0),
        wait_timeout=_option(url, options, "wait_timeout", _positive, REDIS_WAIT_TIMEOUT),
    )


def _redis_path(url: str, parts: SplitResult, mode: RedisMode) -> tuple[str, int]:
    """Name of the master and number of the database."""
    steps = [unquote(step) for step in parts.path.split("/")[1:] if step]
    if mode is RedisMode.CLUSTER:
        if steps not in ([], ["0"]):
            raise InvalidStoreUrl(url, f"database {'/'.join(steps)!r}: expected none, a cluster has only database 0")
        return "", 0
    master = ""
    if mode is RedisMode.SENTINEL:
        if not steps:
            raise InvalidStoreUrl(url, "expected the master's name: redis+sentinel://host:26379/master/0")
        master, *steps = steps
    if len(steps) > 1 or not all(step.isdecimal() for step in steps):
        raise InvalidStoreUrl(url, f"database {'/'.join(steps)!r}: expected one number, or nothing for 0")
    return master, int(steps[0]) if steps else 0


def _tls(url: str, options: Mapping[str, str]) -> Tls:
    tls = Tls(*(options.get(name, "") for name in _TLS_OPTIONS))
    if bool(tls.cert) != bool(tls.key):
        raise InvalidStoreUrl(url, "options cert and key: expected both or none")
    return tls


def _postgres(url: str, parts: SplitResult) -> PostgresUrl:
    options = _options(url, parts, allowed=(*_POSTGRES_OPTIONS, *_POSTGRES_DRIVER_OPTIONS))
    if not parts.path.strip("/") and "dbname" not in options:
        raise InvalidStoreUrl(url, "expected a database: postgresql://user@host:5432/database")
    theirs = urlencode({name: value for name, value in options.items() if name not in _POSTGRES_OPTIONS})
    server = parts.netloc.rpartition("@")[2] or options.get("host", "localhost")
    return PostgresUrl(
        dsn=Secret(parts._replace(query=theirs).geturl()),
        server=f"{server}/{unquote(parts.path.strip('/')) or options['dbname']}",
        schema=_option(url, options, "schema", _schema, POSTGRES_SCHEMA),
        timeout=_option(url, options, "timeout", _positive, POSTGRES_TIMEOUT),
        connections_max=_option(url, options, "connections", _count, CONNECTIONS_MAX),
    )


def _credentials(parts: SplitResult) -> tuple[str, Secret]:
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    return unquote(user), Secret(unquote(password))


def _addresses(url: str, parts: SplitResult, *, default: int) -> tuple[Address, ...]:
    texts = parts.netloc.rpartition("@")[2].split(",")
    return tuple(_address(url, text, default) for text in texts)


def _address(url: str, text: str, default: int) -> Address:
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::(\d{1,5}))?", text)
    port = int(found[2] or default) if found else 0
    if found is None or not 0 < port < 65536:
        raise InvalidStoreUrl(url, f"host {text!r}: expected host or host:port with a port from 1 to 65535")
    return Address(found[1].strip("[]"), port)


def _options(url: str, parts: SplitResult, *, allowed: tuple[str, ...]) -> dict[str, str]:
    options = dict[str, str]()
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in allowed:
            expected = f"one of {', '.join(allowed)}" if allowed else "no options"
            raise InvalidStoreUrl(url, f"option {name!r}: expected {expected}")
        if name in options:
            raise InvalidStoreUrl(url, f"option {name!r}: expected once, found twice")
        options[name] = value
    return options


def _option(url: str, options: Mapping[str, str], name: str, parse: Callable[[str], T], default: T) -> T:
    if name not in options:
        return default
    try:
        return parse(options[name])
    except ValueError as error:
        raise InvalidStoreUrl(url, f"option {name}: {error}") from error


def _positive(text: str) -> timedelta:
    try:
        duration = parse_duration(text)
    except InvalidDuration as error:
        raise ValueError(str(error)) from error
    if duration <= timedelta(0):
        raise ValueError(f"expected more than zero, found {text!r}")
    return duration


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"expected a whole number, found {text!r}")
    return int(text)


def _count(text: str) -> int:
    number = _whole(text)
    if not number:
        raise ValueError("expected at least 1, found 0")
    return number


def _prefix(text: str) -> str:
    if not _KEY_PREFIX.fullmatch(text):
        raise ValueError(f"expected letters, digits, '-', '_' and '.' (at most 64), found {text!r}")
    return text


def _schema(text: str) -> str:
    if not _SCHEMA_NAME.fullmatch(text):
        raise ValueError(f"expected lower-case letters, digits and '_' (at most 63), found {text!r}")
    return text
