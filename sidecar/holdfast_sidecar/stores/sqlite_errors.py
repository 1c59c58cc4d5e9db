"""What SQLite's errors mean here."""

from __future__ import annotations

import errno
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
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # SQLite knows only the first as a full disk


def translated(error: BaseException, where: Path, *, system_errno: int = 0) -> BaseException:
    """The contract's error for one of SQLite's; `system_errno` is what the connection knows of it. Others are passed
    through."""
    is_unwritten = _extended(error) == apsw.SQLITE_IOERR_WRITE
    if isinstance(error, apsw.FullError) or (is_unwritten and system_errno in _NO_ROOM):
        return StoreFull(f"{where}: no room on the disk; nothing was written. Make room: the store goes on by itself")
    if isinstance(error, apsw.Error):
        return StoreError(f"{where}: {type(error).__name__}: {error}; what was asked may or may not have happened")
    return error


def _extended(error: BaseException) -> int:
    """SQLite's own number for the error, which only the errors that it raises itself carry."""
    number: int = getattr(error, "extendedresult", 0)
    return number


@contextmanager
def translating(where: Path) -> Generator[None]:
    try:
        yield
    except apsw.Error as error:
        raise translated(error, where) from error
