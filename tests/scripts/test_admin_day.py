"""An operator's day at the command line: what users complain of, what is damaged, what was a slip of the hand."""

import json
import re
from datetime import timedelta
from io import StringIO

import pytest
from rich.console import Console

from functions.core.jobs.idempotency import job_id_for
from functions.core.shared.errors import EcolaneError, ProviderUnavailable
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.jobs.quote import Quote, quote
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.refresh.refresh_credits import refresh_credits
from functions.use_cases.wallet.get_wallet import GetWallet, get_wallet
from scripts.inprocess import CrashError, InProcessCloud
from scripts.operators import printing
from tests.scripts.test_admin import Run, audit, balance, classify, cloud, run
from tests.steps import statement, stored, wallet

__all__ = ["cloud", "run"]  # fixtures


# "I was charged and got nothing"


def story(run: Run, job: str) -> tuple[str, list[str]]:
    """Return how a job has ended, and its steps."""
    told = json.loads(run("job", job, "--json").stdout)
    return told["outcome"], [each["what"].partition(":")[0] for each in told["timeline"]]


def test_a_jobs_story_ends_in_its_answer(cloud: InProcessCloud, run: Run) -> None:
    """Asked for, charged, sent, answered, each with its time; while it is open, when it ends at the latest."""
    job = classify(cloud, "photo-one")
    waits = json.loads(run("job", job, "--json").stdout)
    assert (waits["outcome"], waits["endsBy"]) == ("waits", "2026-11-22T14:00:00Z")
    submit_batches(cloud.deps)
    (batch,) = json.loads(run("batches", "--json").stdout)["batches"]
    sent = json.loads(run("job", job, "--json").stdout)
    assert (sent["outcome"], sent["endsBy"]) == (f"is in batch {batch['batchId']}", "2026-11-22T16:00:00Z")
    assert "2026-11-22 16:00 UTC" in run("job", job).stdout
    cloud.clock.advance(timedelta(minutes=30))
    cloud.openai.tick()
    poll_batches(cloud.deps)
    answered, steps = story(run, job)
    assert answered == stored(cloud, f"aiJobs/{job}")["result"]["itemName"]
    assert steps[0] == "asked for by ann"
    assert set(steps[1:]) == {
        "charge",
        f"into batch {batch['batchId']} of 1 photos, at OpenAI {batch['openaiBatchId']}",
        "done",
    }
    shown = json.loads(run("user", "ann", "--json").stdout)["jobs"]
    assert [(each["jobId"], each["outcome"]) for each in shown] == [(job, answered)]
    assert json.loads(run("batches", batch["batchId"], "--json").stdout)["jobs"] == [
        {"jobId": job, "uid": "ann", "outcome": answered}
    ]


def test_a_jobs_story_ends_in_its_reason_and_refund(cloud: InProcessCloud, run: Run) -> None:
    """Failed, with the code and the entry that gave the price back; a refund that is missing is said loudly."""
    job = classify(cloud, "photo-one")
    del cloud.files.objects["users/ann/uploads/photo-one.jpg"]
    submit_batches(cloud.deps)
    ends, steps = story(run, job)
    assert ends == "IMAGE_NOT_FOUND, refunded"
    assert {"charge", "refund", "failed"} <= set(steps)
    assert json.loads(run("job", job, "--json").stdout)["endsBy"] is None
    cloud.client.document(f"users/ann/ledger/refund:{job}").delete()
    assert story(run, job)[0] == "IMAGE_NOT_FOUND, NOT refunded"


@pytest.mark.parametrize("mode", ["batch", "instant"])
def test_whatever_a_user_names_leads_to_the_photo(cloud: InProcessCloud, run: Run, mode: str) -> None:
    """A uid, a job, a batch by our id or OpenAI's, a requestId with its user: each with the command that tells more."""
    job = classify(cloud, "photo-one", mode)
    assert json.loads(run("find", job, "--json").stdout)["found"] == [
        {"kind": "job", "id": job, "command": f"admin job {job}"}
    ]
    assert "admin user ann" in run("find", "ann").stdout
    assert job == job_id_for("ann", "request-photo-one")
    assert f"admin job {job}" in run("find", "request-photo-one", "--uid", "ann").stdout
    assert "a requestId needs --uid" in run("find", "request-photo-one").stderr
    if mode == "batch":
        submit_batches(cloud.deps)
        (batch,) = json.loads(run("batches", "--json").stdout)["batches"]
        for name in (batch["batchId"], batch["openaiBatchId"]):
            assert f"admin batches {batch['batchId']}" in run("find", name).stdout


