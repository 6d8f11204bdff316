"""An outage of the provider, as operators hear of it: within a quarter of an hour, with its end, and once."""

from datetime import timedelta
from typing import Any

import pytest

from functions.adapters.breaker import OPEN_FOR
from functions.core.shared.errors import EcolaneError
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.operations.admin_stats import AdminStats, admin_stats
from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.wallet.get_wallet import GetWallet, get_wallet
from scripts.inprocess import InProcessCloud
from tests.steps import alerts, classify, stored

MINUTE = timedelta(minutes=1)


@pytest.fixture
def cloud() -> InProcessCloud:
    """An empty cloud."""
    return InProcessCloud(seed=1)


def served(cloud: InProcessCloud, key: str, mode: str = "instant", uid: str = "ann") -> bool:
    """Hand a photo in. False if it is refused."""
    try:
        classify(cloud, key, mode, uid)
    except EcolaneError:
        return False
    return True


def raised(cloud: InProcessCloud) -> dict[str, dict[str, Any]]:
    """Return the alerts there are, by kind."""
    return {each["kind"]: each for each in alerts(cloud).values()}


def noted(cloud: InProcessCloud) -> dict[str, Any]:
    """Return what processes have noted of the provider."""
    return dict(stored(cloud, "stats/queue").get("provider", {}))


def quarter(cloud: InProcessCloud) -> None:
    """Let a quarter of an hour pass as crons see it: three submitters and pollers, then the guard."""
    for _ in range(3):
        cloud.clock.advance(5 * MINUTE)
        submit_batches(cloud.deps)
        poll_batches(cloud.deps)
    guard_budget(cloud.deps)


def test_a_refused_key_is_told_at_its_first_photo_and_is_over_with_the_next_answer(cloud: InProcessCloud) -> None:
    """Within 15 minutes, with the code and what to do, delivered; then since when it is over."""
    cloud.openai.faults.add("refused", status=401, count=None)
    assert not served(cloud, "photo-one")
    guard_budget(cloud.deps)
    told = raised(cloud)["key_refused"]
    assert "status 401" in told["text"]
    assert (told["open"], told["dueAt"], told["attempts"]) == (True, None, 1)
    cloud.openai.faults.clear()
    assert served(cloud, "photo-two", uid="bob")
    assert noted(cloud) == {}
    guard_budget(cloud.deps)
    over = raised(cloud)["key_refused"]
    assert (over["open"], over["overAt"], over["dueAt"]) == (False, cloud.clock(), None)


@pytest.mark.parametrize(("status", "kind"), [(401, "key_refused"), (503, "provider_down"), (404, "provider_refuses")])
def test_photos_that_cannot_be_sent_are_told_within_a_quarter_of_an_hour(
    cloud: InProcessCloud, status: int, kind: str
) -> None:
    """Of the batch lane alone, with how many photos of how many users wait; once, and that it is over."""
    cloud.openai.faults.add("refused", status=status, count=None)
    for uid in ("ann", "bob"):
        assert served(cloud, f"photo-of-{uid}", "batch", uid)
    quarter(cloud)
    (told,) = raised(cloud).values()
    assert (told["kind"], told["attempts"], told["dueAt"]) == (kind, 1, None)
    assert f"status {status}" in told["text"]
    assert "2 wait, of at least 2 users" in told["text"]
    for _ in range(12):
        quarter(cloud)
    assert set(raised(cloud)) == {kind}, "what follows from it is not told beside it"
    cloud.openai.faults.clear()
    for _ in range(6):
        quarter(cloud)
    assert raised(cloud)[kind]["open"] is False


def test_the_age_of_a_queue_counts_from_when_photos_were_asked_for(cloud: InProcessCloud) -> None:
    """However often they were claimed and given back meanwhile."""
    cloud.openai.faults.add("refused", status=503, count=None)
    asked = cloud.clock()
    assert served(cloud, "photo-one", "batch")
    for _ in range(12):
        quarter(cloud)
    shown = admin_stats(AdminStats(), "root", cloud.deps)["queue"]["oldestAt"]
    assert shown == asked.isoformat().replace("+00:00", "Z")


def test_a_provider_that_answers_costs_no_note_and_one_failure_is_no_alert(cloud: InProcessCloud) -> None:
    """Nothing is written while all is well; what was one slip is told to nobody."""
    assert served(cloud, "photo-one")
    before = cloud.firestore.bill.snapshot()["totals"]["writes"]
    assert served(cloud, "photo-two")
    assert cloud.firestore.bill.snapshot()["totals"]["writes"] - before == 6
    cloud.openai.faults.add("refused", status=503, count=1)
    assert not served(cloud, "photo-three", uid="bob")
    assert noted(cloud)["instant"]["failures"] == 1
    guard_budget(cloud.deps)
    assert raised(cloud) == {}


def test_another_process_that_meets_an_answer_ends_the_outage(cloud: InProcessCloud) -> None:
    """The one that noted it may be gone: whoever reads the settings and gets an answer takes the note out, once."""
    cloud.openai.faults.add("refused", status=503, count=3)
    for number in range(3):
        assert not served(cloud, f"photo-no-{number}")
        cloud.clock.advance(9 * MINUTE)
    assert noted(cloud)["instant"]["failures"] == 3
    cloud.restart()
    assert served(cloud, "photo-four", uid="bob")
    assert noted(cloud) == {}
    before = cloud.firestore.bill.snapshot()["totals"]["writes"]
    assert served(cloud, "photo-five", uid="bob")
    assert cloud.firestore.bill.snapshot()["totals"]["writes"] - before == 6


