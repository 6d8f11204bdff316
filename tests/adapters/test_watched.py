"""What a process knows of a provider from its own calls, before any of them has failed."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from threading import Barrier, Event
from types import SimpleNamespace
from typing import Any

from functions.adapters.providers.watched import SLOW, SLOW_CALLS, WatchedCalls
from functions.core.model.parsing import Completion
from functions.core.model.provider_errors import Trouble
from functions.core.model.provider_outage import Door
from functions.core.model.refusals import ProviderDownError
from scripts.inprocess import StillClock

ANSWER = Completion("{}", None, None)
MODEL = "gpt-6-luna"


class Hanging:
    """A provider that answers when it is told to, once `calls` have begun."""

    def __init__(self, calls: int) -> None:
        self.begun, self.answer = Barrier(calls + 1, timeout=10), Event()
        self.fails = False

    def complete(self, _body: dict[str, Any], _seconds: float) -> Completion:
        self.begun.wait()
        self.answer.wait(10)
        if self.fails:
            raise ProviderDownError("no answer", Trouble.UNREACHABLE)
        return ANSWER


@contextmanager
def under_way(provider: Hanging, calls: int, clock: StillClock) -> Iterator[tuple[WatchedCalls, list[Future[Any]]]]:
    """So many calls that have begun."""
    store = SimpleNamespace(note_outage=lambda *_, **__: None)
    records: Any = SimpleNamespace(store=store, clock=clock, queue=lambda: SimpleNamespace(provider={}))
    watched = WatchedCalls(provider.complete, Door.INSTANT, records)
    with ThreadPoolExecutor(calls) as pool:
        asked = [pool.submit(watched.complete, {"model": MODEL}, 12, f"user-{n}") for n in range(calls)]
        provider.begun.wait()
        try:
            yield watched, asked
        finally:
            provider.answer.set()


def test_a_provider_that_hangs_is_seen_before_its_calls_give_up() -> None:
    """Three calls without an answer for ten seconds: others go elsewhere, of this model alone; its next answer ends
    it."""
    clock, provider = StillClock(), Hanging(SLOW_CALLS)
    with under_way(provider, SLOW_CALLS, clock) as (watched, asked):
        clock.advance(SLOW - timedelta(seconds=1))
        assert not watched.shut(MODEL)
        clock.advance(timedelta(seconds=1))
        assert watched.shut(MODEL)
        assert not watched.shut("another")
        provider.answer.set()
        assert [each.result(10) for each in asked] == [ANSWER] * SLOW_CALLS
        assert not watched.shut(MODEL)


def test_fewer_may_be_their_photos_doing() -> None:
    """Two slow calls say nothing."""
    clock, provider = StillClock(), Hanging(SLOW_CALLS - 1)
    with under_way(provider, SLOW_CALLS - 1, clock) as (watched, _):
        clock.advance(2 * SLOW)
        assert not watched.shut(MODEL)


def test_calls_that_gave_up_are_under_way_no_more() -> None:
    """What a failure says is the breaker's matter: three in a row do not open it."""
    clock, provider = StillClock(), Hanging(SLOW_CALLS)
    provider.fails = True
    with under_way(provider, SLOW_CALLS, clock) as (watched, asked):
        clock.advance(SLOW)
        provider.answer.set()
        assert all(isinstance(each.exception(10), ProviderDownError) for each in asked)
        assert not watched.shut(MODEL)


def test_an_answer_that_was_under_way_ends_no_outage() -> None:
    """Calls that began before the first failure are answered after it: the note stays until a later call succeeds."""
    clock, written = StillClock(), list[str]()
    store = SimpleNamespace(
        note_outage=lambda *_, **__: written.append("noted"), forget_outage=lambda _: written.append("forgotten")
    )
    records: Any = SimpleNamespace(store=store, clock=clock, queue=lambda: SimpleNamespace(provider={}))

    def meanwhile_another_fails(_body: dict[str, Any], _seconds: float) -> Completion:
        clock.advance(timedelta(seconds=1))
        with suppress(ProviderDownError):
            calls.complete({"model": "down"}, 1, "bob")
        clock.advance(timedelta(seconds=1))
        return ANSWER

    def ask(body: dict[str, Any], seconds: float) -> Completion:
        if body["model"] == "down":
            raise ProviderDownError("status 503", Trouble.OVERLOADED)
        return meanwhile_another_fails(body, seconds) if body["model"] == "slow" else ANSWER

    calls = WatchedCalls(ask, Door.INSTANT, records)
    calls.complete({"model": "slow"}, 1, "ann")
    assert written == ["noted"]
    calls.complete({"model": MODEL}, 1, "ann")
    assert written == ["noted", "forgotten"]
