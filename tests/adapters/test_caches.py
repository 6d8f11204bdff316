"""What a process remembers: fetched by one thread at a time, and by nobody who need not wait for it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from functions.adapters.caches import Cached
from functions.adapters.current_config import RUNTIME_CONFIG_AGE_MAX
from functions.deploy.params import CALLERS_AT_ONCE
from scripts.inprocess import InProcessCloud, StillClock

AGE_MAX = timedelta(seconds=30)
SECOND = timedelta(seconds=1)
PATIENCE = 20.0


class Source:
    """Hands out 1, 2, 3, ... as it is asked; while it is `closed`, whoever asks hangs."""

    def __init__(self) -> None:
        self.asked = 0
        self.open = threading.Event()
        self.open.set()
        self.reached = threading.Event()

    def __call__(self, _before: int | None) -> int:
        """Answer."""
        self.asked += 1
        answer = self.asked
        self.reached.set()
        assert self.open.wait(PATIENCE)
        return answer


def test_one_thread_fetches_and_the_others_go_on_with_what_there_is() -> None:
    """A source that hangs holds up one caller, and everybody has the new value afterwards."""
    clock, source = StillClock(), Source()
    cached = Cached(source, AGE_MAX, clock)
    assert cached.get() == 1
    clock.advance(AGE_MAX + SECOND)
    source.open.clear()
    source.reached.clear()
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(cached.get)
        assert source.reached.wait(PATIENCE)
        assert [cached.get() for _ in range(CALLERS_AT_ONCE)] == [1] * CALLERS_AT_ONCE
        source.open.set()
        assert hanging.result(PATIENCE) == 2
    assert (cached.get(), source.asked) == (2, 2)


def test_what_is_too_old_is_served_to_nobody() -> None:
    """A fetch that takes for ever does not keep an old price in force."""
    clock, source = StillClock(), Source()
    cached = Cached(source, AGE_MAX, clock)
    cached.get()
    clock.advance(AGE_MAX + SECOND)
    source.open.clear()
    source.reached.clear()
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(cached.get)
        assert source.reached.wait(PATIENCE)
        clock.advance(AGE_MAX)
        source.open.set()
        assert cached.get() > 1
        hanging.result(PATIENCE)


def test_a_fetch_that_fails_is_made_again() -> None:
    """The failure is the caller's; the next one asks again, and finds what was there before."""
    clock = StillClock()
    answers: list[Callable[[], int]] = [lambda: 1, lambda: 1 // 0, lambda: 3]
    seen: list[int | None] = []

    def fetch(before: int | None) -> int:
        seen.append(before)
        return answers.pop(0)()

    cached = Cached(fetch, AGE_MAX, clock)
    assert cached.get() == 1
    clock.advance(AGE_MAX + SECOND)
    with pytest.raises(ZeroDivisionError):
        cached.get()
    assert cached.get() == 3
    assert seen == [None, 1, 1]


def test_a_full_house_reads_the_settings_once() -> None:
    """Sixteen callers who find them old at one moment cost three reads, and not forty-eight."""
    product = InProcessCloud(seed=1)
    product.deps.runtime()
    product.clock.advance(RUNTIME_CONFIG_AGE_MAX + SECOND)
    product.firestore.bill.reset()
    at_once = threading.Barrier(CALLERS_AT_ONCE)

    def ask(_number: int) -> int:
        at_once.wait(PATIENCE)
        return product.deps.runtime().tokens.batch_price

    with ThreadPoolExecutor(CALLERS_AT_ONCE) as callers:
        assert set(callers.map(ask, range(CALLERS_AT_ONCE))) == {1}
    assert product.firestore.bill.reset()["totals"]["reads"] == 3
