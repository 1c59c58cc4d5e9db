"""HF4xx: how the context is used, and what gets in the way of a run's end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.sdk.lint.looking import body, codes, look

HEAD = """\
import contextlib
import functools
def plain(x): ...
async def helper(ctx: holdfast.Context): ...
class Payments:
    @holdfast.activity
    async def pay(self, amount: int) -> None: ...
    def refund(self, amount: int) -> None: ...
@holdfast.workflow
async def child(ctx: holdfast.Context): ...
def wrapped(function): ...
@wrapped
def unknown(x): ...
"""
UNDECLARED = [
    "await ctx.call(plain, 1)",
    "await ctx.call(lambda: 1)",
    "await ctx.call(print)",
    "await ctx.call(functools.partial(render, 'x'))",
    "await ctx.call(Payments.refund, 1)",
    "await ctx.call(child)",
    "await ctx.child(render)",
    "await ctx.child(helper)",
    "ctx.start_detached(plain)",
    "async with ctx.saga() as saga: saga.compensate(plain, 1)",
]
DECLARED = [
    "await ctx.call(render, 'x')",
    "await ctx.call('render', 'x')",
    "await ctx.call(Payments.pay, 1)",
    "await ctx.call(unknown, 1)",
    "await ctx.child(child)",
    "ctx.start_detached(child)",
    "async with ctx.saga() as saga: saga.compensate(render, 'x')",
]
NOT_AWAITED = [
    "ctx.call(render, 'x')",
    "ctx.sleep(3)",
    "ctx.event('x')",
    "asyncio.sleep(3)",
    "helper(ctx)",
    "child(ctx)",
]
AWAITED = [
    "call = ctx.call(render, 'x'); await call",
    "ctx.send_event('a', 'b')",
    "ctx.set_status('x')",
    "asyncio.create_task(helper(ctx))",
    "return ctx.call(render, 'x')",
]


@pytest.mark.parametrize("line", UNDECLARED)
def test_calling_what_is_not_declared_for_it_is_found(line: str, tmp_path: Path) -> None:
    assert codes(look(tmp_path, HEAD + body(line))) == ["HF401"]


@pytest.mark.parametrize("line", [*DECLARED, *AWAITED])
def test_calls_as_they_should_be_are_left_alone(line: str, tmp_path: Path) -> None:
    assert codes(look(tmp_path, HEAD + body(line))) == []


@pytest.mark.parametrize("kind", ["str", "'holdfast.Activity[[str], str]'", "Callable[[str], str]", "object"])
def test_what_a_parameter_brings_may_be_an_activity_or_its_name(kind: str, tmp_path: Path) -> None:
    source = "from collections.abc import Callable\n" + body(
        "await ctx.call(given, 'x')", head=f"ctx: holdfast.Context, given: {kind}"
    )
    assert codes(look(tmp_path, source)) == []


@pytest.mark.parametrize("line", NOT_AWAITED)
def test_what_nobody_awaits_is_found(line: str, tmp_path: Path) -> None:
    assert codes(look(tmp_path, HEAD + body(line))) == ["HF402"]


def test_a_generator_workflow_is_told_to_yield(tmp_path: Path) -> None:
    source = "@holdfast.workflow\ndef flow(ctx):\n    yield ctx.call(render, 'x')\n    ctx.call(render, 'y')\n"
    (finding,) = look(tmp_path, source)
    assert (finding.code, finding.help) == ("HF402", "write yield before it")


def test_an_activity_called_directly_is_found_as_a_method_too(tmp_path: Path) -> None:
    assert codes(look(tmp_path, HEAD + body("await Payments().pay(3)"))) == ["HF405"]


def attempt(handler: str, *then: str, tried: str = "await ctx.call(render, 'x')") -> str:
    return body("try:", f"    {tried}", handler, *(f"    {line}" for line in then))


@pytest.mark.parametrize(
    "handler", ["except:", "except BaseException:", "except (ValueError, BaseException):", "except BaseException as e:"]
)
def test_catching_everything_is_found(handler: str, tmp_path: Path) -> None:
    assert codes(look(tmp_path, attempt(handler, "pass"))) == ["HF403"]


@pytest.mark.parametrize(
    ("handler", "then"),
    [
        ("except BaseException:", "raise"),
        ("except BaseException as e:", "raise e"),
        ("except Exception:", "pass"),
        ("except asyncio.CancelledError:", "pass"),
        ("finally:", "pass"),
    ],
)
def test_handlers_that_let_the_end_pass_are_left_alone(handler: str, then: str, tmp_path: Path) -> None:
    assert codes(look(tmp_path, attempt(handler, then))) == []


def test_catching_everything_around_plain_code_is_left_alone(tmp_path: Path) -> None:
    assert codes(look(tmp_path, attempt("except:", "pass", tried="n = int(items[0])"))) == []


def test_suppressing_everything_is_found(tmp_path: Path) -> None:
    block = body("with contextlib.suppress(BaseException):", "    await ctx.call(render, 'x')")
    assert codes(look(tmp_path, HEAD + block)) == ["HF403"]


def test_returning_in_finally_is_found(tmp_path: Path) -> None:
    assert codes(look(tmp_path, attempt("finally:", "return 1"))) == ["HF403"]


def test_waiting_in_a_handler_after_continue_as_new_is_found(tmp_path: Path) -> None:
    source = attempt("except BaseException:", "await ctx.sleep(1)", "raise", tried="ctx.continue_as_new(1)")
    assert codes(look(tmp_path, source)) == ["HF404"]


def test_tidying_up_without_waiting_is_left_alone(tmp_path: Path) -> None:
    assert codes(look(tmp_path, attempt("finally:", "items.clear()", tried="ctx.continue_as_new(1)"))) == []
