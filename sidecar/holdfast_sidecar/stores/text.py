"""Which texts a server can hold. JSON lets clients send halves of characters, and U+0000."""

from __future__ import annotations


def is_encodable(text: str) -> bool:
    """Whether it has bytes in UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_storable(text: str) -> bool:
    """Whether it has bytes in UTF-8, and none of them is zero."""
    return "\0" not in text and is_encodable(text)


def findable(text: str) -> str:
    """The id, or one that nothing has when nothing can have this one."""
    return text if is_storable(text) else ""
