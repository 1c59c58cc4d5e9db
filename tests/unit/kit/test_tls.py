import asyncio
import logging
import ssl
from pathlib import Path

import pytest
import trustme

from holdfast_kit.tls import CertificateWatcher, TlsError, TlsFiles


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> TlsFiles:
    files = TlsFiles(tmp_path / "ca.pem", tmp_path / "cert.pem", tmp_path / "key.pem")
    authority.cert_pem.write_to_path(str(files.ca))
    _issue(files, authority.issue_cert("localhost"))
    return files


def _issue(files: TlsFiles, pair: trustme.LeafCert) -> None:
    _replace(files.cert, pair.cert_chain_pems[0].bytes())
    _replace(files.key, pair.private_key_pem.bytes())


def _replace(path: Path, content: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.replace(path)


def test_untouched_files_are_read_once(files: TlsFiles) -> None:
    watcher = CertificateWatcher(files)
    first = watcher.current()
    assert (first.version, first.cert, first.key) == (1, files.cert.read_bytes(), files.key.read_bytes())
    assert watcher.current() is first


def test_a_replacement_is_served_and_each_subscriber_hears_of_it_once(files: TlsFiles, authority: trustme.CA) -> None:
    watcher = CertificateWatcher(files)
    one, two = watcher.subscribe(), watcher.subscribe()
    assert one() is None
    _issue(files, authority.issue_cert("localhost"))
    changed = one()
    assert changed is not None
    assert (changed.version, changed.cert) == (2, files.cert.read_bytes())
    assert two() == changed
    assert (one(), two()) == (None, None)


def test_a_half_done_replacement_is_refused_once_and_taken_when_it_is_whole(
    files: TlsFiles, authority: trustme.CA, caplog: pytest.LogCaptureFixture
) -> None:
    watcher, pair = CertificateWatcher(files), authority.issue_cert("localhost")
    old = watcher.current()
    _replace(files.cert, pair.cert_chain_pems[0].bytes())
    assert (watcher.current(), watcher.current()) == (old, old)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "KEY_VALUES_MISMATCH" in vars(caplog.records[0])["reason"]
    _replace(files.key, pair.private_key_pem.bytes())
    assert watcher.current().version == 2


def test_files_that_vanish_leave_the_last_material_in_force(files: TlsFiles, caplog: pytest.LogCaptureFixture) -> None:
    watcher = CertificateWatcher(files)
    old = watcher.current()
    files.key.unlink()
    assert (watcher.current(), watcher.current()) == (old, old)
    assert len(caplog.records) == 1


@pytest.mark.parametrize("broken", ["ca", "cert", "key"])
def test_unusable_files_at_the_start_are_an_error_that_names_them(files: TlsFiles, broken: str) -> None:
    _replace(getattr(files, broken), b"nonsense")
    with pytest.raises(TlsError, match=str(files.cert)):
        CertificateWatcher(files)


def test_a_missing_file_at_the_start_is_named(files: TlsFiles) -> None:
    files.key.unlink()
    with pytest.raises(TlsError, match=rf"No such file or directory \({files.key}\)"):
        CertificateWatcher(files)


def test_a_private_key_is_not_shown(files: TlsFiles) -> None:
    assert repr(CertificateWatcher(files).current()) == "TlsMaterial(version=1)"


async def _served_serial(port: int, client: ssl.SSLContext) -> object:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname="localhost")
    certificate = writer.get_extra_info("peercert")
    await reader.read()
    writer.close()
    return certificate["serialNumber"]


async def test_new_connections_see_the_new_certificate_without_a_restart(
    files: TlsFiles, authority: trustme.CA
) -> None:
    watcher = CertificateWatcher(files)

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        await writer.wait_closed()

    async def served() -> object:
        server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=watcher.server_context())
        async with server:
            return await _served_serial(server.sockets[0].getsockname()[1], watcher.client_context())

    async with asyncio.timeout(10):
        before = await served()
        assert await served() == before
        _issue(files, authority.issue_cert("localhost"))
        assert await served() != before


async def test_an_authority_that_was_taken_out_is_trusted_no_more(files: TlsFiles) -> None:
    watcher = CertificateWatcher(files)
    old = watcher.server_context()
    other = trustme.CA()
    other.cert_pem.write_to_path(files.ca)
    _issue(files, other.issue_cert("localhost"))

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with asyncio.timeout(10), await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=old) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await _served_serial(server.sockets[0].getsockname()[1], watcher.client_context())


def test_both_sides_demand_certificates_and_a_client_the_name(files: TlsFiles) -> None:
    watcher = CertificateWatcher(files)
    assert watcher.server_context().verify_mode is ssl.CERT_REQUIRED
    client = watcher.client_context()
    assert (client.check_hostname, client.verify_mode) == (True, ssl.CERT_REQUIRED)