def test_an_entry_is_found_by_its_request(cloud: InProcessCloud, run: Run) -> None:
    """What was earned or given under a key, too."""
    balance(cloud)
    run("grant", "ann", "30", "--why", "outage", "--key", "outage-ann", "--yes")
    assert "+30 tokens" in run("find", "outage-ann", "--uid", "ann").stdout


# Damaged documents


def test_a_damaged_document_is_one_line_and_the_command_goes_on(cloud: InProcessCloud, run: Run) -> None:
    """Path, field and what to do; what is sound is shown beside it."""
    job = classify(cloud, "photo-one")
    submit_batches(cloud.deps)
    other = classify(cloud, "photo-two")
    now = cloud.clock()
    cloud.client.document("batches/broken").set({"state": "submitted", "dueAt": now, "createdAt": now})
    cloud.client.document("alerts/broken").set({"kind": "drift", "createdAt": now, "dueAt": now, "open": True})
    cloud.client.document("aiJobs/broken").set(
        {"status": "queued", "shard": 1, "priority": 0, "queuedAt": now, "createdAt": now, "uid": "ann"}
    )
    for look in (("status",), ("budget",), ("costs",)):
        assert run(*look).exit_code == 0, look
    assert re.search(r"damaged alerts/broken: \w+: .+ Correct the field", run("status").stdout)
    queue = run("queue")
    assert (queue.exit_code, other in queue.stdout) == (0, True)
    assert re.search(r"damaged aiJobs/broken: \w+: .+ Correct the field", queue.stdout)
    batches = run("batches")
    assert (batches.exit_code, "submitted" in batches.stdout) == (0, True)
    assert re.search(r"damaged batches/broken: \w+: ", batches.stdout)
    user = run("user", "ann")
    assert (user.exit_code, job in user.stdout, "damaged aiJobs/broken" in user.stdout) == (0, True, True)
    for command in (("batches", "broken"), ("job", "broken"), ("retry", "broken")):
        result = run(*command)
        assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1), command
        assert "broken: " in result.stderr


@pytest.mark.parametrize(
    "damage",
    [
        {"balance": "many"},
        {"totalSpent": -3},
        {"recent": "none"},
        {"scans": None, "balance": 7},
        {"bonusDay": None, "refreshFailures": 3},
    ],
)
def test_a_damaged_wallet_is_made_anew_and_keeps_what_its_ledger_does_not_hold(
    cloud: InProcessCloud, run: Run, damage: dict[str, object]
) -> None:
    """Balance and points from the ledger; plan, streak and devices from what can still be read; shown, asked, on
    record; a second time there is nothing to do."""
    classify(cloud, "photo-one")
    sound = {"plan": "plus", "streakDays": 5, "pushTokens": ["phone"], "ofANewerRelease": 1}
    cloud.client.document("users/ann/wallet/main").update({**sound, **damage})
    before = wallet(cloud)
    assert run("repair", "ann", "--why", "damaged", answer="n\n").exit_code == 1
    assert wallet(cloud) == before
    done = run("repair", "ann", "--why", "damaged", answer="y\n")
    assert done.exit_code == 0, done.output
    assert "Project demo-ecolane: The wallet of ann" in done.output
    after = wallet(cloud)
    assert {name: after[name] for name in sound} == sound
    assert (after["balance"], after["totalEarned"], after["totalSpent"], after["points"]) == (9, 10, 1, 10)
    assert (after["scans"], after["entryCount"], len(after["recent"])) == (1, 2, 2)
    assert (after["bonusDay"], after["refreshFailures"]) == ("1970-01-01", 0)
    assert get_wallet(GetWallet(), "ann", cloud.deps)["balance"] == 9
    (entry,) = audit(cloud)
    assert (entry["action"], entry["target"], entry["why"]) == ("repair", "ann", "damaged")
    assert entry["changed"]


