"""What a bulk job is: its key, the shares of its price, and when it is looked at."""

from datetime import timedelta

import pytest

from functions.core.bulk.bulks import (
    bulk_id_for,
    bulk_view,
    expires,
    next_look,
    outlived_bulk,
    payload,
    request_of,
    require_owner,
    require_same_bulk,
)
from functions.core.jobs.idempotency import job_id_for
from functions.core.shared.errors import JobNotFound, KeyReused
from tests.builders import NOW, bulk


def test_a_key_names_one_bulk_job_of_one_user() -> None:
    """And none of the jobs that a photo's key names."""
    assert bulk_id_for("ann", "request-1") == bulk_id_for("ann", "request-1")
    assert len({bulk_id_for("ann", "request-1"), bulk_id_for("bob", "request-1"), job_id_for("ann", "request-1")}) == 3


def test_no_app_can_send_the_key_of_a_bulk_jobs_photo() -> None:
    """Keys of apps have no slash."""
    assert request_of("b" * 32, "users/ann/uploads/a.jpg") == "b" * 32 + "/users/ann/uploads/a.jpg"


@pytest.mark.parametrize(("price", "bought"), [(100, 0), (100, 100), (33, 10), (7, 7), (250, 1), (1, 0)])
def test_the_shares_add_up_to_the_whole(price: int, bought: int) -> None:
    """Of the price and of what was bought, however it is cut; no photo has more bought tokens than it costs."""
    whole = bulk(tokens_cost=price, tokens_bought=bought)
    each = [whole.price_of(n, n + 1) for n in range(100)]
    assert (sum(tokens for tokens, _ in each), sum(part for _, part in each)) == (price, bought)
    assert all(0 <= part <= tokens for tokens, part in each)
    assert whole.price_of(0, 37)[0] + whole.price_of(37, 100)[0] == price
    assert whole.price_of(0, 100) == (price, bought)


def test_free_tokens_pay_the_first_photos() -> None:
    """So what comes back for the last ones was bought, and stays so."""
    whole = bulk(tokens_cost=100, tokens_bought=30)
    assert (whole.price_of(0, 70), whole.price_of(70, 100)) == ((70, 0), (30, 30))


def test_the_owner_alone_sees_it() -> None:
    """None and somebody else's look alike."""
    mine = bulk()
    assert require_owner(mine, "ana") is mine
    for stored, uid in ((None, "ana"), (mine, "bob")):
        with pytest.raises(JobNotFound):
            require_owner(stored, uid)


def test_a_key_stands_for_its_payload() -> None:
    """A list of photos by its digest, a prefix by its name."""
    of_list = bulk(prefix=None)
    assert payload(bulk())["images"] is None
    assert payload(of_list)["images"] == "f" * 64
    require_same_bulk(of_list, payload(of_list))
    with pytest.raises(KeyReused, match="another images"):
        require_same_bulk(of_list, {**payload(of_list), "images": "0" * 64})


def test_a_key_that_has_outlived_its_bulk_job_says_so() -> None:
    """And which field to change."""
    refusal = outlived_bulk()
    assert "new requestId" in refusal.message
    assert refusal.details == {"field": "requestId"}


def test_its_answers_are_counted_less_and_less_often() -> None:
    """Every count costs reads."""
    waits = [next_look(bulk(created_at=NOW - timedelta(minutes=age)), NOW) - NOW for age in (0, 100, 1_000)]
    assert waits == [timedelta(minutes=5), timedelta(minutes=10), timedelta(minutes=30)]


def test_it_outlives_its_last_job() -> None:
    """Which may be taken on at the deadline."""
    assert expires(NOW) == NOW + timedelta(days=90)


def test_what_the_app_is_shown() -> None:
    """Nothing of how it is worked off."""
    shown = bulk_view(bulk())
    assert shown["bulkId"] == "b" * 32
    assert not shown.keys() & {"uid", "listed", "dueAt", "moves", "refunds"}
    assert not bulk().ended
    assert bulk(completed_at=NOW).ended
