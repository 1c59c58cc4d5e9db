"""Unmodified clients from the package index, each in an environment of its own, against a real sidecar process."""

from pathlib import Path

import pytest

from tests.support.clients.sidecar import SidecarProcess
from tests.support.clients.suites import run_module

HERE = Path(__file__).parent
FOLDERS = (
    ("durabletask", "durabletask"),
    ("durabletask", "durabletask/microsoft"),
    ("durabletask-dapr", "durabletask"),
    ("durabletask-dapr", "durabletask/legacy"),
    ("dapr", "dapr"),
)
MODULES = [
    pytest.param(client, module, id=f"{client}-{module.stem.removeprefix('test_')}")
    for client, folder in FOLDERS
    for module in sorted((HERE / folder).glob("test_*.py"))
]


@pytest.mark.parametrize(("client", "module"), MODULES)
def test_an_unmodified_client_finds_what_it_expects(client: str, module: Path) -> None:
    root = HERE / module.relative_to(HERE).parts[0]
    with SidecarProcess() as sidecar:
        result = run_module(client, module, sidecar, root=root)
    assert not result.failures, "\n\n".join(result.failures)
    assert result.passed
