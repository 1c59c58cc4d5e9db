"""What the benchmark needs of a client. A module per client offers `serving`, `calling` and `VERSION`.

Every client has the same workflows, by name, and one activity that does nothing:

    hello    n activities in sequence, n the input       fan      n activities at once
    waits    ends with the event "go"                    grown    [f, n]: f at once, the event "go", n in sequence
    ends     at once

What is here runs in the client's own environment, so it imports the standard library only.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

EVENT = "go"


class Marks:
    """The activity tells the number that it was called with; some of them are of interest."""

    def __init__(self) -> None:
        self.wanted: frozenset[object] = frozenset()
        self.tell: Callable[[object], None] = lambda _: None

    def saw(self, number: object) -> None:
        if number in self.wanted:
            self.tell(number)


MARKS = Marks()


class Caller(Protocol):
    """Starts workflows and waits for them. Many calls run at once."""

    async def start(self, workflow: str, value: object, instance_id: str) -> None:
        """Acknowledged, so durable, when this returns. Starting the same one again does no harm."""
        ...

    async def wait(self, instance_id: str) -> object:
        """The output, once it has ended well; an error when it ended otherwise."""
        ...

    async def run(self, workflow: str, value: object, instance_id: str) -> object:
        """Both in one, by the call that the client has for it."""
        ...

    async def raise_event(self, instance_id: str) -> None: ...


class Client(Protocol):
    VERSION: str

    def serving(self, address: str, **settings: int) -> AbstractAsyncContextManager[None]:
        """A worker with all the workflows, connected for as long as the context is open. Settings are for ours only."""
        ...

    def calling(self, address: str) -> AbstractAsyncContextManager[Caller]: ...
