"""What an event loop can do and a replay cannot: everything that reaches outside. Each says what to use instead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, NoReturn

from holdfast.errors import NotAllowedInWorkflow

_IO: Final = "do it in an activity and await ctx.call(...)"
_THREADS: Final = "run blocking code in an activity (a plain `def` runs in a thread) and await ctx.call(...)"
_OUTSIDE: Final = "send the workflow an event from outside (client.raise_event) and await ctx.event(...)"
_SIGNALS: Final = "send the workflow an event and await ctx.event(...)"
_LOOP: Final = "a workflow's loop is run by its worker"

_ADVICE: Final = {
    "run_in_executor": _THREADS,
    "set_default_executor": _THREADS,
    "call_soon_threadsafe": _OUTSIDE,
    "add_signal_handler": _SIGNALS,
    "remove_signal_handler": _SIGNALS,
    "run_forever": _LOOP,
    "run_until_complete": _LOOP,
    "stop": _LOOP,
    "set_task_factory": _LOOP,
    "set_exception_handler": _LOOP,
    "set_debug": _LOOP,
    "shutdown_default_executor": _LOOP,
}
_NAMES: Final = (
    *_ADVICE,
    *("getaddrinfo", "getnameinfo", "create_connection", "create_server", "start_tls", "sendfile"),
    *("create_unix_connection", "create_unix_server", "create_datagram_endpoint", "connect_accepted_socket"),
    *("connect_read_pipe", "connect_write_pipe", "subprocess_shell", "subprocess_exec"),
    *("add_reader", "remove_reader", "add_writer", "remove_writer"),
    *("sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into", "sock_sendall", "sock_sendto"),
    *("sock_connect", "sock_accept", "sock_sendfile"),
)


class Forbidden(asyncio.AbstractEventLoop):
    """A loop of which every method that reaches outside raises NotAllowedInWorkflow."""

    __slots__ = ()


def _refusing(name: str) -> Callable[..., NoReturn]:
    def refuse(self: Forbidden, *_: Any, **__: Any) -> NoReturn:
        raise NotAllowedInWorkflow(
            f"loop.{name}() in a workflow: what a workflow does must be repeatable from its history; "
            f"{_ADVICE.get(name, _IO)}"
        )

    refuse.__name__ = name
    return refuse


for _name in _NAMES:
    setattr(Forbidden, _name, _refusing(_name))
