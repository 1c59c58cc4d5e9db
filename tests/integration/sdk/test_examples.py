"""The small examples, as processes beside a sidecar."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.running.sidecars import clean_env
from tests.support.ports import free_port
from tests.support.procs import Child, wait_until


@pytest.fixture
def env(address: str) -> dict[str, str]:
    return clean_env({"HOLDFAST_ADDRESS": address})


@pytest.fixture
def worker(tmp_path: Path, env: dict[str, str]) -> Iterator[Child]:
    args = ("-m", "holdfast_cli", "worker", "examples.checkout.workflows")
    with Child.python(*args, log=tmp_path / "worker.log", name="worker", env=env) as child:
        yield child


class Web:
    """An example with a port of its own."""

    def __init__(self, module: str, folder: Path, env: dict[str, str]) -> None:
        self.port = free_port()
        self.child = Child.python("-m", module, str(self.port), log=folder / "web.log", name=module, env=env)
        self.child.wait_port(self.port)

    def call(self, path: str, body: Any = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def until(self, path: str, **wanted: Any) -> Any:
        def found() -> Any:
            answer = self.call(path)[1]
            return answer if wanted.items() <= answer.items() else None

        return wait_until(found, f"{path} showing {wanted}")


def an_order(folder: Path) -> dict[str, Any]:
    ledger = folder / "ledger"
    ledger.touch()
    return {"item": "a lantern", "amount": 120, "ledger": str(ledger)}


def test_the_script_starts_waits_and_prints(tmp_path: Path, env: dict[str, str], worker: Child) -> None:
    worker.wait_line("connected to")
    ended = subprocess.run(
        [sys.executable, "-m", "examples.script", "lantern", "120", str(tmp_path / "ledger")],
        env={**env, "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "thank you for lantern; follow it with HF-1"


def test_the_asyncio_app_is_client_and_worker_in_one(tmp_path: Path, env: dict[str, str]) -> None:
    web = Web("examples.web_async", tmp_path, env)
    status, started = web.call("/orders", an_order(tmp_path))
    assert status == 202
    path = f"/orders/{started['id']}"
    web.until(path, status="RUNNING", stage='"paid, waiting for the parcel"')
    assert web.call(f"{path}/shipped", {"tracking": "HF-2"}) == (200, {})
    assert web.until(path, status="COMPLETED")["result"] == '"thank you for a lantern; follow it with HF-2"'
    assert web.call("/orders/nobody")[0] == 404
    assert web.child.terminate() == 0


@pytest.mark.usefixtures("worker")
def test_the_app_without_a_loop_starts_and_shows(tmp_path: Path, env: dict[str, str]) -> None:
    web = Web("examples.web_sync", tmp_path, env)
    status, started = web.call("/orders", an_order(tmp_path))
    assert status == 202
    web.until(f"/orders/{started['id']}", status="RUNNING", stage='"paid, waiting for the parcel"')
    assert web.call("/orders/nobody")[0] == 404
    web.child.kill()