def test_a_wallet_that_is_gone_is_made_anew_by_hand_too(cloud: InProcessCloud, run: Run) -> None:
    """And is on the refresh's schedule."""
    balance(cloud)
    cloud.client.document("users/ann/wallet/main").delete()
    assert run("repair", "ann", "--why", "gone", "--yes").exit_code == 0
    assert (wallet(cloud)["balance"], wallet(cloud)["nextRefreshAt"]) == (10, cloud.clock())
    assert json.loads(run("repair", "ann", "--why", "again", "--yes", "--json").stdout)["changed"] == []


def test_every_command_names_a_damaged_wallet_and_its_remedy(cloud: InProcessCloud, run: Run) -> None:
    """One line, with the field, and the command that mends it."""
    balance(cloud)
    cloud.client.document("users/ann/wallet/main").update({"balance": "many"})
    for command in (("user", "ann"), ("grant", "ann", "5", "--why", "x", "--yes")):
        result = run(*command)
        assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
        assert "balance" in result.stderr
        assert "admin repair ann" in result.stderr


def test_a_ledger_with_a_gap_is_no_truth(cloud: InProcessCloud, run: Run) -> None:
    """Nothing is made from it; the entry is named, and where to get it back."""
    classify(cloud, "photo-one")
    classify(cloud, "photo-two")
    job = job_id_for("ann", "request-photo-one")
    cloud.client.document(f"users/ann/ledger/charge:{job}").delete()
    refused = run("repair", "ann", "--why", "damaged", "--yes")
    assert (refused.exit_code, "has a gap at entry 2" in refused.stderr) == (1, True)
    assert "has no ledger" in run("repair", "nobody", "--why", "x", "--yes").stderr


# Slips of the hand


def test_a_grant_is_taken_back_once(cloud: InProcessCloud, run: Run) -> None:
    """By its key, after a question, on record, as an entry that the user sees."""
    balance(cloud)
    run("grant", "ann", "30", "--why", "outage", "--key", "outage-ann", "--yes")
    assert run("undo-grant", "ann", "outage-ann", "--why", "wrong user", answer="n\n").exit_code == 1
    for posted in (True, False):
        undone = run("undo-grant", "ann", "grant:outage-ann", "--why", "wrong user", "--yes", "--json")
        assert json.loads(undone.stdout)["posted"] is posted
    assert statement(cloud)[-1] == ("grant:outage-ann:undone", -30, 10)
    assert wallet(cloud)["totalEarned"] == 10
    assert {entry["action"] for entry in audit(cloud)} == {"grant", "undo-grant"}
    assert "was given nothing" in run("undo-grant", "ann", "another-key", "--why", "x", "--yes").stderr
    assert "was given nothing" in run("undo-grant", "ann", "outage-ann:undone", "--why", "x", "--yes").stderr


def test_of_a_grant_that_was_spent_the_rest_is_taken_back(cloud: InProcessCloud, run: Run) -> None:
    """No balance falls below nothing, and the question says so."""
    balance(cloud)
    run("grant", "ann", "30", "--why", "outage", "--key", "outage-ann", "--yes")
    for number in range(3):
        classify(cloud, f"photo-no-{number}", "instant")
    shown = run("undo-grant", "ann", "outage-ann", "--why", "wrong user", answer="y\n").output
    assert "30 tokens of ann taken back, of which 25 are left" in shown
    assert balance(cloud) == 0


def test_bought_tokens_are_no_part_of_a_grant(cloud: InProcessCloud, run: Run) -> None:
    """They stay when a grant is taken back that was spent."""
    balance(cloud)
    run("grant", "ann", "30", "--why", "outage", "--key", "outage-ann", "--yes")
    bought = {"balance": 25, "totalEarned": 25, "purchased": 20}
    cloud.client.document("users/ann/wallet/main").set(bought, merge=True)
    run("undo-grant", "ann", "outage-ann", "--why", "wrong user", "--yes")
    assert (balance(cloud), wallet(cloud)["purchased"]) == (20, 20)


