"""What became of registers and bags, against what those who used them were told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from tests.integration.cluster.objects import Bag, Register, Used
from tests.support.linear import is_linearizable


def read_objects(folder: Path) -> list[Used]:
    path = folder / "objects"
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [msgspec.json.decode(line, type=Used) for line in lines]


def check_objects(used: Sequence[Used]) -> Iterator[str]:
    for one in used:
        match one:
            case Register() if not is_linearizable(one.operations):
                yield f"register {one.id!r}: no order of its operations explains what was answered: {one.operations}"
            case Bag() if sorted(one.added) != one.found:
                yield f"bag {one.id!r}: expected {sorted(one.added)}, each once, found {one.found}"
            case _:
                pass


def facts_of(used: Sequence[Used]) -> str:
    registers = [one for one in used if isinstance(one, Register)]
    bags = [one for one in used if isinstance(one, Bag)]
    operations = sum(len(one.operations) for one in registers)
    return (
        f"{len(registers)} registers with {operations} operations, "
        f"{len(bags)} bags with {sum(len(one.added) for one in bags)} acknowledged adds"
    )
