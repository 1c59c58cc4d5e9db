"""The links that tests trouble: what arrives, what waits, what is lost."""

import os
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress

import pytest

from tests.support.network import UNKNOWN, Network
from tests.support.ports import free_port
from tests.support.procs import wait_until

HERE = "here"


class Echo(socketserver.ThreadingTCPServer):
    """Says again what it hears, and keeps it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Echoing)
        self.port: int = self.server_address[1]
        self.heard = b""


class _Echoing(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Echo)
        with suppress(ConnectionError):
            while data := self.request.recv(65536):
                self.server.heard += data
                self.request.sendall(data)


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as made:
        threading.Thread(target=made.serve_forever, args=(0.01,)).start()
        yield made
        made.shutdown()


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as made:
        made.name(HERE, os.getpid)
        yield made


@pytest.fixture
def line(network: Network, echo: Echo) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", network.expose("echo", echo.port)), timeout=10) as made:
        made.sendall(b"hello")
        assert made.recv(5) == b"hello"
        yield made


def is_silent(line: socket.socket) -> bool:
    line.settimeout(0.2)
    try:
        line.recv(1)
    except TimeoutError:
        return True
    finally:
        line.settimeout(10)
    return False


def _reset() -> AbstractContextManager[object]:
    """It may come while one still connects, or when one reads."""
    return pytest.raises(ConnectionResetError)


def _next(line: socket.socket, count: int) -> bytes:
    """So many bytes, in however many pieces they come."""
    found = b""
    while len(found) < count and (data := line.recv(count - len(found))):
        found += data
    return found


def test_who_connects_is_known_by_the_process(network: Network, line: socket.socket) -> None:
    assert (network.opened(HERE, "echo"), network.opened(UNKNOWN, "echo")) == (1, 0)


def test_what_is_held_arrives_after_the_healing_in_order(network: Network, line: socket.socket, echo: Echo) -> None:
    network.hold(HERE, "echo")
    line.sendall(b"one")
    line.sendall(b"two")
    assert is_silent(line)
    assert echo.heard == b"hello"
    network.heal(HERE, "echo")
    assert _next(line, 6) == b"onetwo"


def test_a_deaf_link_carries_words_one_way_only(network: Network, line: socket.socket, echo: Echo) -> None:
    network.hold(HERE, "echo", towards=False)
    line.sendall(b"one")
    wait_until(lambda: echo.heard == b"helloone", "the words arriving")
    assert is_silent(line)
    network.heal(HERE, "echo")
    assert line.recv(3) == b"one"


def test_a_link_that_is_reset_loses_what_was_on_its_way(network: Network, line: socket.socket, echo: Echo) -> None:
    network.hold(HERE, "echo")
    line.sendall(b"lost")
    assert is_silent(line)
    network.heal(HERE, "echo", resets=True)
    with pytest.raises(ConnectionError):
        line.recv(1)
    assert echo.heard == b"hello"


def test_a_refused_link_ends_and_so_do_new_ones_until_it_is_healed(network: Network, echo: Echo) -> None:
    port = network.expose("echo", echo.port)
    network.refuse(HERE, "echo")
    with _reset(), socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.recv(1)
    network.heal(HERE, "echo")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(b"again")
        assert line.recv(5) == b"again"


def test_a_link_to_nobody_ends(network: Network) -> None:
    entrance = network.expose("gone", free_port())
    with _reset(), socket.create_connection(("127.0.0.1", entrance), timeout=10) as line:
        line.recv(1)


def test_much_arrives_whole_though_nobody_listens_for_a_while(network: Network, line: socket.socket) -> None:
    sent = bytes(range(256)) * 40_000
    network.hold(HERE, "echo", towards=False)
    writer = threading.Thread(target=line.sendall, args=(sent,))
    writer.start()
    assert is_silent(line)
    network.heal(HERE, "echo")
    got = bytearray()
    while len(got) < len(sent):
        got += line.recv(1 << 20)
    writer.join()
    assert got == sent


def test_nobody_hears_of_a_connection_before_the_healing(network: Network, echo: Echo) -> None:
    entrance = network.expose("echo", echo.port)
    network.hold(HERE, "echo", back=False)
    with socket.create_connection(("127.0.0.1", entrance), timeout=10):
        pass  # who gave up waiting is never heard of
    with socket.create_connection(("127.0.0.1", entrance), timeout=10) as line:
        line.sendall(b"late")
        assert is_silent(line)
        network.heal(HERE, "echo")
        assert line.recv(4) == b"late"
    assert echo.heard == b"late"


def test_connections_over_the_sixth_version_are_known_too(network: Network, echo: Echo) -> None:
    with socket.socket(socket.AF_INET6) as line:  # as gRPC makes them
        line.connect(("::ffff:127.0.0.1", network.expose("echo", echo.port)))
        line.sendall(b"six")
        assert line.recv(3) == b"six"
    assert network.opened(HERE, "echo") == 1


def test_other_pairs_go_on(network: Network, line: socket.socket) -> None:
    network.hold("elsewhere", "echo")
    line.sendall(b"still")
    assert line.recv(5) == b"still"


def test_an_end_behind_a_cut_is_not_heard_before_the_healing(network: Network, line: socket.socket, echo: Echo) -> None:
    network.hold(HERE, "echo")
    line.sendall(b"last words")
    line.close()
    network.heal(HERE, "echo")
    wait_until(lambda: echo.heard == b"hellolast words", "the last words arriving")