def test_a_large_grant_is_typed_twice(cloud: InProcessCloud, run: Run) -> None:
    """A slip of a digit is found by whoever reads the question; a script says --yes."""
    balance(cloud)
    for answer in ("y\n", "y\ny\n", "y\n500\n"):
        refused = run("grant", "ann", "5000", "--why", "prize", answer=answer)
        assert (refused.exit_code, balance(cloud)) == (1, 10)
    assert run("grant", "ann", "5000", "--why", "prize", answer="y\n5000\n").exit_code == 0
    assert balance(cloud) == 5_010


def test_a_grants_key_is_told_before_anything_is_written(cloud: InProcessCloud, run: Run) -> None:
    """Whoever did not see how it ended gives nothing twice: the same command with that key says what happened."""
    balance(cloud)
    asked = run("grant", "ann", "5", "--why", "x", answer="n\n").output
    key = asked.split("(--key ")[1].split(")")[0]
    assert [run("grant", "ann", "5", "--why", "x", "--key", key, "--yes").exit_code for _ in range(2)] == [0, 0]
    assert statement(cloud)[-1][:2] == (f"grant:{key}", 5)


def test_a_question_names_the_emulator(cloud: InProcessCloud, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody takes production for the local cloud, or the other way round."""
    balance(cloud)
    assert "Project demo-ecolane: 5 tokens" in run("grant", "ann", "5", "--why", "x", answer="n\n").output
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:8080")
    asked = run("grant", "ann", "5", "--why", "x", answer="n\n").output
    assert "Emulator at 127.0.0.1:8080, project demo-ecolane: 5 tokens" in asked


def test_a_limit_is_set_in_dollars_and_shows_what_it_means(cloud: InProcessCloud, run: Run) -> None:
    """Before and after in dollars, the value in force even where it is the default, what it buys, what it closes."""
    asked = run("config", "set", "budget.dailyLimitMicros=$5", answer="n\n").output
    text = " ".join(asked.split())
    assert "Project demo-ecolane" in text
    assert "10000000 ($10.00), the default" in text
    assert "5000000 ($5.00)" in text
    assert "$5.00 a day buy" in text
    assert "Today $0 of $5.00 are used: both lanes are open." in text
    assert stored(cloud, "config/runtime") == {}
    closing = " ".join(run("config", "set", "budget.dailyLimitMicros=0", answer="n\n").output.split())
    assert "both lanes are closed, photos are queued" in closing
    assert run("config", "set", "budget.monthlyLimitMicros=$1,000.50", "--yes").exit_code == 0
    assert stored(cloud, "config/runtime") == {"budget": {"monthlyLimitMicros": 1_000_500_000}}


@pytest.mark.parametrize("field", ["dailyLimitMicros", "monthlyLimitMicros", "perUserDailyMicros"])
def test_a_limit_that_buys_no_photo_is_a_slip_and_none_at_all_is_meant(
    cloud: InProcessCloud, run: Run, field: str
) -> None:
    """5 is five millionths of a dollar; 0 closes on purpose."""
    slip = run("config", "set", f"budget.{field}=5", "--yes")
    assert (slip.exit_code, stored(cloud, "config/runtime")) == (1, {})
    assert "5 micro-dollars buy no photo" in slip.stderr
    assert "Write dollars as $5; 0 closes on purpose." in slip.stderr
    assert run("config", "set", f"budget.{field}=0", "--yes").exit_code == 0
    assert stored(cloud, "config/runtime") == {"budget": {field: 0}}


@pytest.mark.parametrize(
    ("assignment", "validated"),
    [
        ("instant.open=no", {"instant": {"open": False}}),
        ("tokens.batchPrice=2.0", {"tokens": {"batchPrice": 2}}),
        ("budget.alertUids=[]", {"budget": {"alertUids": []}}),
        ("defaultRegion=DE", {"defaultRegion": "DE"}),
    ],
)
def test_what_was_validated_is_stored(cloud: InProcessCloud, run: Run, assignment: str, validated: object) -> None:
    """And not what was typed: "no" is no text where a yes or no is meant."""
    assert run("config", "set", assignment, "--yes").exit_code == 0
    assert stored(cloud, "config/runtime") == validated


def test_a_diff_shows_only_what_changes(cloud: InProcessCloud, run: Run) -> None:
    """A plan is stored as a whole; its fields that stay as they are are no change."""
    shown = run("config", "set", "plans.free.instantPerDay=3", answer="n\n").output
    assert "plans.free.instantPerDay" in shown
    assert "20, the default" in shown
    assert "batchPerDay" not in shown
    run("config", "set", "tokens.batchPrice=2", "--yes")
    back = run("config", "unset", "tokens.batchPrice", answer="n\n").output
    assert "1, the default" in back


@pytest.mark.parametrize(("until", "taken"), [("+2h", True), ("+31d", True), ("+32d", False), ("+400d", False)])
def test_an_override_ends_within_a_month(cloud: InProcessCloud, run: Run, until: str, *, taken: bool) -> None:
    """A longer one is a lane that is closed and nobody knows why; the message says how long is taken."""
    result = run("config", "set", "budget.overrideMode=closed", f"budget.overrideUntil={until}", "--yes")
    assert (result.exit_code == 0) is taken
    assert taken or "an override ends within 31 days, and not before now" in result.stderr
    assert not taken or "both lanes are closed" in " ".join(result.output.split())


# What the screens say


def test_the_month_says_what_is_spent_and_what_today_can_add(cloud: InProcessCloud, run: Run) -> None:
    """A day's whole limit is not spent because it is open."""
    classify(cloud, "photo-one", "instant")
    guard_budget(cloud.deps)
    cloud.clock.advance(timedelta(seconds=31))
    budget = json.loads(run("status", "--json").stdout)["budget"]
    spent = stored(cloud, f"aiJobs/{job_id_for('ann', 'request-photo-one')}")["costMicros"]
    assert (budget["monthUsed"], budget["month"]) == (spent, 10_000_000)
    for look in ("status", "budget"):
        shown = run(look).stdout
        assert f"{printing.dollars(spent)} spent or held of $200.00" in shown
        assert f"today's limit can still add {printing.dollars(10_000_000 - spent)}" in shown
        assert "committed" not in shown.partition("shard")[0]


def test_an_alert_has_an_hour_and_an_end(cloud: InProcessCloud, run: Run) -> None:
    """Since when, and when it was over; what is wrong now is shown before the guard tells it, and a cron of the
    operator's own can ask for it."""
    assert run("status", "--check").exit_code == 0
    cloud.openai.faults.add("refused", status=401, count=None)
    with pytest.raises(EcolaneError):
        classify(cloud, "photo-one", "instant")
    cloud.clock.advance(timedelta(seconds=31))
    early = run("status", "--check")
    assert early.exit_code == 3
    assert "now key_refused: Since 2026-11-21 12:00 UTC (status 401" in early.stdout
    guard_budget(cloud.deps)
    assert "! 2026-11-21 12:00 key_refused: " in run("status").stdout
    cloud.openai.faults.clear()
    cloud.clock.advance(timedelta(minutes=10))
    classify(cloud, "photo-two", "instant")
    guard_budget(cloud.deps)
    shown = run("status", "--check")
    assert shown.exit_code == 0
    assert "- 2026-11-21 12:00 key_refused, over since 2026-11-21 12:10: " in shown.stdout


def test_the_pause_is_part_of_every_promise(cloud: InProcessCloud, run: Run) -> None:
    """Both lanes closed until six hours from now: a quote and a new job count from then, and so does `queue`."""
    usual = quote(Quote(), "ann", cloud.deps)["batch"]["waitMinutes"]
    assert run("config", "set", "budget.overrideMode=closed", "budget.overrideUntil=+6h", "--yes").exit_code == 0
    until = cloud.clock() + timedelta(hours=6)
    cloud.clock.advance(timedelta(minutes=1))
    told = quote(Quote(), "ann", cloud.deps)["batch"]
    assert (told["pausedUntil"], told["waitMinutes"]) == ("2026-11-21T18:00:00Z", usual + 359)
    job = stored(cloud, f"aiJobs/{classify(cloud, 'photo-one')}")
    assert job["estimatedCompletion"] == until + timedelta(minutes=usual)
    assert json.loads(run("queue", "--json").stdout)["expectedMinutes"] == usual + 359


def test_why_the_bill_is_larger_than_yesterdays_is_answered_the_same_day(cloud: InProcessCloud, run: Run) -> None:
    """By lane, user, photos and cost a photo, on one basis, with everybody else, so that each part makes the sum."""
    for number in range(2):
        classify(cloud, f"photo-old-{number}", "instant")
    guard_budget(cloud.deps)
    cloud.clock.advance(timedelta(days=1))
    for number in range(3):
        classify(cloud, f"photo-new-{number}", uid="bob")
    submit_batches(cloud.deps)
    for uid in [f"user-{n}" for n in range(12)]:
        classify(cloud, f"photo-of-{uid}", "instant", uid=uid)
    guard_budget(cloud.deps)
    told = json.loads(run("costs", "--compare", "--json").stdout)
    rows = {row["what"]: (row["before"], row["after"]) for row in told["rows"]}
    assert told["days"] == ["2026-11-21", "2026-11-22"]
    assert [each["photos"] for each in rows["together"]] == [2, 15]
    assert [each["photos"] for each in rows["instant lane"]] == [2, 12]
    assert [each["photos"] for each in rows["batch lane"]] == [0, 3]
    for side in (0, 1):
        users = [pair[side] for what, pair in rows.items() if what.startswith("user ") or what == "everybody else"]
        lanes = [pair[side] for what, pair in rows.items() if what.endswith(" lane")]
        for parts in (users, lanes):
            assert sum(each["micros"] for each in parts) == rows["together"][side]["micros"]
            assert sum(each["photos"] for each in parts) == rows["together"][side]["photos"]
    assert rows["everybody else"][1]["photos"] > 0
    assert {row["what"] for row in told["models"]} >= {"instant, gpt-6-luna"}
    shown = run("costs", "--compare").stdout
    assert "as of 2026-11-22 12:00 UTC" in shown
    day = [row for row in json.loads(run("costs", "--users", "--json").stdout)["rows"] if row["day"] == "2026-11-22"]
    assert sum(row["micros"] for row in day) == rows["together"][1]["micros"]
    assert "As of 2026-11-22 12:00 UTC" in run("costs", "--users").stdout


def test_yesterdays_users_are_added_up_again_while_their_batches_end(cloud: InProcessCloud, run: Run) -> None:
    """Not two days later: within six hours of an answer that came after midnight."""
    cloud.clock.advance(timedelta(hours=11))
    classify(cloud, "photo-one")
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(hours=2))
    guard_budget(cloud.deps)
    cloud.clock.advance(timedelta(hours=2))
    cloud.openai.tick()
    poll_batches(cloud.deps)
    cloud.clock.advance(timedelta(hours=5))
    guard_budget(cloud.deps)
    rows = json.loads(run("costs", "--users", "--json").stdout)["rows"]
    assert [(row["day"], row["user"]) for row in rows] == [("2026-11-21", "ann")]


