"""What can be wrong with stored or received bytes."""

from __future__ import annotations


class Unreadable(ValueError):
    """These bytes are no encoded `subject`. They were cut, damaged, or are something else."""

    def __init__(self, subject: str, *, found: str) -> None:
        super().__init__(f"{subject}: expected an encoded {subject}, found {found}")
        self.subject = subject
        self.found = found


class UnreadableKind(Unreadable):
    """Well-formed bytes of a kind that this release does not know: written by a newer one. Update this program."""

    def __init__(self, subject: str, *, size: int) -> None:
        super().__init__(
            subject, found=f"{size} bytes without a kind that this release knows; a newer release may have written them"
        )
