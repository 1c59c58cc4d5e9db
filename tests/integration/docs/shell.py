"""A shell as a reader has it open: given block after block, its output in a file."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.procs import wait_until

LIMIT_S = 90.0  # of one block, the installation among them


class Shell:
    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._log = folder / "terminal.log"
        self._done = folder / "done"
        self._seen = 0
        self._blocks = 0
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["bash"],
                cwd=folder,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def run(self, text: str) -> None:
        """Types the block; returns when the shell is ready for the next."""
        self._blocks += 1
        marker = f"{self._done}-{self._blocks}"
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\ntouch {marker}\n")
        self._process.stdin.flush()
        wait_until(lambda: os.path.exists(marker), f"the end of: {text}\n{self.output()}", timeout=LIMIT_S)

    def shows(self, expected: str) -> None:
        """Waits until these lines have come, in this order, since the last time."""
        wait_until(lambda: self._position(expected), f"on the terminal: {expected}\n{self.output()}", timeout=LIMIT_S)
        self._seen = self._position(expected)

    def output(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _position(self, expected: str) -> int:
        """Where the last of the lines ends; 0 when one is missing."""
        output, at = self.output(), self._seen
        for line in expected.splitlines():
            at = f"\n{output}".find(f"\n{line}\n", at)
            if at < 0:
                return 0
            at += len(line) + 1
        return at

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the shell and all that it has started: they are one session, ours."""
        os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
