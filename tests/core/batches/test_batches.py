"""How a batch is stored and polled."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from functions.core.batches.batches import INPUT_BYTES_MAX, LEASE_MARGIN, next_poll
from tests.builders import NOW, batch


def test_a_batch_is_at_the_provider_of_its_model_and_stored_as_ever() -> None:
    """For life. Its id there has the name that it had when OpenAI was the only one."""
    assert (batch().provider, batch(model="anthropic/claude-haiku-5-5").provider) == ("openai", "anthropic")
    assert batch().model_dump(by_alias=True)["openaiBatchId"] == "batch_abc"


@pytest.mark.parametrize(
    ("age_minutes", "wait_minutes"),
    [(0, 5), (5, 5), (20, 5), (60, 15), (100, 25), (120, 30), (240, 30), (24 * 60, 30), (-10, 5)],
)
def test_polls_back_off_with_age(age_minutes: int, wait_minutes: int) -> None:
    """A young batch is looked at every five minutes, an old one every half hour; a clock set back does no harm."""
    now = NOW + timedelta(minutes=age_minutes)
    assert next_poll(NOW, now) == now + timedelta(minutes=wait_minutes)


def test_a_batch_of_a_whole_day_is_polled_about_fifty_times() -> None:
    """The back-off bounds what a slow batch costs: five-minute polls would be 288."""
    now, polls = NOW, 0
    while now < NOW + timedelta(hours=24):
        now, polls = next_poll(NOW, now), polls + 1
    assert 45 <= polls <= 60


def test_a_run_lets_go_of_its_batch_before_others_may_take_it() -> None:
    """The request that is begun last arrives before the lease is over."""
    leased = batch(due_at=NOW)
    assert leased.holds_lease(NOW - LEASE_MARGIN)
    assert not leased.holds_lease(NOW - LEASE_MARGIN + timedelta(seconds=1))


def test_a_full_input_file_fits_openais_limit() -> None:
    """OpenAI takes 200 MB a file; ours end below it."""
    assert 150_000_000 < INPUT_BYTES_MAX < 200_000_000


def test_a_batch_never_costs_less_than_nothing() -> None:
    """A negative cost is a defect that is refused where it would be stored."""
    with pytest.raises(ValidationError, match=r"cost_?[mM]icros"):
        batch(cost_micros=-1)
