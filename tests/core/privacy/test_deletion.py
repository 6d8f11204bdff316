"""What is left of whom deletes an account."""

from datetime import timedelta

from functions.core.budget.holds import Hold
from functions.core.jobs.jobs import Status
from functions.core.privacy.deletion import (
    FAILED_WAIT_MAX,
    LOOK_AGAIN,
    closing,
    ends,
    erased,
    requested,
    tried,
    with_days,
)
from functions.core.wallet.accounts import charge, open_account
from functions.core.wallet.ledger import Reason, Today
from tests.builders import NOW, classification, job

LATER = NOW + timedelta(days=3)


def test_tokens_points_and_history_are_given_up() -> None:
    """An entry says how many tokens; the sums still hold, and what is owed stays owed."""
    bought = open_account(None, 20, NOW).post(0, Reason.BUY, "p", NOW, bought=30)
    before = charge(bought, "job", 5, NOW, points=7).with_fields(plan="pro", streak_days=3, push_tokens=("t",))
    after = closing(before.wallet, LATER)
    (entry,) = after.new_entries
    assert (entry.entry_id, entry.delta, entry.points, entry.bought) == ("close", -45, -7, -30)
    left = after.wallet
    assert (left.balance, left.purchased, left.points, left.total_earned, left.total_spent) == (0, 0, 0, 5, 5)
    assert (left.plan, left.streak_days, left.push_tokens, left.recent, left.today) == ("free", 0, (), (), Today())
    assert (left.entry_count, left.closed_at, left.created_at) == (entry.seq, LATER, NOW)
    assert left.next_refresh_at is None


def test_a_debt_stays() -> None:
    """Tokens of a payment that was taken back after they were spent."""
    owing = open_account(None, 0, NOW).post(0, Reason.BUY, "p", NOW, bought=-4)
    assert closing(owing.wallet, LATER).wallet.owed == 4


def test_whoever_never_came_gets_no_welcome_either() -> None:
    """There is an empty wallet, and no entry."""
    account = closing(None, LATER)
    assert (account.wallet.balance, account.wallet.closed_at, account.new_entries) == (0, LATER, ())


def test_a_job_keeps_its_figures_and_nothing_of_the_person() -> None:
    """Only what changes is written."""
    done = job(
        status=Status.DONE,
        result=classification().as_json(),
        image_digest="0" * 64,
        requested_region="IN",
        requested_language="hi-IN",
        preset="Ann's garden",
        notify=("token",),
        cost_micros=233,
    )
    fields = erased(done)
    assert fields == {
        "uid": "",
        "imagePath": "",
        "imageDigest": None,
        "requestedRegion": None,
        "requestedLanguage": None,
        "preset": None,
        "region": "",
        "language": "",
        "notify": (),
        "result": None,
    }
    assert erased(done.model_copy(update={"result": None, "notify": ()})).keys() == fields.keys() - {"result", "notify"}


def test_the_days_of_jobs_are_known_after_these_say_nothing() -> None:
    """That of the photo, and that on which its cost is booked; each once."""
    hold = Hold(day="2026-11-21", lane="instant", model="gpt-test", parts={}, micros=0, line_micros=100)
    held = job(day="2026-11-20", hold=hold)
    deletion = with_days(requested(NOW), [held, job(day="2026-11-20"), job()])
    assert deletion.days == ("2026-11-20", "2026-11-21")
    assert with_days(deletion, [held]) == deletion


def test_a_look_that_finds_something_is_repeated_sooner_than_one_that_fails() -> None:
    """The wait doubles with each failure in a row, up to a quarter of a day."""
    first = requested(NOW)
    assert (first.next_at, ends(first)) == (NOW, NOW + timedelta(hours=2))
    waiting = tried(first, NOW, failed=False)
    assert (waiting.next_at, waiting.failures) == (NOW + LOOK_AGAIN, 0)
    failing = tried(tried(first, NOW, failed=True), NOW, failed=True)
    assert (failing.next_at, failing.failures) == (NOW + 4 * LOOK_AGAIN, 2)
    assert tried(failing.model_copy(update={"failures": 9}), NOW, failed=True).next_at == NOW + FAILED_WAIT_MAX
    assert tried(failing, NOW, failed=False).failures == 0
