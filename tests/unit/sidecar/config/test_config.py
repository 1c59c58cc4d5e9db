"""What a sidecar can be told, by whom, and what it makes of nonsense."""

from datetime import timedelta
from pathlib import Path

import pytest

from holdfast_kit.config import ConfigErrors, keys
from holdfast_proto.history import Status
from holdfast_sidecar.actors.host import Bounds
from holdfast_sidecar.config import Config, load_config
from holdfast_sidecar.core.limits import DEFAULT_LIMITS

REFERENCE = Path(__file__).parents[4] / "docs" / "configuration.md"


def problems_of(mapping: dict[str, object], environ: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigErrors) as caught:
        load_config(mapping, environ)
    return caught.value.problems


def test_nothing_said_gives_the_documented_ports_and_the_core_defaults() -> None:
    config = load_config()
    assert (config.grpc_port, config.http_port, config.data_dir) == (50001, 3500, Path(".holdfast"))
    assert config.instance_limits == DEFAULT_LIMITS
    assert config.host_bounds == Bounds()


def test_flags_win_over_the_environment_and_that_over_the_file() -> None:
    mapping: dict[str, object] = {"grpc_port": 1, "http_port": 2, "app_id": "file"}
    environ = {"HOLDFAST_GRPC_PORT": "3", "HOLDFAST_HTTP_PORT": "4"}
    config = load_config(mapping, environ, {"http_port": "5", "data_dir": None})
    assert (config.grpc_port, config.http_port, config.app_id) == (3, 5, "file")


def test_all_problems_come_together() -> None:
    problems = problems_of(
        {"prots": 1, "partitions": 0, "limits": {"payload_bytes_max": "x"}, "store": "mysql://x"},
        {"HOLDFAST_GRPC_PORT": "70000"},
    )
    subjects = sorted(problem.split(":")[0] for problem in problems)
    assert subjects == ["HOLDFAST_GRPC_PORT (grpc_port)", "limits.payload_bytes_max", "partitions", "prots", "store"]


def test_a_wrong_store_url_is_told_without_its_password() -> None:
    (problem,) = problems_of({"store": "redis://me:hunter2@host:x/0"})
    assert "hunter2" not in problem
    assert "port from 1 to 65535" in problem


def test_a_token_is_not_shown() -> None:
    assert "s3cret" not in repr(load_config({"api_token": "s3cret", "store": "redis://:s3cret@host"}))


@pytest.mark.parametrize(
    "mapping",
    [
        {"grpc_port": 4000, "http_port": 4000},
        {"namespace": ""},
        {"placement": {"tls_key": "key.pem"}},
        {"retention": {"failed": "-1s"}},
        {"drain_limit": "fast"},
        {"log": {"level": "loud"}},
    ],
)
def test_what_cannot_be_meant_is_refused(mapping: dict[str, object]) -> None:
    assert len(problems_of(mapping)) == 1


def test_both_ports_may_be_left_to_the_system() -> None:
    assert load_config({"grpc_port": 0, "http_port": 0}).grpc_port == 0


def test_a_status_of_its_own_beats_the_retention_of_any() -> None:
    config = load_config({"retention": {"any_terminal": "1d", "failed": "7d", "completed": "0s"}})
    day = timedelta(days=1) // timedelta(microseconds=1) * 1000
    assert config.instance_limits.retention == {
        Status.COMPLETED: 0,
        Status.FAILED: 7 * day,
        Status.CANCELED: day,
        Status.TERMINATED: day,
    }


def test_without_retention_everything_is_kept() -> None:
    assert load_config().instance_limits.retention == {}


def test_the_reference_page_names_every_setting_and_its_variable() -> None:
    page = REFERENCE.read_text(encoding="utf-8")
    missing = [key.path for key in keys(Config) if f"`{key.path}`" not in page or f"`{key.env}`" not in page]
    assert missing == []
