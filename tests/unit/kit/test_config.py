from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from holdfast_kit.config import ConfigErrors, keys, load
from holdfast_kit.config_values import Between


class Level(StrEnum):
    LOW = "low"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Grpc:
    port: Annotated[int, Between(1, 65535)] = 50001
    host: str = "127.0.0.1"
    message_bytes: int = 4 << 20


@dataclass(frozen=True, slots=True)
class Config:
    app_id: str
    grpc: Grpc = field(default_factory=Grpc)
    lease: Annotated[timedelta, Between(timedelta(seconds=1), timedelta(minutes=1))] = timedelta(seconds=3)
    level: Level = Level.LOW
    mode: Literal["hash", "local-first"] = "hash"
    verbose: bool = False
    ratio: float = 0.5
    data_dir: Path | None = None
    hosts: tuple[str, ...] = ()
    labels: dict[str, int] = field(default_factory=dict[str, int])
    token: str = field(default="", repr=False)
    pin: int = field(default=0, repr=False)


def _problems(mapping: Mapping[str, object], environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigErrors) as caught:
        load(Config, {"app_id": "shop", **mapping}, environ)
    return caught.value.problems


def test_defaults_mapping_and_environment_are_laid_over_one_another() -> None:
    mapping = {"app_id": "shop", "grpc": {"port": 1, "host": "a"}, "lease": "10s"}
    config = load(Config, mapping, {"HOLDFAST_GRPC_PORT": "2", "HOLDFAST_VERBOSE": "", "PATH": "/bin"})
    assert config == Config("shop", Grpc(port=2, host="a"), timedelta(seconds=10))


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("lease", "90s", None),
        ("lease", 5, None),
        ("lease", "1m", timedelta(minutes=1)),
        ("level", "high", Level.HIGH),
        ("level", "middle", None),
        ("mode", "local-first", "local-first"),
        ("verbose", "yes", True),
        ("verbose", False, False),
        ("verbose", 2, None),
        ("ratio", 1, 1.0),
        ("ratio", "0.25", 0.25),
        ("ratio", "nan", None),
        ("ratio", True, None),
        ("data_dir", None, None),
        ("data_dir", "/var", Path("/var")),
        ("hosts", "a, b,", ("a", "b")),
        ("hosts", ["a", "b"], ("a", "b")),
        ("hosts", 1, None),
        ("labels", "a=1,b=2", {"a": 1, "b": 2}),
        ("labels", {"a": 1}, {"a": 1}),
        ("labels", {"a": "x"}, None),
        ("labels", "a", None),
        ("app_id", 7, None),
    ],
)
def test_values_are_read_by_the_type_of_their_field(name: str, given: object, expected: Any) -> None:
    if expected is None and given is not None:
        assert _problems({name: given})[0].startswith(f"{name}: expected ")
    else:
        assert getattr(load(Config, {"app_id": "shop", name: given}), name) == expected


def test_sizes_may_be_written_with_a_unit() -> None:
    assert load(Config, {"app_id": "a", "grpc": {"message_bytes": "16MiB"}}).grpc.message_bytes == 16 << 20
    assert load(Grpc, {}, {"HOLDFAST_MESSAGE_BYTES": "1KiB"}).message_bytes == 1024


def test_all_problems_are_reported_together_and_name_subject_expectation_and_find() -> None:
    with pytest.raises(ConfigErrors) as caught:
        load(Config, {"grpc": {"prot": 1, "port": 0}, "leese": "3s"}, {"HOLDFAST_RATIO": "half"})
    assert sorted(caught.value.problems) == [
        "HOLDFAST_RATIO (ratio): expected a number, found 'half'",
        "app_id: expected a value, found none; set app_id or HOLDFAST_APP_ID",
        "grpc.port: expected between 1 and 65535, found 0",
        "grpc.prot: unknown key; did you mean grpc.port?",
        "leese: unknown key; did you mean lease?",
    ]
    assert str(caught.value).count("\n") == 5


def test_an_unknown_key_that_resembles_nothing_is_answered_with_what_is_known() -> None:
    assert _problems({"grpc": {"zzz": 1}}) == ("grpc.zzz: unknown key; known here: port, host, message_bytes",)


def test_a_section_must_be_a_mapping_and_an_empty_one_is_its_defaults() -> None:
    assert _problems({"grpc": 5}) == ("grpc: expected a mapping, found int",)
    assert load(Config, {"app_id": "a", "grpc": None}).grpc == Grpc()


def test_a_slip_in_a_variable_is_refused_and_foreign_names_under_the_prefix_are_not() -> None:
    assert _problems({}, {"HOLDFAST_GRPC_PROT": "1"}) == (
        "HOLDFAST_GRPC_PROT: unknown variable; did you mean HOLDFAST_GRPC_PORT?",
    )
    load(Config, {"app_id": "a"}, {"HOLDFAST_PLACEMENT_SERVICE_HOST": "10.0.0.1"})
    load(Config, {"app_id": "a"}, {"HOLDFAST_GRPC_PORTS": "1"}, known_env=["HOLDFAST_GRPC_PORTS"])


def test_a_secret_never_stands_in_a_message() -> None:
    assert _problems({"pin": "hunter2"}) == ("pin: expected a whole number, found str",)


def test_bounds_may_be_open_at_one_side() -> None:
    assert (str(Between(least=1)), str(Between(most=timedelta(seconds=3)))) == ("at least 1", "at most 3s")
    assert Between(least=1).holds(5)
    assert not Between(most=3).holds(5)


def test_a_check_over_several_fields_is_reported_with_its_section() -> None:
    @dataclass(frozen=True)
    class Range:
        low: int = 0
        high: int = 1

        def __post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError(f"expected low <= high, found {self.low} > {self.high}")

    with pytest.raises(ConfigErrors, match="expected low <= high, found 5 > 1"):
        load(Range, {"low": 5})


def test_keys_lists_every_setting_with_its_variable_and_default() -> None:
    listed = {key.path: key for key in keys(Config)}
    assert listed["grpc.port"].env == "HOLDFAST_GRPC_PORT"
    assert listed["grpc.port"].default == 50001
    assert listed["token"].is_secret
    assert "grpc" not in listed


def test_two_settings_with_one_variable_are_an_error_of_the_author() -> None:
    @dataclass(frozen=True)
    class Clash:
        grpc: Grpc = field(default_factory=Grpc)
        grpc_port: int = 0

    with pytest.raises(TypeError, match="both read HOLDFAST_GRPC_PORT"):
        load(Clash)


def test_a_type_that_cannot_be_read_is_an_error_of_the_author() -> None:
    @dataclass(frozen=True)
    class Odd:
        when: object = None

    with pytest.raises(TypeError, match="when: a configuration field cannot be of type"):
        load(Odd, {"when": 1})
