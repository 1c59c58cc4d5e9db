"""`make run`: starts a sidecar, runs the shop, kills the sidecar in the middle, and shows that nothing was lost."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import holdfast
from examples.checkout import workflows
from examples.checkout.workflows import CardDeclined, Order, Shipment, checkout
from examples.timeline import timeline

START_LIMIT = 60.0  # seconds that a sidecar may take to start on a slow machine
RUN_LIMIT = 90.0
POLL = 0.05


class Sidecar:
    """`holdfast dev` as a process of its own, on free ports."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._grpc_port, self._http_port = free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._grpc_port}"

    def start(self) -> None:
        flags = ["--grpc-port", str(self._grpc_port), "--http-port", str(self._http_port)]
        with (self._folder / "sidecar.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "holdfast_cli", "dev", *flags, "--data-dir", str(self._folder / "state")],
                stdout=log,
                stderr=log,
            )

    def end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def say(text: str) -> None:
    print(text, flush=True)


async def shop(sidecar: Sidecar, folder: Path) -> None:
    async with (
        holdfast.Client(sidecar.address) as client,
        holdfast.Worker(workflows, address=sidecar.address),
    ):
        order = new_order("a lantern", 120, folder / "ledger-1")
        handle = await client.start(checkout, order, id="order-7")
        say(f"started {handle.id}: {order.item} for {order.amount}")
        await until_status(handle, "paid")
        say("paid; now the sidecar is killed with SIGKILL ...")
        sidecar.end(signal.SIGKILL)
        sidecar.start()
        await handle.send("shipped", Shipment("HF-2291"))
        say("... and started again; the parcel's event was accepted")
        say(f"result: {await handle.result()}")
        say("\nwhat happened to order-7:")
        show(timeline(await handle.history()))
        say("\nits ledger (what the outside world saw):")
        show(lines_of(order.ledger))
        await declined(client, folder)


async def declined(client: holdfast.Client, folder: Path) -> None:
    order = new_order("a grand piano", 90_000, folder / "ledger-2")
    handle = await client.start(checkout, order, id="order-8")
    try:
        await handle.result()
    except holdfast.WorkflowFailed as error:
        say(f"\norder-8 failed as it should: {error.message}")
        if error.kind != CardDeclined.__name__:
            raise
    say("and what it had reserved was given back:")
    show(lines_of(order.ledger))


async def until_status(handle: holdfast.Handle[str], wanted: str) -> None:
    """Asks again and again, as a page in a browser would."""
    while wanted not in ((await handle.get()).custom_status or ""):  # noqa: ASYNC110 - the state is in another process
        await asyncio.sleep(POLL)


def new_order(item: str, amount: int, ledger: Path) -> Order:
    ledger.touch()
    return Order(item, amount, str(ledger))


def lines_of(ledger: str) -> list[str]:
    return Path(ledger).read_text(encoding="utf-8").splitlines()


def show(lines: Iterable[str]) -> None:
    for line in lines:
        say(f"  {line}")


async def main() -> None:
    logging.basicConfig(level=logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="holdfast-run-") as name:
        folder = Path(name)
        sidecar = Sidecar(folder)
        sidecar.start()
        say(f"sidecar on {sidecar.address}, its state in {folder / 'state'}")
        try:
            async with asyncio.timeout(START_LIMIT + RUN_LIMIT):
                await shop(sidecar, folder)
        except BaseException:
            say((folder / "sidecar.log").read_text(encoding="utf-8"))
            raise
        finally:
            sidecar.end(signal.SIGTERM)
    say("\nAll of it survived. Next: docs/quickstart.md")


if __name__ == "__main__":
    asyncio.run(main())
