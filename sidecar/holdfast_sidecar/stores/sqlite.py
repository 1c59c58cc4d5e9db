"""The embedded store: SQLite in a directory that one process holds.

Statements run on the event loop, where a hand-over would cost more than they do. COMMIT waits for the disk: where that
is quick it runs on the loop too, else in a thread of its own (`Pace` decides), and so do checkpoints. While the thread
has the writing connection nothing else touches it, so calls wait in line. Reads use connections of their own and see
only what is committed. Needs a POSIX system (the lock on the directory).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import apsw

from holdfast_sidecar.core.state import Commit, Filter, Page, Stored, View
from holdfast_sidecar.stores.contract import Due, Outcome, StoreError
from holdfast_sidecar.stores.sqlite_directory import DirectoryLock, make_private
from holdfast_sidecar.stores.sqlite_errors import VALUE_ERRORS, translated, translating
from holdfast_sidecar.stores.sqlite_pace import Pace
from holdfast_sidecar.stores.sqlite_reader import Reader
from holdfast_sidecar.stores.sqlite_rows import Rows
from holdfast_sidecar.stores.sqlite_schema import CHECKPOINT_PAGES, open_reader, open_writer, prepare
from holdfast_sidecar.stores.sqlite_thread import BlockingThread
from holdfast_sidecar.stores.sqlite_writer import Refused, Writer

Result = TypeVar("Result")

_log = logging.getLogger(__name__)

_SAFE_SINCE = (3, 51, 3)  # older ones can corrupt the log when two connections write or checkpoint at once


@dataclass(slots=True, eq=False)
class _Job:
    """One transaction that somebody waits for."""

    work: Callable[[], object]
    future: asyncio.Future[object]


@dataclass(slots=True)
class _Files:
    """What is open between open and close."""

    connection: apsw.Connection
    reading: apsw.Connection
    listing: apsw.Connection
    writer: Writer
    reader: Reader
    lister: Reader


class SqliteStore:
    """`directory` is made when it is missing. Used from one event loop."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "holdfast.db"
        self._lock = DirectoryLock(directory)
        self._committer = BlockingThread("sqlite-commit")
        self._listing = BlockingThread("sqlite-list")
        self._opened: _Files | None = None
        self._waiting: deque[_Job] = deque()
        self._pace = Pace()
        self._log_pages = 0  # of the write-ahead log, as the last COMMIT left it
        self._is_committing = False

    async def open(self, *, namespace: str, partitions: int) -> None:
        self._opened = await self._committer.run(lambda: self._open(namespace, partitions))

    def _open(self, namespace: str, partitions: int) -> _Files:
        _check_library()
        self._lock.take()
        connections: list[apsw.Connection] = []
        try:
            with translating(self.path):
                make_private(self.path)
                connections.append(open_writer(self.path))
                prepare(connections[0], where=self.path, namespace=namespace, partitions=partitions)
                connections[0].set_wal_hook(self._logged)
                connections += [open_reader(self.path), open_reader(self.path)]
                writing, reading, listing = connections
                readers = [Reader(Rows(connection), partitions=partitions) for connection in connections[1:]]
                return _Files(writing, reading, listing, Writer(writing), *readers)
        except BaseException:
            for connection in connections:
                connection.close()
            self._lock.release()
            raise

    async def close(self) -> None:
        """Waits for the commits that were asked for before."""
        try:
            if self._opened is not None:
                await self._submit(lambda: None)
                files, self._opened = self._opened, None
                await self._listing.run(files.listing.close)
                files.reading.close()
                await self._committer.run(files.connection.close)
        finally:
            self._lock.release()
            self._committer.stop()
            self._listing.stop()

    async def acquire(self, partitions: Sequence[int], epoch: int) -> Sequence[int]:
        writer = self._files.writer
        return await self._submit(lambda: writer.raise_fences(partitions, epoch))

    async def commit(self, commits: Sequence[Commit]) -> Sequence[Outcome]:
        if not commits:
            return []
        outcomes, failure = await self._submit(lambda: self._apply(commits))
        if failure is not None:
            raise failure
        return outcomes

    def _apply(self, commits: Sequence[Commit]) -> tuple[list[Outcome], StoreError | None]:
        """One that cannot be written must not take the others of its batch with it."""
        files = self._files
        try:
            return files.writer.outcomes(commits), None
        except Refused:
            self._roll_back(files)
        except VALUE_ERRORS as error:
            self._roll_back(files)
            if len(commits) == 1:
                raise StoreError(_unwritable(commits[0], error)) from error
        files.connection.execute("BEGIN IMMEDIATE")
        return self._apply_each(files, commits)

    def _apply_each(self, files: _Files, commits: Sequence[Commit]) -> tuple[list[Outcome], StoreError | None]:
        outcomes: list[Outcome] = []
        failure: StoreError | None = None
        for commit in commits:
            files.connection.execute("SAVEPOINT one")
            try:
                outcomes += files.writer.outcomes([commit], one_by_one=True)
            except VALUE_ERRORS as error:
                files.connection.execute("ROLLBACK TO one")
                files.writer.forget()
                failure = StoreError(_unwritable(commit, error))
                failure.__cause__ = error
            files.connection.execute("RELEASE one")
        return outcomes, failure

    async def load(self, instances: Sequence[tuple[int, str]]) -> Sequence[Stored | None]:
        with translating(self.path):
            return self._files.reader.load([instance_id for _, instance_id in instances])

    async def view(self, instances: Sequence[tuple[int, str]], *, payloads: bool) -> Sequence[View | None]:
        with translating(self.path):
            return self._files.reader.view([instance_id for _, instance_id in instances], payloads=payloads)

    async def history(self, partition: int, instance_id: str, *, first: int = 0, limit: int = 0) -> Sequence[bytes]:
        with translating(self.path):
            return self._files.reader.history(instance_id, first=first, limit=limit)

    async def due(self, partitions: Sequence[int], *, after: int, until: int, limit: int, cursor: str = "") -> Due:
        with translating(self.path):
            return self._files.reader.due(partitions, after=after, until=until, limit=limit, cursor=cursor)

    async def query(self, wanted: Filter, *, limit: int, cursor: str = "", payloads: bool = False) -> Page:
        lister = self._files.lister
        with translating(self.path):
            return await self._listing.run(lambda: lister.query(wanted, limit=limit, cursor=cursor, payloads=payloads))

    @property
    def _files(self) -> _Files:
        if self._opened is None:
            raise StoreError(f"{self.path}: expected an open store, found a closed one; open it first")
        return self._opened

    async def _submit(self, work: Callable[[], Result]) -> Result:
        """Runs `work` in a transaction of its own, after those asked for before, and waits until it is durable."""
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Job(work, future))
        self._pump()
        return cast(Result, await future)  # it is what work gave

    def _pump(self) -> None:
        while self._waiting and not self._is_committing:
            job = self._waiting.popleft()
            if not job.future.done():  # its caller is gone: what was never begun need not be done
                self._begin(job)

    def _begin(self, job: _Job) -> None:
        files = self._files
        try:
            files.connection.execute("BEGIN IMMEDIATE")
            result = job.work()
        except Exception as error:  # noqa: BLE001 - belongs to the one who asked
            told = translated(error, self.path, system_errno=files.connection.system_errno)
            self._roll_back(files)
            job.future.set_exception(told)
            return
        self._is_committing = True
        if self._pace.is_quick():
            self._committed(job, result, self._pace.timed(lambda: _commit(files.connection, self.path)))
        else:
            self._committer.call(
                lambda: _commit(files.connection, self.path), lambda _, error: self._committed(job, result, error)
            )

    def _committed(self, job: _Job, result: object, error: BaseException | None) -> None:
        self._is_committing = False
        if error is not None:
            self._files.writer.forget()
        if not job.future.done():
            if error is not None:
                job.future.set_exception(translated(error, self.path))
            else:
                job.future.set_result(result)
        if self._log_pages >= CHECKPOINT_PAGES:
            self._checkpoint()
        else:
            self._pump()

    def _logged(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _checkpoint(self) -> None:
        """Folds the log into the file. Not a part of COMMIT, as it takes many times longer."""
        connection, self._log_pages = self._files.connection, 0
        self._is_committing = True
        self._committer.call(connection.wal_checkpoint, self._checkpointed)

    def _checkpointed(self, _: object, error: BaseException | None) -> None:
        """One that failed (the disk is full) is tried again after the next COMMIT; nothing is lost meanwhile."""
        if error is not None:
            _log.warning("SQLite log could not be folded into the file", extra={"error": str(error)})
        self._is_committing = False
        self._pump()

    def _roll_back(self, files: _Files) -> None:
        files.writer.forget()
        if files.connection.in_transaction:  # SQLite itself rolls back after some errors
            with suppress(apsw.Error):  # the error that led here is the one to tell; the next BEGIN tells the rest
                files.connection.execute("ROLLBACK")


def _commit(connection: apsw.Connection, where: Path) -> None:
    try:
        connection.execute("COMMIT")
    except apsw.Error as error:
        told = translated(error, where, system_errno=connection.system_errno)
        if connection.in_transaction:
            with suppress(apsw.Error):  # the failed COMMIT is the one to tell
                connection.execute("ROLLBACK")
        raise told from error


def _unwritable(commit: Commit, error: BaseException) -> str:
    return f"instance {commit.instance_id!r}: its commit holds a value that cannot be stored and was left out: {error}"


def _check_library() -> None:
    version = apsw.sqlite_lib_version()
    if tuple(map(int, version.split("."))) < _SAFE_SINCE:
        _log.warning("SQLite can corrupt its log, install a newer apsw", extra={"sqlite_version": version})
    else:
        _log.info("SQLite library", extra={"sqlite_version": version, "apsw_version": apsw.apsw_version()})
