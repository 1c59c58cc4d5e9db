"""Writes code into a folder and looks at it."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from holdfast.lint import Finding, check

HEAD = """\
import asyncio, hashlib, logging, os, random, subprocess, time, uuid, zlib
from datetime import UTC, datetime
from pathlib import Path

import requests

import holdfast


@holdfast.activity
def charge(amount: int, key: str) -> str: ...


@holdfast.activity
def render(text: str) -> str: ...


"""


def look(folder: Path, source: str, others: Mapping[str, str] | None = None) -> list[Finding]:
    """Findings in app.py and what it reaches; `others` are files beside it."""
    for name, text in {"app.py": HEAD + textwrap.dedent(source), **(others or {})}.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
    return check([folder / "app.py"])


def body(*lines: str, head: str = "ctx: holdfast.Context, items: list[str]") -> str:
    """A workflow of these lines."""
    return f"@holdfast.workflow\nasync def flow({head}):\n" + "".join(f"    {line}\n" for line in lines)


def codes(findings: Sequence[Finding]) -> list[str]:
    return [finding.code for finding in findings]