def test_failures_within_minutes_are_one_note(cloud: InProcessCloud) -> None:
    """An outage under load writes little; those in between are counted with the next note, and another process whose
    settings know of a note writes none."""
    cloud.openai.faults.add("refused", status=503, count=None)
    for number in range(2):
        served(cloud, f"photo-no-{number}")
    assert noted(cloud)["instant"]["failures"] == 1
    ours = cloud.deps
    cloud.restart()
    cloud.clock.advance(MINUTE)
    served(cloud, "photo-of-another", uid="eve")
    assert noted(cloud)["instant"]["failures"] == 1
    cloud.deps = ours
    cloud.clock.advance(9 * MINUTE)
    served(cloud, "photo-last", uid="bob")
    assert noted(cloud)["instant"]["failures"] == 3


def test_while_the_provider_is_down_one_caller_a_minute_asks(cloud: InProcessCloud) -> None:
    """Five photos meet the outage. The next are refunded at once, unasked, and are counted; a minute later one asks for
    all, and its answer opens the lane."""
    cloud.openai.faults.add("refused", status=503, count=None)
    for number in range(7):
        assert not served(cloud, f"photo-no-{number}", uid=f"user-{number}")
    assert cloud.openai.requests["POST /v1/chat/completions"] == 5
    cloud.openai.faults.clear()
    assert not served(cloud, "photo-eight", uid="user-6")
    assert get_wallet(GetWallet(), "user-6", cloud.deps)["balance"] == 10
    cloud.clock.advance(OPEN_FOR)
    assert noted(cloud)["instant"]["failures"] == 1
    assert served(cloud, "photo-nine", uid="user-6")
    assert served(cloud, "photo-ten", uid="user-5")
    assert noted(cloud) == {}


@pytest.mark.parametrize(
    "fault", [{"kind": "reply_lost"}, {"kind": "refused", "status": 400, "code": "never_heard_of"}]
)
def test_one_users_photos_close_the_lane_to_nobody_else(cloud: InProcessCloud, fault: dict[str, Any]) -> None:
    """A photo that takes the model too long, or that it refuses in new words, looks like an outage. However often one
    user sends such photos, the others are served at once."""
    cloud.configure({"tokens": {"welcome": 60}})
    cloud.openai.faults.add(**fault, endpoint="POST /v1/chat/completions", count=None)
    for number in range(6):
        assert not served(cloud, f"photo-no-{number}", uid="eve")
        cloud.clock.advance(timedelta(seconds=5))
    assert cloud.openai.requests["POST /v1/chat/completions"] == 6
    cloud.openai.faults.clear()
    assert served(cloud, "photo-good", uid="ann")


def test_a_photo_that_is_rejected_is_an_answer(cloud: InProcessCloud) -> None:
    """However many the provider rejects for what they show, it is up, and the next one is asked about."""
    cloud.openai.faults.add("refused", status=503, count=1)
    cloud.openai.faults.add("refused", status=400, code="invalid_image", count=5)
    for number in range(6):
        assert not served(cloud, f"photo-no-{number}", uid=f"user-{number}")
    assert served(cloud, "photo-last", uid="bob")


def test_a_note_that_cannot_be_written_changes_nothing_for_the_user(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The photo is refunded as it would have been, and the log says why operators do not hear of it."""

    def down(*_: object, **__: object) -> None:
        raise RuntimeError("the store is down")

    monkeypatch.setattr(cloud.deps.store, "note_outage", down)
    cloud.openai.faults.add("refused", status=503, count=None)
    assert not served(cloud, "photo-one")
    assert "outage_unrecorded" in capfd.readouterr().out


def test_a_reopened_lane_is_no_old_queue(cloud: InProcessCloud) -> None:
    """What waited while both lanes were closed is not late the moment that they open."""
    until = (cloud.clock() + timedelta(hours=6)).isoformat()
    cloud.configure({"budget": {"overrideMode": "closed", "overrideUntil": until}})
    assert served(cloud, "photo-one", "batch")
    while cloud.clock().isoformat() <= until:
        quarter(cloud)
    guard_budget(cloud.deps)
    assert raised(cloud) == {}


def test_an_alert_that_lasts_is_told_once_a_day_with_its_first_hour(cloud: InProcessCloud) -> None:
    """The next day's says since when; the one of the day before ends quietly."""
    cloud.openai.faults.add("refused", status=401, count=None)
    since = cloud.clock()
    assert not served(cloud, "photo-one")
    guard_budget(cloud.deps)
    for number in range(13):
        cloud.clock.advance(timedelta(hours=1))
        served(cloud, f"photo-no-{number}", uid=f"user-{number}")
        guard_budget(cloud.deps)
    found = alerts(cloud)
    assert set(found) == {"key_refused-2026-11-21", "key_refused-2026-11-22"}
    assert found["key_refused-2026-11-22"]["since"] == since
    assert [each["open"] for _, each in sorted(found.items())] == [False, True]
    assert all(each["attempts"] == 1 for each in found.values())
