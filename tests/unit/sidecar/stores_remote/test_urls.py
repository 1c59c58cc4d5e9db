from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast_sidecar.stores.urls import (
    Address,
    InvalidStoreUrl,
    MemoryUrl,
    PostgresUrl,
    RedisMode,
    RedisUrl,
    SqliteUrl,
    Tls,
    parse_store_url,
    redacted,
)


def _redis(url: str) -> RedisUrl:
    parsed = parse_store_url(url)
    assert isinstance(parsed, RedisUrl)
    return parsed


def _postgres(url: str) -> PostgresUrl:
    parsed = parse_store_url(url)
    assert isinstance(parsed, PostgresUrl)
    return parsed


def test_memory_has_nothing_more_to_say() -> None:
    assert parse_store_url("memory:") == MemoryUrl()
    assert parse_store_url("memory://") == MemoryUrl()


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///holdfast.db", "holdfast.db"),
        ("sqlite:///.holdfast/data", ".holdfast/data"),
        ("sqlite:////var/lib/holdfast.db", "/var/lib/holdfast.db"),
        ("sqlite:///with%20space.db", "with space.db"),
    ],
)
def test_a_sqlite_path_is_relative_with_three_slashes_and_absolute_with_four(url: str, path: str) -> None:
    assert parse_store_url(url) == SqliteUrl(path)


def test_a_redis_url_gives_host_account_and_database() -> None:
    assert _redis("redis://shop:p%40ss@cache:7000/3") == RedisUrl(
        mode=RedisMode.STANDALONE,
        addresses=(Address("cache", 7000),),
        username="shop",
        password=_redis("redis://:p%40ss@cache").password,
        database=3,
    )
    assert _redis("redis://:p%40ss@cache").password == "p@ss"
    assert _redis("redis://cache").addresses == (Address("cache", 6379),)
    assert _redis("redis://[::1]:7000").addresses == (Address("::1", 7000),)


def test_rediss_is_tls_with_files_that_it_may_name() -> None:
    assert _redis("redis://cache").tls is None
    assert _redis("rediss://cache").tls == Tls()
    assert _redis("rediss://cache?ca=/ca.pem&cert=/c.pem&key=/k.pem").tls == Tls("/ca.pem", "/c.pem", "/k.pem")


def test_a_sentinel_url_names_sentinels_master_and_database() -> None:
    url = _redis("redis+sentinel://:pw@a:1,b/orders/2?sentinel_password=other&wait_replicas=1&wait_timeout=250ms")
    assert (url.mode, url.addresses) == (RedisMode.SENTINEL, (Address("a", 1), Address("b", 26379)))
    assert (url.master, url.database) == ("orders", 2)
    assert (url.password, url.sentinel_password) == ("pw", "other")
    assert (url.wait_replicas, url.wait_timeout) == (1, timedelta(milliseconds=250))


def test_a_cluster_url_names_some_nodes() -> None:
    url = _redis("rediss+cluster://a:1,b,[::1]:3?timeout=2s&connections=3&prefix=shop")
    assert (url.mode, url.tls) == (RedisMode.CLUSTER, Tls())
    assert url.addresses == (Address("a", 1), Address("b", 6379), Address("::1", 3))
    assert (url.timeout, url.connections_max, url.prefix) == (timedelta(seconds=2), 3, "shop")


def test_a_postgres_url_keeps_what_is_the_drivers_and_takes_what_is_ours() -> None:
    url = _postgres("postgresql://shop:pw@db:5433/orders?schema=flows&sslmode=require&timeout=10s&connections=2")
    assert url.dsn == "postgresql://shop:pw@db:5433/orders?sslmode=require"
    assert (url.server, url.schema) == ("db:5433/orders", "flows")
    assert (url.timeout, url.connections_max) == (timedelta(seconds=10), 2)
    assert _postgres("postgres://db/orders").schema == "holdfast"


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("mysql://db/orders", "scheme 'mysql': expected one of memory:, sqlite:"),
        ("", "scheme ''"),
        ("memory:other", "expected just memory:"),
        ("sqlite:file.db", "expected a file: sqlite:///file.db"),
        ("sqlite://host/file.db", "expected a file"),
        ("sqlite:///", "expected a file"),
        ("sqlite:///folder/", "expected a file"),
        ("sqlite:///file.db?mode=ro", "option 'mode': expected no options"),
        ("redis://", "host '': expected host or host:port"),
        ("redis://cache:port", "host 'cache:port'"),
        ("redis://cache:99999", "a port from 1 to 65535"),
        ("redis://a,b", "expected one host, found 2"),
        ("redis://cache/one", "database 'one': expected one number"),
        ("redis://cache/1/2", "database '1/2'"),
        ("redis://cache?tmeout=1s", "option 'tmeout': expected one of timeout, connections"),
        ("redis://cache?timeout=5", "option timeout: duration '5'"),
        ("redis://cache?timeout=0s", "option timeout: expected more than zero"),
        ("redis://cache?connections=0", "option connections: expected at least 1"),
        ("redis://cache?wait_replicas=-1", "option wait_replicas: expected a whole number"),
        ("redis://cache?prefix={x}", "option prefix: expected letters"),
        ("redis://cache?timeout=1s&timeout=2s", "option 'timeout': expected once"),
        ("redis://cache?ca=/ca.pem", "option 'ca'"),
        ("rediss://cache?cert=/c.pem", "options cert and key: expected both or none"),
        ("redis+sentinel://a,b", "expected the master's name"),
        ("redis+sentinel://a/orders/x", "database 'x'"),
        ("redis+cluster://a/1", "a cluster has only database 0"),
        ("redis://cache#1", "expected no '#'"),
        ("redis://[::1", "expected one of memory:"),
        ("postgresql://db", "expected a database"),
        ("postgresql://db/orders?schema=Flows", "option schema: expected lower-case letters"),
        ("postgresql://db/orders?schema=a;b", "option schema"),
        ("postgresql://db/orders?pool=3", "option 'pool': expected one of schema, timeout"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused_with_what_was_expected(url: str, what: str) -> None:
    with pytest.raises(InvalidStoreUrl) as refusal:
        parse_store_url(url)
    assert what in str(refusal.value)


SECRETIVE = [
    "redis://shop:hunter2@cache/x",
    "redis+sentinel://a/orders/x?sentinel_password=hunter2",
    "postgresql://shop:hunter2@db",
    "postgresql://db?password=hunter2&x=1",
    "mysql://shop:hunter2@db",
]


@pytest.mark.parametrize("url", SECRETIVE)
def test_no_error_shows_a_password(url: str) -> None:
    with pytest.raises(InvalidStoreUrl) as refusal:
        parse_store_url(url)
    assert "hunter2" not in str(refusal.value)
    assert "***" in redacted(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://shop:hunter2@cache",
        "redis+sentinel://:hunter2@a/orders?sentinel_password=hunter2",
        "postgresql://shop:hunter2@db/orders",
    ],
)
def test_no_repr_shows_a_password(url: str) -> None:
    assert "hunter2" not in repr(parse_store_url(url))
    assert "hunter2" not in redacted(url)


@given(
    st.text(max_size=40) | st.from_regex(r"(redis|rediss\+cluster|postgres|sqlite)://?/?[!-~]{0,30}", fullmatch=True)
)
def test_any_text_is_a_store_or_a_named_error(text: str) -> None:
    with suppress(InvalidStoreUrl):
        parse_store_url(text)
