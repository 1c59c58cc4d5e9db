"""Times as text of one length, whose order is that of the times.

21 digits, because clients send the year 9999 in nanoseconds, which neither 64 bits nor a double can hold.
"""

from __future__ import annotations

from typing import Final

STAMP_LENGTH: Final = 21
STAMP_MAX: Final = 10**STAMP_LENGTH - 1


def stamp(at: int) -> str:
    """For bounds of a search: those beyond what can be stored mean its ends."""
    return f"{min(max(at, 0), STAMP_MAX):021d}"


def stamp_exactly(at: int) -> str:
    """For what is stored, where a time must come back as it was; else ValueError."""
    if not 0 <= at <= STAMP_MAX:
        raise ValueError(f"time {at}: expected nanoseconds from 0 to {STAMP_MAX}")
    return f"{at:021d}"
