"""The shop's workflow and activities. Run them with `holdfast worker examples.checkout.workflows`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import holdfast


@dataclass
class Order:
    item: str
    amount: int
    ledger: str  # the file that stands for the outside world


@dataclass
class Receipt:
    order: str
    charged: int


@dataclass
class Shipment:
    tracking: str


class CardDeclined(Exception):
    """The bank says no; trying again does not help."""


class BankBusy(Exception):
    """The bank does not answer; trying again may help."""


PATIENT = holdfast.Retry(attempts=5, first=0.2, non_retryable=[CardDeclined])


def note(ledger: str, line: str) -> None:
    with Path(ledger).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


@holdfast.activity
def reserve(order: Order) -> str:
    note(order.ledger, f"reserved {order.item}")
    return f"reservation of {order.item}"


@holdfast.activity
def release(order: Order, reservation: str) -> None:
    note(order.ledger, f"released: {reservation}")


@holdfast.activity(raises=[CardDeclined])
def charge(order: Order) -> Receipt:
    tries = Path(order.ledger).read_text(encoding="utf-8").count("asked the bank")
    note(order.ledger, "asked the bank")
    if order.amount > 1_000:
        raise CardDeclined(f"a limit of 1000 is below {order.amount}")
    if tries == 0:
        raise BankBusy("call again in a moment")
    note(order.ledger, f"charged {order.amount}")
    return Receipt(order.item, order.amount)


@holdfast.activity
async def send_thanks(receipt: Receipt, shipment: Shipment) -> str:
    return f"thank you for {receipt.order}; follow it with {shipment.tracking}"


@holdfast.workflow
async def checkout(ctx: holdfast.Context, order: Order) -> str:
    """Reserve, charge, wait for the parcel, thank; and undo the reservation when the card is declined."""
    async with ctx.saga() as saga:
        reservation = await ctx.call(reserve, order)
        saga.compensate(release, order, reservation)
        receipt = await ctx.call(charge, order, retry=PATIENT)
    ctx.set_status("paid, waiting for the parcel")
    shipment = await ctx.event("shipped", Shipment, timeout=3600)
    await ctx.sleep(0.5)
    return await ctx.call(send_thanks, receipt, shipment)
