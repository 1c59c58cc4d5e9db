"""What can be set, and what is refused before anything starts."""

from datetime import timedelta

import pytest

from holdfast_kit.config import ConfigErrors, load
from holdfast_placement.config import Config


def test_the_defaults_are_local_and_plain() -> None:
    config = load(Config)
    assert (config.listen.address, config.http.address) == ("127.0.0.1:50005", "127.0.0.1:8081")
    assert config.lease == timedelta(seconds=3)
    assert config.tls.files is None
    assert config.replica


def test_file_and_environment_meet() -> None:
    etcd = {"endpoints": ["a:1", "b:2"], "user": "us"}
    mapping = {"lease": "1s", "etcd": etcd, "tls": {"ca": "c", "cert": "d", "key": "e"}}
    config = load(Config, mapping, {"HOLDFAST_ETCD_PASSWORD": "secret", "HOLDFAST_LEASE": "2s"})
    assert (config.lease, config.etcd.endpoints) == (timedelta(seconds=2), ("a:1", "b:2"))
    assert config.tls.files is not None
    assert "secret" not in repr(config)


@pytest.mark.parametrize(
    ("mapping", "text"),
    [
        ({"tls": {"ca": "x"}}, "expected ca, cert and key together"),
        ({"etcd": {"user": "us"}}, "expected user and password"),
        ({"etcd": {"password": "x"}}, "expected user and password"),
        ({"etcd": {"endpoints": []}}, "expected at least one host:port"),
        ({"etcd": {"prefix": "holdfast"}}, "expected a path like /holdfast/v1"),
        ({"replica_id": "a b"}, "replica_id: expected 1 to 128"),
        ({"lease": "10ms"}, "expected between 300ms and 5m"),
        ({"log": {"level": "LOUD"}}, "expected one of DEBUG, INFO"),
    ],
)
def test_what_cannot_work_is_named(mapping: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigErrors, match=text):
        load(Config, mapping)