def test_a_table_that_is_too_wide_becomes_a_list() -> None:
    """In 60 columns each cell has a line, and ids stay whole, to be copied."""
    made = printing.table(
        "job", "user", ">tokens", "~outcome", rows=[("a" * 32, "b" * 28, 5, "waits"), ("c", "d", 1, "")]
    )
    for width, lines in ((110, 3), (60, 8)):
        console = Console(width=width, file=StringIO())
        console.print(made)
        printed = console.file.getvalue()  # type: ignore[attr-defined]
        assert "a" * 32 in printed
        assert len([line for line in printed.splitlines() if line.strip(" ─")]) == lines
        assert all(len(line) <= width for line in printed.splitlines())


@pytest.mark.parametrize(
    ("micros", "text"), [(0, "$0"), (-215, "-$0.000215"), (1_234_000_000, "$1,234.00"), (-5_000_000, "-$5.00")]
)
def test_money_is_in_dollars(micros: int, text: str) -> None:
    """With its sign before it."""
    assert printing.dollars(micros) == text


def test_a_repair_brings_no_tokens(cloud: InProcessCloud, run: Run) -> None:
    """The refresh that runs next owes no more than it did before."""
    balance(cloud)
    cloud.client.document("users/ann/wallet/main").update({"balance": "many", "plan": "plus"})
    assert run("repair", "ann", "--why", "damaged", "--yes").exit_code == 0
    refresh_credits(cloud.deps)
    assert balance(cloud) == 10


