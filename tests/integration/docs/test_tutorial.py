"""docs/tutorial.md: its blocks are run one after the other in one module, and print what stands below them."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from holdfast import lint
from tests.integration.docs.pages import ROOT, Block, blocks
from tests.integration.running.sidecars import Running

PAGE = "tutorial.md"
LIMIT_S = 60  # of one block


@pytest.fixture
def sidecar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    with Running(tmp_path) as running:
        monkeypatch.setenv("HOLDFAST_ADDRESS", f"127.0.0.1:{running.grpc_port}")
        yield running


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Where the blocks of the page live, as in a prompt of `python -m asyncio`."""
    module = ModuleType("tutorial_page")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def compiled(block: Block) -> CodeType:
    """With lines that are those of the page, so that a traceback points there."""
    tree = ast.parse(block.text)
    ast.increment_lineno(tree, block.line)
    code: CodeType = compile(tree, f"docs/{block.page}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return code


async def run(block: Block, module: ModuleType) -> str:
    """What the block prints."""
    code = compiled(block)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        async with asyncio.timeout(LIMIT_S):
            found = eval(code, vars(module))  # noqa: S307 - a page of ours
            if inspect.iscoroutine(found):
                await found
    return printed.getvalue()


def steps() -> Iterator[tuple[Block, str]]:
    """Each block of Python, and what it has to print."""
    page = [block for block in blocks(PAGE) if block.language != "sh"]
    for block, following in pairwise([*page, Block(PAGE, 0, "end", "", "")]):
        if block.language == "python":
            yield block, following.text if following.language == "text" else ""


@pytest.mark.usefixtures("sidecar")
async def test_every_block_of_the_tutorial_prints_what_stands_below_it(module: ModuleType) -> None:
    for block, expected in steps():
        assert await run(block, module) == expected, str(block)


def test_the_workflows_of_the_tutorial_are_clean(tmp_path: Path) -> None:
    definitions = [block.text for block, _ in steps()]
    file = tmp_path / "tutorial.py"
    file.write_text("\n".join(_without_prompts(text) for text in definitions), encoding="utf-8")
    assert lint.check([file]) == []


def _without_prompts(text: str) -> str:
    """The definitions of a block: a file may not wait outside of functions."""
    kinds = (ast.AsyncWith, ast.Try)
    return "\n".join(ast.unparse(node) for node in ast.parse(text).body if not isinstance(node, kinds))


def test_pages_name_only_languages_that_are_looked_at() -> None:
    known = {"python", "text", "sh", "yaml", "mermaid", "json"}
    found = {block.language for page in (ROOT / "docs").glob("*.md") for block in blocks(page.name)}
    assert found - {""} <= known
