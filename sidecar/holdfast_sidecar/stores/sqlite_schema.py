"""The SQLite file: its tables, how a connection is set up, and whose data it is.

`key` is an internal number that grows with time, so rows of the same age lie together whatever the ids look like; the
id leads to it once, in `instance`. History rows carry key and row in one integer: the fastest table that SQLite has.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import apsw

from holdfast_sidecar.stores.contract import StoreMismatch

LAYOUT: Final = 1
ROW_BITS: Final = 24  # of a history key; 16 million events are far beyond any history limit
PAGE_BYTES: Final = 8192  # measured against 4096: a tenth less CPU per commit
CHECKPOINT_PAGES: Final = 2000  # 16 MB of log until it is folded into the file
WRITER_CACHE_KIB: Final = 8192
READER_CACHE_KIB: Final = 4096
STATEMENTS: Final = 1000  # rows written until a statement that was not used meanwhile is forgotten: apsw counts rows
BUSY_MS: Final = 5000  # only a person with a shell can hold a lock that we meet
VACUUM_PAGES: Final = 10_000  # given back to the file system at one opening: a second at most

_TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE fence (partition INTEGER PRIMARY KEY, epoch INTEGER NOT NULL) STRICT;
CREATE TABLE instance (
    key INTEGER PRIMARY KEY,
    version INTEGER NOT NULL,
    status INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    completed_at INTEGER,
    partition INTEGER NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    metadata BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX instance_id ON instance (id);
CREATE INDEX instance_created ON instance (created_at);
CREATE INDEX instance_status ON instance (status, created_at);
CREATE INDEX instance_name ON instance (name, status, created_at);
CREATE INDEX instance_completed ON instance (completed_at, status, name) WHERE completed_at IS NOT NULL;
CREATE TABLE custom_status (key INTEGER PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE history (key_row INTEGER PRIMARY KEY, event BLOB NOT NULL) STRICT;
CREATE TABLE inbox (
    key INTEGER NOT NULL, row INTEGER NOT NULL, message BLOB NOT NULL, PRIMARY KEY (key, row)
) STRICT, WITHOUT ROWID;
CREATE TABLE activity (
    key INTEGER NOT NULL, seq INTEGER NOT NULL, generation INTEGER NOT NULL, request BLOB NOT NULL,
    PRIMARY KEY (key, seq, generation)
) STRICT, WITHOUT ROWID;
CREATE TABLE reminder (
    key INTEGER NOT NULL, name TEXT NOT NULL, due_at INTEGER NOT NULL, partition INTEGER NOT NULL, id TEXT NOT NULL,
    data BLOB NOT NULL, PRIMARY KEY (key, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX reminder_due ON reminder (due_at, id, name, partition);
"""


def open_writer(path: Path) -> apsw.Connection:
    """The one connection that writes, and so the one that checkpoints. Changes nothing in a file that exists."""
    writer = apsw.Connection(
        str(path), apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE, statementcachesize=STATEMENTS
    )
    writer.set_busy_timeout(BUSY_MS)
    return writer


def prepare(writer: apsw.Connection, *, where: Path, namespace: str, partitions: int) -> None:
    """Checks whose data this is before anything is changed, and makes the tables when there are none."""
    wanted: dict[str, object] = {"layout": LAYOUT, "namespace": namespace, "partitions": partitions}
    is_new = writer.execute("SELECT count(*) FROM sqlite_schema").get == 0
    if not is_new:
        _check_identity(writer, where=where, wanted=wanted)
    writer.execute(f"PRAGMA page_size = {PAGE_BYTES}; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL")
    writer.execute("PRAGMA synchronous = FULL")
    writer.execute("PRAGMA temp_store = MEMORY")  # what a large statement may have to undo would go to a file
    writer.execute(f"PRAGMA cache_size = -{WRITER_CACHE_KIB}; PRAGMA journal_size_limit = {64 << 20}")
    if is_new:
        with writer:
            writer.execute(_TABLES)
            writer.executemany("INSERT INTO meta VALUES (?, ?)", list(wanted.items()))
    _give_back(writer)


def open_reader(path: Path) -> apsw.Connection:
    """Sees what is committed and can change nothing."""
    reader = apsw.Connection(str(path), apsw.SQLITE_OPEN_READWRITE, statementcachesize=100)
    reader.set_busy_timeout(BUSY_MS)
    reader.execute(f"PRAGMA query_only = ON; PRAGMA cache_size = -{READER_CACHE_KIB}")
    return reader


def _check_identity(writer: apsw.Connection, *, where: Path, wanted: dict[str, object]) -> None:
    if not writer.table_exists(None, "meta"):
        raise StoreMismatch(f"{where}: expected a file of this program, found another database; give another directory")
    found = dict(writer.execute("SELECT name, value FROM meta"))
    for name, expected in wanted.items():
        if found.get(name) != expected:
            raise StoreMismatch(
                f"{where}: expected {name} {expected!r}, found {name} {found.get(name)!r}; nothing was changed. "
                + ("Use a newer program" if name == "layout" else "Start with the values it was made with")
                + ", or give another directory"
            )


def _give_back(writer: apsw.Connection) -> None:
    """Freed pages are used again; when they are half of the file, some go back to the file system."""
    free, pages = int(writer.pragma("freelist_count")), int(writer.pragma("page_count"))
    if free * 2 > pages and free > CHECKPOINT_PAGES:
        writer.execute(f"PRAGMA incremental_vacuum({min(free, VACUUM_PAGES)})").fetchall()