def test_legs_that_nobody_knows_of_are_listed_at_their_most(cloud: InProcessCloud, run: Run) -> None:
    """A provider took a photo and answered nothing, and another answered: what the first may bill for is one line."""
    cloud.restart({"anthropic_api_key": "stand-in"})
    cloud.configure({"providers": {"order": ["openai", "anthropic"]}, "tokens": {"welcome": 100}})
    cloud.openai.faults.add("reply_lost", endpoint="POST /v1/chat/completions")
    lost = classify(cloud, "photo-lost", "instant")
    cloud.openai.faults.add("server_error", endpoint="POST /v1/chat/completions")
    classify(cloud, "photo-refused", "instant")
    classify(cloud, "photo-plain", "instant")
    most = stored(cloud, f"aiJobs/{lost}")["hold"]["lineMicros"]
    told = json.loads(run("costs", "--doubtful", "--days", "2", "--json").stdout)
    row = {"day": "2026-11-21", "job": lost, "model": "gpt-6-luna", "micros": most}
    assert told["rows"] == [row]
    assert run("costs", "--doubtful", "--csv").stdout.splitlines() == [
        "day,job,model,micros",
        f"2026-11-21,{lost},gpt-6-luna,{most}",
    ]


def test_of_one_provider_too(cloud: InProcessCloud, run: Run) -> None:
    """A call that times out, and one whose process died: both may be billed, and were refunded. A 503 is not billed."""
    cloud.configure({"tokens": {"welcome": 100}})
    cloud.openai.faults.add("reply_lost", endpoint="POST /v1/chat/completions")
    with pytest.raises(ProviderUnavailable):
        classify(cloud, "photo-lost", "instant")
    cloud.openai.faults.add("server_error", endpoint="POST /v1/chat/completions")
    with pytest.raises(ProviderUnavailable):
        classify(cloud, "photo-refused", "instant")
    classify(cloud, "photo-plain", "instant")
    with cloud.interrupting(_dying), pytest.raises(CrashError):
        classify(cloud, "photo-dead", "instant", "bob")
    cloud.restart()
    cloud.clock.advance(timedelta(minutes=30))
    recover_jobs(cloud.deps)
    rows = json.loads(run("costs", "--doubtful", "--json").stdout)["rows"]
    assert [(row["model"], row["micros"]) for row in rows] == [("gpt-6-luna", _most(cloud, row["job"])) for row in rows]
    assert len({row["job"] for row in rows}) == 2


