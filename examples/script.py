"""A plain script: starts a checkout at a running sidecar and waits for its result.

holdfast dev                                                    in one terminal
holdfast worker examples.checkout.workflows                     in another
python -m examples.script lantern 120 /tmp/ledger               here
"""

from __future__ import annotations

import sys
from pathlib import Path

import holdfast
from examples.checkout.workflows import Order, Shipment, checkout


def main(item: str, amount: str, ledger: str) -> None:
    Path(ledger).touch()
    with holdfast.SyncClient() as client:
        handle = client.start(checkout, Order(item, int(amount), ledger))
        print(f"started {handle.id}")
        handle.send("shipped", Shipment("HF-1"))
        print(handle.result(timeout=60))


if __name__ == "__main__":
    main(*sys.argv[1:])
