"""Who looks over the store's shoulder: whether a superseded owner's commit was tried, and whether it wrote.

It takes no process's word. Of Valkey it hears each command in the order in which the server runs it, with what a script
then does; PostgreSQL it gives triggers of its own. A fence that was seen once counts for ever, whatever the store holds
later: a store that forgets one is found out as well.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

from holdfast_sidecar.stores.redis_link import script
from tests.support.procs import wait_until

_COMMIT: Final = script("commit", items_max=1).sha
_WORD: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_KEYS, _HEADS = 6, 12  # of one item of commit.lua, which says what they are
_WRITES: Final = frozenset({"HSET", "HDEL", "UNLINK", "DEL"})
_RETRY_S: Final = 0.05


@dataclass
class Seen:
    commits: int = 0
    tried: int = 0  # commits of an owner that was superseded
    wrote: int = 0  # and of these, how many changed anything: must be 0


class Witness(Protocol):
    def seen(self) -> Seen: ...

    def close(self) -> None: ...


class RedisWitness:
    """MONITOR on a connection of its own. What runs between a start of the server and its answer to us is not seen:
    then an attempt may go uncounted, but none is ever counted that was not one."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._seen = Seen()
        self._fences: dict[str, int] = {}
        self._called = list[str]()  # the words of a commit whose script has not begun
        self._late = set[str]()  # instances for which the script that runs holds a superseded commit
        self._is_ready = threading.Event()
        self._is_closed = False
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._watch_for_ever, name="witness", daemon=True)
        self._thread.start()
        wait_until(self._is_ready.is_set, "the witness hearing the server")

    def seen(self) -> Seen:
        return self._seen

    def close(self) -> None:
        self._is_closed = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _watch_for_ever(self) -> None:
        while not self._is_closed:
            with suppress(OSError), socket.create_connection(self._address, timeout=5) as self._socket:
                self._socket.settimeout(None)
                self._socket.sendall(b"MONITOR\r\n")
                for line in self._socket.makefile("r", encoding="latin-1", newline="\r\n"):
                    self._is_ready.set()
                    self._hear(line)
            threading.Event().wait(_RETRY_S)

    def _hear(self, line: str) -> None:
        if " lua] " in line[:60]:
            self._count()
            self._hear_script(line)
        else:
            self._called = _WORD.findall(line) if _COMMIT in line[:200] else []
            self._late.clear()

    def _count(self) -> None:
        """With its first word: a script that the server does not know yet is called and says nothing."""
        if not self._called:
            return
        number = int(self._called[2])
        keys, arguments = self._called[3 : 3 + number], self._called[3 + number :]
        self._called, at = [], 1
        for item in range(int(arguments[0])):
            fence, instance = keys[item * _KEYS], keys[item * _KEYS + 1]
            self._seen.commits += 1
            if int(arguments[at]) < self._fences.get(fence, 0):
                self._seen.tried += 1
                self._late.add(instance)
            at += _HEADS + int(arguments[at + 5])

    def _hear_script(self, line: str) -> None:
        found = _WORD.findall(line, 0, 400)
        if len(found) < 2:
            return
        command, key = found[0].upper(), found[1]
        if command == "SET" and key.endswith(":fence"):
            self._fences[key] = max(self._fences.get(key, 0), int(found[2]))
        elif command in _WRITES and key in self._late:
            self._seen.wrote += 1
            self._late.discard(key)


class PostgresWitness:
    """Stands before the function that commits and behind the tables. To be called before any sidecar runs: a statement
    that is prepared already goes past it."""

    def __init__(self, psql: Callable[[str], str]) -> None:
        self._psql = psql
        self._last = Seen()
        name, arguments, names = psql(_FUNCTION).split("|")
        passed = ", ".join(name.strip() for name in names.strip("{}").split(","))
        psql(_TABLES)
        psql(f"ALTER FUNCTION holdfast.{name} RENAME TO {name}_itself")
        psql(_COMMITS.format(name=name, arguments=arguments, passed=passed))

    def seen(self) -> Seen:
        """The last that was known, while the server is away."""
        with suppress(AssertionError):
            commits, tried, wrote = map(int, self._psql(_SEEN).split("|"))
            self._last = Seen(commits, tried, wrote)
        return self._last

    def close(self) -> None: ...


_FUNCTION: Final = """
SELECT proname, pg_get_function_arguments(oid), proargnames FROM pg_proc
WHERE pronamespace = 'holdfast'::regnamespace AND proname LIKE 'commit%'
"""
_SEEN: Final = """
SELECT coalesce(sum(commits), 0), coalesce(sum(tried), 0), (SELECT count(*) FROM witness.wrote) FROM witness.batches
"""
_TABLES: Final = """
CREATE SCHEMA witness;
CREATE TABLE witness.batches (commits int, tried int);
CREATE TABLE witness.wrote (id text);
CREATE TABLE witness.fences AS SELECT partition, epoch FROM holdfast.fences;
CREATE UNIQUE INDEX ON witness.fences (partition);

CREATE FUNCTION witness.raised() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE witness.fences SET epoch = greatest(epoch, NEW.epoch) WHERE partition = NEW.partition;
  RETURN NULL;
END $$;
CREATE TRIGGER raised AFTER UPDATE ON holdfast.fences FOR EACH ROW EXECUTE FUNCTION witness.raised();

CREATE FUNCTION witness.written() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  who text := CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END;
BEGIN
  IF who = ANY (string_to_array(current_setting('witness.late', true), E'\n')) THEN
    INSERT INTO witness.wrote VALUES (who);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER written AFTER INSERT OR UPDATE OR DELETE ON holdfast.instances
  FOR EACH ROW EXECUTE FUNCTION witness.written();
"""
_COMMITS: Final = """
CREATE FUNCTION holdfast.{name}({arguments}) RETURNS smallint[] LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  late text[];
  outcomes smallint[];
BEGIN
  -- The lock that the function itself takes first: what is read below stays so until the end.
  PERFORM FROM holdfast.fences WHERE partition = ANY (partitions) ORDER BY partition FOR SHARE;
  SELECT array_agg(c.id) INTO late FROM unnest(partitions, epochs, ids) AS c (partition, epoch, id)
    JOIN witness.fences f ON f.partition = c.partition WHERE c.epoch < f.epoch;
  INSERT INTO witness.batches VALUES (cardinality(ids), coalesce(cardinality(late), 0));
  PERFORM set_config('witness.late', coalesce(array_to_string(late, E'\n'), ''), true);
  outcomes := holdfast.{name}_itself({passed});
  PERFORM set_config('witness.late', '', true);
  RETURN outcomes;
END $$
"""
