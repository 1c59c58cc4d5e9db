import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
import uvloop

from holdfast_kit.serve import ExitCode, Lifetime, run, serve

_LONG = timedelta(seconds=30)
_NOTHING = timedelta(0)


class _Service:
    """Tells what happened to it; `drain` is what it does between the wish to stop and its end."""

    def __init__(self, drain: Callable[[], Awaitable[object]] | None = None) -> None:
        self.told = list[str]()
        self.up = asyncio.Event()
        self._drain = drain

    async def __call__(self, lifetime: Lifetime) -> None:
        try:
            self.up.set()
            await lifetime.stopping()
            self.told.append("draining")
            if self._drain:
                await self._drain()
            self.told.append("drained")
        except asyncio.CancelledError:
            self.told.append("cancelled")
            raise


def _signal_when_up(*numbers: signal.Signals, after: _Service) -> Callable[[Lifetime], Awaitable[None]]:
    async def send(lifetime: Lifetime) -> None:
        await after.up.wait()
        for number in numbers:
            os.kill(os.getpid(), number)
        await lifetime.stopping()

    return send


async def _for_ever() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_every_service_and_ends_with_zero(number: signal.Signals) -> None:
    service = _Service()
    assert serve(service, _signal_when_up(number, after=service), drain_limit=_LONG) == ExitCode.OK
    assert service.told == ["draining", "drained"]


def test_a_second_signal_cuts_the_drain_off_at_once() -> None:
    service = _Service(_for_ever)
    code = serve(service, _signal_when_up(signal.SIGINT, signal.SIGTERM, after=service), drain_limit=_LONG)
    assert code == 128 + signal.SIGTERM
    assert service.told[-1] == "cancelled"


def test_a_drain_beyond_its_limit_is_cut_off_and_told_in_the_exit_code() -> None:
    service = _Service(_for_ever)
    code = serve(service, _signal_when_up(signal.SIGTERM, after=service), drain_limit=_NOTHING)
    assert code == ExitCode.UNDRAINED
    assert service.told == ["draining", "cancelled"]


def test_a_service_that_raises_takes_the_others_down_and_the_program_fails(caplog: pytest.LogCaptureFixture) -> None:
    service = _Service()

    async def broken(lifetime: Lifetime) -> None:
        await service.up.wait()
        raise RuntimeError("port taken")

    assert serve(service, broken, drain_limit=_LONG) == ExitCode.FAILED
    assert service.told == ["cancelled"]
    assert "a service failed" in caplog.text
    assert "port taken" in caplog.text


def test_the_program_ends_when_one_service_returns() -> None:
    service = _Service()

    async def short(lifetime: Lifetime) -> None:
        await service.up.wait()

    assert serve(service, short, drain_limit=_LONG) == ExitCode.OK
    assert service.told == ["draining", "drained"]


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_signal_handlers_are_put_back(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    service = _Service()
    serve(service, _signal_when_up(signal.SIGTERM, after=service), drain_limit=_LONG, loop_factory=new_loop)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_the_loop_is_the_one_that_was_asked_for() -> None:
    loops = list[type]()

    async def note(lifetime: Lifetime) -> None:
        loops.append(type(asyncio.get_running_loop()))

    assert serve(note, drain_limit=_LONG, loop_factory=uvloop.new_event_loop) == ExitCode.OK
    assert loops == [uvloop.Loop]


async def test_inside_a_loop_stop_drains_and_only_the_first_reason_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    lifetime, service = Lifetime(), _Service()

    async def stopper(lifetime: Lifetime) -> None:
        lifetime.stop("enough")
        lifetime.stop("really")

    async with asyncio.timeout(10):
        await run(service, stopper, lifetime=lifetime, drain_limit=_LONG)
    assert lifetime.is_stopping
    assert [vars(record)["reason"] for record in caplog.records] == ["enough"]


async def test_being_cancelled_from_outside_cancels_the_services() -> None:
    service = _Service()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(run(service, lifetime=Lifetime(), drain_limit=_LONG))
        await service.up.wait()
        task.cancel()
    assert service.told == ["cancelled"]


async def test_nothing_to_drain_ends_at_once() -> None:
    lifetime = Lifetime()
    lifetime.stop("nothing to do")
    async with asyncio.timeout(10):
        await run(lifetime=lifetime, drain_limit=_LONG)
    assert lifetime.exit_code == ExitCode.OK