def _most(cloud: InProcessCloud, job: str) -> int:
    return int(stored(cloud, f"aiJobs/{job}")["hold"]["lineMicros"])


def _dying(call: str, when: str) -> None:
    if (call, when) == ("openai.complete", "after"):
        raise CrashError


def test_who_answers_how_well_and_at_what_price(cloud: InProcessCloud, run: Run) -> None:
    """Each model's share of its lane, the legs that came to nothing, what a photo cost, and who is known to fail."""
    cloud.restart({"anthropic_api_key": "stand-in"})
    cloud.configure({"providers": {"order": ["openai", "anthropic"]}, "tokens": {"welcome": 100}})
    for number in range(3):
        classify(cloud, f"photo-one-{number}", "instant")
    cloud.openai.faults.add("refused", status=401, endpoint="POST /v1/chat/completions", count=None)
    classify(cloud, "photo-two", "instant")
    guard_budget(cloud.deps)
    told = json.loads(run("providers", "--json").stdout)
    assert told["orders"] == {"instant": ["openai", "anthropic"], "batch": ["openai"]}
    haiku, luna = told["models"]
    assert [(each["share"], each["answered"], each["down"]) for each in (haiku, luna)] == [(25, 1, 0), (75, 3, 1)]
    assert luna["micros"] // 3 == luna["each"]
    assert [(each["door"], each["problem"].partition(",")[0]) for each in told["outages"]] == [
        ("instant", "status 401")
    ]
    shown = run("providers").stdout
    assert "instant: OpenAI, then Anthropic" in shown
    assert "instant photos that go to OpenAI fail" in shown
