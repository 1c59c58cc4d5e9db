"""Who holds a port, and what is said about it."""

import os
import socket

import pytest

from holdfast_sidecar.startup import Unstartable, check_port, holder_of, missing_extra, reasons


def test_the_process_that_listens_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert holder_of(port) == os.getpid()
        with pytest.raises(Unstartable, match=f"process {os.getpid()} listens there") as caught:
            check_port("grpc", "127.0.0.1", port)
    assert "--grpc-port" in str(caught.value)
    check_port("grpc", "127.0.0.1", port)


def test_nobody_listens_on_a_free_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert holder_of(port) is None


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    with pytest.raises(Unstartable, match="not of this machine"):
        check_port("http", "192.0.2.1", 1234)


def test_a_missing_package_names_the_extra_that_brings_it() -> None:
    with pytest.raises(Unstartable, match=r"pip install 'holdfast\[redis\]'"), missing_extra("the store", "redis"):
        raise ModuleNotFoundError(name="redis")


def test_reasons_are_found_however_deep() -> None:
    errors: list[Unstartable | ExceptionGroup[Unstartable]] = [Unstartable("one")]
    errors.append(ExceptionGroup("b", [Unstartable("two")]))
    assert reasons(ExceptionGroup("a", errors)) == ["one", "two"]
