"""The processes of `holdfast cluster` and of the Compose file: every setting is one that the programs know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast_cli.cluster.plan import Wanted, parts
from holdfast_sidecar.config import load_config

_COMPOSE = Path(__file__).parents[3] / "deploy" / "compose" / "compose.yaml"


def _services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(_COMPOSE.read_text())["services"]
    return found


def _wanted(folder: Path) -> Wanted:
    return Wanted(folder=folder, etcds=3)


def test_every_process_has_a_port_and_a_name_of_its_own(tmp_path: Path) -> None:
    plan = parts(_wanted(tmp_path), etcd=Path("etcd"), redis=Path("redis"))
    assert len({part.name for part in plan}) == len({part.port for part in plan}) == len(plan) == 3 + 1 + 3 + 3


def test_a_store_of_somebody_else_is_not_started(tmp_path: Path) -> None:
    names = {part.name for part in parts(_wanted(tmp_path), etcd=Path("etcd"), redis=None)}
    assert "store" not in names


def test_sidecars_of_the_plan_know_all_their_settings(tmp_path: Path) -> None:
    plan = parts(_wanted(tmp_path), etcd=Path("etcd"), redis=Path("redis"))
    configs = [load_config(None, part.environ, {}) for part in plan if part.name.startswith("sidecar")]
    assert len({config.placement.host_id for config in configs}) == 3
    assert all(len(config.placement.addresses) == 3 for config in configs)


@pytest.mark.parametrize("name", ["sidecar-0", "sidecar-1"])
def test_sidecars_of_the_compose_file_know_all_their_settings(name: str) -> None:
    config = load_config(None, _services()[name]["environment"], {})
    assert config.placement.host_id == name
    assert config.placement.peer_address == f"{name}:50002"


def test_the_compose_file_names_only_images_and_services_that_there_are() -> None:
    services = _services()
    for service in services.values():
        assert set(service.get("depends_on", {})) <= services.keys()
        if "build" in service:
            assert (_COMPOSE.parent / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
