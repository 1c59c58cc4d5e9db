"""Identities and chance, handed in so that a test or a simulation can repeat them from a seed."""

import random
import secrets
import uuid
from typing import Protocol


class Ids(Protocol):
    def uuid(self) -> str:
        """A UUID version 4 in its usual text form; unique, not secret."""
        ...

    def token(self) -> str:
        """32 hexadecimal digits nobody can guess (as far as the implementation promises)."""
        ...

    def random(self) -> random.Random:
        """A new generator of the caller's own; two callers never share a sequence."""
        ...


class SystemIds:
    def uuid(self) -> str:
        return str(uuid.uuid4())

    def token(self) -> str:
        return secrets.token_hex(16)

    def random(self) -> random.Random:
        return random.Random(secrets.randbits(128))


class SeededIds:
    """The same seed gives the same sequence everywhere, for ever. For tests only: its tokens can be guessed."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def token(self) -> str:
        return f"{self._rng.getrandbits(128):032x}"

    def random(self) -> random.Random:
        return random.Random(self._rng.getrandbits(128))
