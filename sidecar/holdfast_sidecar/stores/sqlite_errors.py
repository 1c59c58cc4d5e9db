"""What SQLite's errors mean here."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw
import msgspec

from holdfast_sidecar.stores.contract import StoreError, StoreFull

# Raised by one commit's own values; the others of its batch can still be written.
VALUE_ERRORS: Final = (
    apsw.TooBigError,
    apsw.ConstraintError,
    apsw.MismatchError,
    apsw.RangeError,
    OverflowError,
    TypeError,
    ValueError,
    msgspec.MsgspecError,
)


def translated(error: BaseException, where: Path) -> BaseException:
    """The contract's error for one of SQLite's. Others are passed through."""
    if isinstance(error, apsw.FullError):
        return StoreFull(f"{where}: no room on the disk; nothing was written. Make room: the store goes on by itself")
    if isinstance(error, apsw.Error):
        return StoreError(f"{where}: {type(error).__name__}: {error}; what was asked may or may not have happened")
    return error


@contextmanager
def translating(where: Path) -> Generator[None]:
    try:
        yield
    except apsw.Error as error:
        raise translated(error, where) from error
