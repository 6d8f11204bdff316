"""One key is one request, and says so when it comes with another one."""

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.core.jobs.idempotency import job_id_for, outlived_key, require_same_request
from functions.core.jobs.jobs import Status
from functions.core.shared.errors import KeyReused
from functions.core.shared.lanes import Lane
from tests.builders import NOW, classification, job

keys = st.text(st.characters(categories=["L", "N"], include_characters="_-"), min_size=1, max_size=64)


@given(uid=keys, other_uid=keys, key=keys, other_key=keys)
def test_one_key_of_one_user_is_one_job(uid: str, other_uid: str, key: str, other_key: str) -> None:
    """The id follows from user and key alone, is safe in a path, and no two pairs share one."""
    assert re.fullmatch(r"[0-9a-f]{32}", job_id_for(uid, key))
    assert (job_id_for(uid, key) == job_id_for(other_uid, other_key)) == ((uid, key) == (other_uid, other_key))


def test_the_border_between_user_and_key_counts() -> None:
    """User `a` with key `bc` is not user `ab` with key `c`."""
    assert job_id_for("a", "bc") != job_id_for("ab", "c")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"image_path": "users/ana/uploads/can.jpg"}, "imagePath"),
        ({"requested_mode": Lane.INSTANT}, "mode"),
        ({"requested_region": "DE"}, "region"),
        ({"requested_language": "de"}, "language"),
        ({"payer": "7" * 32}, "payer"),
        ({"preset": "home"}, "preset"),
        ({"image_path": "users/ana/uploads/can.jpg", "requested_region": "DE"}, "imagePath"),
    ],
)
def test_a_key_that_comes_with_another_payload_names_the_field(change: dict[str, Any], field: str) -> None:
    """A requestId stands for one request for ever; the first field that differs is named."""
    with pytest.raises(KeyReused, match=field) as refused:
        require_same_request(job(), job(**change))
    assert refused.value.details == {"field": field}


@pytest.mark.parametrize(
    "progress",
    [
        {},
        {"status": Status.DONE, "attempts": 2, "result": classification().model_dump(by_alias=True)},
        {"mode": Lane.INSTANT, "tokens_cost": 5},
        {"region": "DE", "language": "de"},
        {"opened_by": "invocation-2", "created_at": NOW + timedelta(days=1)},
    ],
)
def test_the_same_payload_is_the_same_request_however_far_the_job_is(progress: dict[str, Any]) -> None:
    """What happened to a job since, an upgrade included, does not make its own request a foreign one."""
    require_same_request(job(**progress), job())


def test_a_key_that_has_outlived_its_job_says_so() -> None:
    """The app takes a new key, and its developer sees why."""
    refusal = outlived_key()
    assert refusal.details == {"field": "requestId"}
    assert "90 days" in refusal.message


@pytest.mark.parametrize(("stored", "wanted"), [("de-de", "de-DE"), ("de-DE", "de-de"), (None, None)])
def test_a_language_is_the_same_in_capitals(stored: str | None, wanted: str | None) -> None:
    """It was stored as it was sent once, and is brought into one form now."""
    require_same_request(job(requested_language=stored), job(requested_language=wanted))


def test_who_pays_by_a_preset_may_be_another_one_by_now() -> None:
    """The call has named the preset, and still does."""
    stored = job(payer="7" * 32, preset="work")
    require_same_request(stored, job(preset="work"), preset_pays=True)
    with pytest.raises(KeyReused, match="payer"):
        require_same_request(stored, job(preset="work"))
