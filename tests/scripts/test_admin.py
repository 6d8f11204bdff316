"""The operators' command, run as a person runs it, against the product in one process."""

import json
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import version
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from functions.core.shared.time_limits import CRON_MINUTES
from functions.core.wallet.refusals import AccountBlocked, AccountDeleted
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.refresh.refresh_credits import refresh_credits
from functions.use_cases.wallet.get_wallet import GetWallet, get_wallet
from scripts.admin import app
from scripts.inprocess import InProcessCloud
from scripts.operators import session
from tests import steps
from tests.steps import listed, statement, stored, wallet

Run = Callable[..., Result]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> InProcessCloud:
    """An empty cloud, which the command takes for the project."""
    cloud = InProcessCloud(seed=1)
    monkeypatch.setattr(session, "connect", lambda _project: cloud.operator())
    return cloud


@pytest.fixture
def run(cloud: InProcessCloud) -> Run:
    """Run the command; `answer` is what is typed."""
    environment = {"GCLOUD_PROJECT": "demo-ecolane", "ECOLANE_OPERATOR": "mia", "COLUMNS": "200"}

    def invoke(*arguments: str, answer: str = "") -> Result:
        return CliRunner().invoke(app, arguments, input=answer, env=environment)

    return invoke


def classify(cloud: InProcessCloud, key: str, mode: str = "batch", uid: str = "ann") -> str:
    """Classify a photo and return its job."""
    return str(steps.classify(cloud, key, mode, uid)["jobId"])


def balance(cloud: InProcessCloud, uid: str = "ann") -> int:
    """Return a user's balance; the first look opens the wallet."""
    return int(get_wallet(GetWallet(), uid, cloud.deps)["balance"])


def audit(cloud: InProcessCloud) -> list[dict[str, Any]]:
    """Return what is on record of what was done by hand."""
    return list(listed(cloud, "audit").values())


def give_up(cloud: InProcessCloud, uid: str = "ann") -> str:
    """Damage a user's wallet until the refresh gives it up. Returns the dead letter's id."""
    balance(cloud, uid)
    damage = {"scans": "many", "nextRefreshAt": cloud.clock()}
    cloud.client.document("users", uid, "wallet", "main").update(damage)
    for _ in range(4):
        refresh_credits(cloud.deps)
        cloud.clock.advance(timedelta(minutes=5))
    return next(name for name, letter in listed(cloud, "deadLetters").items() if letter["uid"] == uid)


# Money


def test_a_grant_asks_gives_and_is_on_record(cloud: InProcessCloud, run: Run) -> None:
    """Before and after are shown first; the user sees the reason, the audit who it was."""
    assert balance(cloud) == 10
    result = run("grant", "ann", "30", "--why", "outage", "--key", "outage-ann", answer="y\n")
    assert result.exit_code == 0, result.output
    assert "10" in result.output
    assert "40" in result.output
    assert statement(cloud) == [("welcome", 10, 10), ("grant:outage-ann", 30, 40)]
    assert stored(cloud, "users/ann/ledger/grant:outage-ann")["detail"] == {"why": "outage", "tokens": "30"}
    (entry,) = audit(cloud)
    assert (entry["by"], entry["action"], entry["target"], entry["why"]) == ("mia", "grant", "ann", "outage")
    assert entry["changed"] == [{"field": "balance", "before": 10, "after": 40}]


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_without_a_yes_no_money_moves(cloud: InProcessCloud, run: Run, answer: str) -> None:
    """No, nothing, or nobody there to answer: nothing is changed, and the status says so."""
    job = classify(cloud, "photo-one", "instant")
    before = statement(cloud)
    for command in (("grant", "ann", "30"), ("refund", job), ("set-plan", "ann", "plus")):
        result = run(*command, "--why", "outage", answer=answer)
        assert result.exit_code == 1
        assert "nothing was changed" in result.output
    assert (statement(cloud), wallet(cloud)["plan"], audit(cloud)) == (before, "free", [])


def test_the_record_says_what_happened_and_not_what_was_shown(
    cloud: InProcessCloud, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who spends while the operator thinks: the audit has the balance as it was in the end."""
    balance(cloud)
    asked = session.Operation.ask

    def thinking(*arguments: Any, **options: Any) -> None:
        asked(*arguments, **options)
        classify(cloud, "photo-one", "instant")

    monkeypatch.setattr(session.Operation, "ask", thinking)
    assert run("grant", "ann", "30", "--why", "outage", "--yes").exit_code == 0
    assert audit(cloud)[0]["changed"] == [{"field": "balance", "before": 5, "after": 35}]


def test_a_wallet_that_is_gone_is_no_unknown_user(cloud: InProcessCloud, run: Run) -> None:
    """The ledger is there, and the next call rebuilds the wallet."""
    balance(cloud)
    cloud.client.document("users/ann/wallet/main").delete()
    assert "rebuilds it from the ledger" in run("user", "ann").stderr
    assert balance(cloud) == 10
    assert run("user", "ann").exit_code == 0


def test_the_same_key_gives_once(cloud: InProcessCloud, run: Run) -> None:
    """Run twice, from two shells or after a lost connection: one entry. Another number under the key is an error."""
    balance(cloud)
    for posted in (True, False):
        result = run("grant", "ann", "30", "--why", "outage", "--key", "outage-ann", "--yes", "--json")
        assert json.loads(result.stdout)["posted"] is posted
    assert balance(cloud) == 40
    result = run("grant", "ann", "31", "--why", "outage", "--key", "outage-ann", "--yes")
    assert (result.exit_code, balance(cloud)) == (1, 40)
    assert "tokens" in result.stderr
    assert len(audit(cloud)) == 1


def test_a_grant_whose_reply_is_lost_is_given_once(cloud: InProcessCloud, run: Run) -> None:
    """The commit happened: it is recognised, and told as done."""
    balance(cloud)
    lost = cloud.firestore.faults.add(kind="reply_lost", rpc="Commit")
    result = run("grant", "ann", "30", "--why", "outage", "--key", "outage-ann", "--yes", "--json")
    assert lost.struck == 1
    assert json.loads(result.stdout)["posted"] is True
    assert statement(cloud)[1:] == [("grant:outage-ann", 30, 40)]


# Plans


@pytest.mark.parametrize("lost", [False, True])
def test_a_plan_is_set_once_and_on_record(cloud: InProcessCloud, run: Run, lost: bool) -> None:
    """Also if the reply is lost; run again it changes nothing. The month that was paid for comes at once."""
    cloud.configure({"refresh": {"allowances": {"pro": {"kind": "add", "amount": 100, "every": "month"}}}})
    balance(cloud)
    rule = cloud.firestore.faults.add(kind="reply_lost", rpc="Commit") if lost else None
    for changed in (True, False):
        result = run("set-plan", "ann", "pro", "--why", "subscribed", "--yes", "--json")
        assert json.loads(result.stdout) == {"changed": changed, "plan": "pro", "planUntil": None, "balance": 110}
    assert rule is None or rule.struck == 1
    assert statement(cloud) == [("welcome", 10, 10), ("refresh:2026-11", 100, 110)]
    (entry,) = audit(cloud)
    assert (entry["by"], entry["action"], entry["target"], entry["why"]) == ("mia", "set-plan", "ann", "subscribed")
    plan = {"field": "plan", "before": "free", "after": "pro"}
    assert entry["changed"] == [plan, {"field": "balance", "before": 10, "after": 110}]


def test_a_plan_is_set_after_a_yes(cloud: InProcessCloud, run: Run) -> None:
    """What would change is shown first."""
    balance(cloud)
    shown = run("set-plan", "ann", "plus", "--why", "subscribed", answer="y\n").output
    assert "free" in shown
    assert "ann is on plus" in shown
    assert wallet(cloud)["plan"] == "plus"


def test_a_plan_is_set_until_a_day(cloud: InProcessCloud, run: Run) -> None:
    """Its end is shown, can be moved and taken away; when it has come, the free plan holds."""
    balance(cloud)
    for until, changed in (("2026-12-24", True), ("2026-12-24", False), ("2026-12-31", True)):
        result = run("set-plan", "ann", "plus", "--until", until, "--why", "a present", "--yes", "--json")
        told = json.loads(result.stdout)
        assert (told["changed"], told["planUntil"]) == (changed, f"{until}T00:00:00Z")
    refused = run("set-plan", "ann", "plus", "--until", "2026-11-01", "--why", "x", "--yes")
    assert (refused.exit_code, "2026-11-01 is over" in refused.output) == (1, True)
    cloud.clock.advance(timedelta(days=60))
    assert get_wallet(GetWallet(), "ann", cloud.deps)["plan"] == "free"
    assert wallet(cloud)["planUntil"] is None
    assert run("set-plan", "ann", "plus", "--why", "for good", "--yes").output.startswith("Emulator") is False
    cloud.clock.advance(timedelta(days=60))
    assert get_wallet(GetWallet(), "ann", cloud.deps)["plan"] == "plus"


def test_a_plan_that_there_is_not_is_mended_by_setting_one(cloud: InProcessCloud, run: Run) -> None:
    """The wallet is on the schedule of a plan again."""
    balance(cloud)
    cloud.client.document("users/ann/wallet/main").update({"plan": "gold"})
    assert run("set-plan", "ann", "free", "--why", "a plan that there is not", "--yes").exit_code == 0
    assert wallet(cloud)["nextRefreshAt"] > cloud.clock()


def test_a_blocked_user_has_no_photo_classified(cloud: InProcessCloud, run: Run) -> None:
    """In neither lane, from now on; what waits is cancelled and refunded, once; the wallet stays. Until unblocked."""
    job = classify(cloud, "request-1")
    for cancelled in (1, 0):
        result = run("block", "ann", "--why", "breaks the rules", "--yes", "--json")
        assert json.loads(result.stdout) == {"uid": "ann", "blocked": True, "cancelled": cancelled}
    assert statement(cloud)[1:] == [(f"charge:{job}", -1, 9), (f"refund:{job}", 1, 10)]
    for lane in ("instant", "batch"):
        with pytest.raises(AccountBlocked):
            classify(cloud, f"request-of-{lane}", lane)
    assert balance(cloud) == 10
    assert submit_batches(cloud.deps)["jobs"] == 0

    assert run("unblock", "ann", "--why", "a mistake", "--yes").exit_code == 0
    classify(cloud, "request-2")
    assert [(entry["action"], entry["why"]) for entry in sorted(audit(cloud), key=lambda each: each["action"])] == [
        ("block", "breaks the rules"),
        ("unblock", "a mistake"),
    ]


def test_a_user_is_erased_by_command(cloud: InProcessCloud, run: Run) -> None:
    """On record, and once: then there is no such account."""
    classify(cloud, "request-1")
    result = run("erase", "ann", "--why", "asked by mail", "--yes", "--json")
    assert json.loads(result.stdout)["closed"] is True
    with pytest.raises(AccountDeleted):
        classify(cloud, "request-2")
    assert [(entry["action"], entry["target"], entry["why"]) for entry in audit(cloud)] == [
        ("erase", "ann", "asked by mail")
    ]
    again = run("erase", "ann", "--why", "asked by mail", "--yes")
    assert (again.exit_code, again.stderr.count("deleted")) == (1, 1)


def test_a_grant_passes_the_cap(cloud: InProcessCloud, run: Run) -> None:
    """What was promised is what arrives; it is what a person decided, not an earning."""
    balance(cloud)
    assert run("grant", "ann", "500", "--why", "prize", "--yes").exit_code == 0
    assert balance(cloud) == 510


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("grant", "nobody", "5", "--why", "x", "--yes"), "the uid nobody has no wallet"),
        (("set-plan", "nobody", "pro", "--why", "x", "--yes"), "the uid nobody has no wallet"),
        (("grant", "a/b", "5", "--why", "x", "--yes"), "'a/b' is no id"),
        (("grant", "ann", "5", "--why", "x", "--key", "short", "--yes"), "--key takes 8 to 64"),
        (("refund", "0" * 32, "--why", "x", "--yes"), "there is no job 0000"),
        (("user", "nobody"), "the uid nobody has no wallet"),
        (("user", "ann", "--after", "0" * 32), "ann has no job 0000"),
        (("retry", "what"), "there is no dead letter, batch or job what"),
        (("letters", "show", "what"), "there is no dead letter what"),
        (("letters", "retry"), "name one dead letter, or --all"),
        (("batches", "what"), "there is no batch what"),
        (("config", "get", "tokens.batchPrce"), "the nearest is tokens.batchPrice"),
        (("config", "set", "tokens.batchPrce=2"), "the nearest is tokens.batchPrice"),
        (("config", "unset", "prices"), "there is no such field"),
        (("config", "set", "tokens.batchPrice"), "write FIELD=VALUE"),
        (("config", "set", "tokens.batchPrice=0"), "tokens.batchPrice: must be at least 1"),
        (("simulate-price", "--model", "gpt-unheard-of"), "gpt-unheard-of"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(cloud: InProcessCloud, run: Run, command: Any, says: str) -> None:
    """Status 1 and a line that names what was wrong, on standard error; no traceback, nothing changed."""
    balance(cloud)
    result = run(*command)
    assert result.exit_code == 1
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""
    assert (statement(cloud), audit(cloud)) == ([("welcome", 10, 10)], [])


@pytest.mark.parametrize("why", ["", "  ", "x" * 201])
def test_nothing_is_given_without_a_reason(cloud: InProcessCloud, run: Run, why: str) -> None:
    """An audit without one is worth nothing, and the user reads it, too."""
    balance(cloud)
    result = run("grant", "ann", "5", "--why", why, "--yes")
    assert (result.exit_code, balance(cloud)) == (2, 10)
    assert "say why" in result.stderr


@pytest.mark.parametrize("tokens", ["0", "-5", "10001", "five"])
def test_a_slip_in_the_number_is_no_gift(cloud: InProcessCloud, run: Run, tokens: str) -> None:
    """The range is checked before anything is read."""
    assert run("grant", "--why", "x", "--yes", "ann", "--", tokens).exit_code == 2
    assert balance(cloud) == 10


def test_a_photo_that_was_answered_is_refunded_once(cloud: InProcessCloud, run: Run) -> None:
    """Tokens and points go back, whoever asks how often."""
    job = classify(cloud, "photo-one", "instant")
    assert get_wallet(GetWallet(), "ann", cloud.deps)["points"] == 10
    for posted in (True, False):
        result = run("refund", job, "--why", "wrong answer", "--yes", "--json")
        assert json.loads(result.stdout)["posted"] is posted
    assert statement(cloud) == [("welcome", 10, 10), (f"charge:{job}", -5, 5), (f"refund:{job}", 5, 10)]
    assert get_wallet(GetWallet(), "ann", cloud.deps)["points"] == 0
    assert [entry["why"] for entry in audit(cloud)] == ["wrong answer"]


def test_a_queued_photo_is_cancelled_with_its_refund(cloud: InProcessCloud, run: Run) -> None:
    """It is not sent afterwards, and the preview says what becomes of it."""
    job = classify(cloud, "photo-one")
    result = run("refund", job, "--why", "by mistake", answer="y\n")
    assert "cancelled" in result.output
    assert submit_batches(cloud.deps)["jobs"] == 0
    seen = get_wallet(GetWallet(), "ann", cloud.deps)
    assert (seen["balance"], seen["today"]["batch"]["used"]) == (10, 0)


def test_a_photo_at_the_provider_is_not_refunded(cloud: InProcessCloud, run: Run) -> None:
    """It ends by itself, and whoever refunds it then refunds it once."""
    job = classify(cloud, "photo-one")
    submit_batches(cloud.deps)
    result = run("refund", job, "--why", "slow", "--yes")
    assert result.exit_code == 1
    assert "ends by itself" in result.stderr
    cloud.clock.advance(timedelta(minutes=30))
    cloud.openai.tick()
    poll_batches(cloud.deps)
    assert run("refund", job, "--why", "slow", "--yes").exit_code == 0
    assert balance(cloud) == 10


def test_a_photo_that_its_batch_has_lost_is_refunded(cloud: InProcessCloud, run: Run) -> None:
    """After a restored backup no collector recognises its claim: the batch ends, and the job stays."""
    job = classify(cloud, "photo-one")
    submit_batches(cloud.deps)
    document, kept = cloud.client.document(f"aiJobs/{job}"), steps.job(cloud, job)
    document.delete()
    cloud.clock.advance(timedelta(minutes=30))
    document.set(kept)  # imported: the same document, and another version
    cloud.openai.tick()
    poll_batches(cloud.deps)
    assert steps.job(cloud, job)["status"] == "processing"
    assert run("refund", job, "--why", "restored", "--yes").exit_code == 0
    assert (steps.job(cloud, job)["error"]["code"], balance(cloud)) == ("LINE_MISSING", 10)


def test_a_photo_that_failed_was_refunded_already(cloud: InProcessCloud, run: Run) -> None:
    """The functions' own refund is the operator's: there is one entry for it."""
    job = classify(cloud, "photo-one")
    del cloud.files.objects["users/ann/uploads/photo-one.jpg"]
    submit_batches(cloud.deps)
    result = run("refund", job, "--why", "failed", "--yes")
    assert result.exit_code == 0
    assert "Nothing was changed" in result.output
    assert statement(cloud)[-1] == (f"refund:{job}", 1, 10)
    assert len(statement(cloud)) == 3
    assert "asks anew" not in run("retry", job).stderr
    assert "was refunded" in run("retry", job).stderr


# Dead letters and batches


def test_a_dead_letter_is_shown_repaired_and_retried(cloud: InProcessCloud, run: Run) -> None:
    """While the wallet is damaged a retry is refused; then the user is back, with what was missed."""
    letter = give_up(cloud)
    shown = json.loads(run("letters", "show", letter, "--json").stdout)
    assert (shown["uid"], shown["problem"].startswith("scans:")) == ("ann", True)
    refused = run("letters", "retry", letter, "--yes")
    assert (refused.exit_code, "still damaged" in refused.stderr) == (1, True)

    cloud.client.document("users/ann/wallet/main").update({"scans": 0, "plan": "plus"})
    cloud.clock.advance(timedelta(days=1))
    assert run("retry", letter, answer="n\n").exit_code == 1
    lost = cloud.firestore.faults.add(kind="reply_lost", rpc="Commit")
    assert json.loads(run("retry", letter, "--yes", "--json").stdout) == {"changed": True}
    assert lost.struck == 1
    assert refresh_credits(cloud.deps)["refreshed"] == 1
    assert json.loads(run("letters", "list", "--json").stdout) == {"letters": [], "after": None}
    assert [entry["action"] for entry in audit(cloud)] == ["retry_letter"]


def test_all_sound_letters_are_retried_and_the_rest_is_listed(cloud: InProcessCloud, run: Run) -> None:
    """One damaged wallet keeps nobody else; run again, it is all that is left."""
    for uid in ("ann", "bob", "eve"):
        give_up(cloud, uid)
    for uid in ("ann", "bob"):
        cloud.client.document("users", uid, "wallet", "main").update({"scans": 0})
    result = json.loads(run("letters", "retry", "--all", "--yes", "--json").stdout)
    assert (result["retried"], [each["problem"].partition(":")[0] for each in result["left"]]) == (2, ["scans"])
    assert json.loads(run("letters", "retry", "--all", "--yes", "--json").stdout)["retried"] == 0


def test_letters_about_jobs_and_documents_are_left_to_the_crons(cloud: InProcessCloud, run: Run) -> None:
    """They are listed with their reason and dropped, and never retried: nothing is written into what they are about."""
    now = cloud.clock()
    cloud.deps.store.leave_letter("job", "abc", "ann", "not given back", now)
    cloud.deps.store.leave_letter("batch", "b-1", "", "it has crashed every poll", now)
    assert run("retry", "job:aiJobs:abc", "--yes").exit_code == 1
    result = json.loads(run("letters", "retry", "--all", "--yes", "--json").stdout)
    assert (result["retried"], len(result["left"])) == (0, 2)
    assert "automatically" in json.loads(run("letters", "show", "batch:batches:b-1", "--json").stdout)["problem"]
    assert run("letters", "drop", "job:aiJobs:abc", "--yes").exit_code == 0
    assert not cloud.client.document("aiJobs/abc").get().exists


def test_a_letter_is_dropped(cloud: InProcessCloud, run: Run) -> None:
    """For a wallet that will not come back; a second time there is nothing to drop."""
    letter = give_up(cloud)
    assert [run("letters", "drop", letter, "--yes").exit_code for _ in range(2)] == [0, 1]
    assert listed(cloud, "deadLetters") == {}


def test_letters_come_in_pages(cloud: InProcessCloud, run: Run) -> None:
    """Each once, by the last one of the page before."""
    letters = sorted(give_up(cloud, uid) for uid in ("ann", "bob", "eve"))
    first = json.loads(run("letters", "list", "--limit", "2", "--json").stdout)
    rest = json.loads(run("letters", "list", "--limit", "2", "--after", first["after"], "--json").stdout)
    assert [each["letterId"] for each in first["letters"] + rest["letters"]] == letters
    assert rest["after"] is None


def test_a_batch_is_looked_at_sooner(cloud: InProcessCloud, run: Run) -> None:
    """Its next poll is brought forward, on record; one that is due, or through, needs no help."""
    classify(cloud, "photo-one")
    submit_batches(cloud.deps)
    (batch,) = json.loads(run("batches", "--json").stdout)["batches"]
    assert (batch["state"], batch["jobCount"]) == ("submitted", 1)
    assert poll_batches(cloud.deps)["polled"] == 0
    assert json.loads(run("retry", batch["batchId"], "--yes", "--json").stdout) == {"changed": True}
    assert "is due since" in run("retry", batch["batchId"], "--yes").stderr
    assert poll_batches(cloud.deps)["polled"] == 1
    assert [entry["action"] for entry in audit(cloud)] == ["hasten_batch"]


# Config


def test_the_config_is_changed_as_the_callable_changes_it(cloud: InProcessCloud, run: Run) -> None:
    """A diff, a question, the same document and the same audit; then it is in force."""
    assert run("config", "set", "tokens.batchPrice=2", answer="n\n").exit_code == 1
    assert cloud.client.document("config/runtime").get().exists is False
    result = run("config", "set", "tokens.batchPrice=2", "plans.free.instantPerDay=3", answer="y\n")
    assert result.exit_code == 0, result.output
    cloud.clock.advance(timedelta(seconds=31))
    shown = json.loads(run("config", "get", "tokens.batchPrice", "plans.free", "--json").stdout)
    assert (shown["tokens.batchPrice"], shown["plans.free.instantPerDay"], shown["plans.free.batchPerDay"]) == (
        2,
        3,
        100,
    )
    (entry,) = json.loads(run("config", "history", "--json").stdout)["entries"]
    assert entry["by"] == "mia"
    assert {"field": "tokens.batchPrice", "before": None, "after": 2} in entry["changed"]
    assert json.loads(run("config", "set", "tokens.batchPrice=2", "--json").stdout) == {"changed": []}


def test_a_field_goes_back_to_its_default(cloud: InProcessCloud, run: Run) -> None:
    """Alone, or with its whole section."""
    run("config", "set", "tokens.batchPrice=2", "plans.free.instantPerDay=3", "--yes")
    assert run("config", "unset", "tokens.batchPrice", "plans.free", "--yes").exit_code == 0
    cloud.clock.advance(timedelta(seconds=31))
    shown = json.loads(run("config", "get", "tokens.batchPrice", "plans.free.instantPerDay", "--json").stdout)
    assert shown == {"tokens.batchPrice": 1, "plans.free.instantPerDay": 20}


def test_what_was_written_by_hand_can_be_taken_out(cloud: InProcessCloud, run: Run) -> None:
    """A section out of range, a name that means nothing: the functions go on without, and the command mends it."""
    cloud.configure({"tokens": {"batchPrice": 0}, "tokns": {"welcome": 3}})
    assert run("config", "set", "tokens.welcome=12", "--yes").exit_code == 1
    assert run("config", "unset", "tokens", "tokns", "--yes").exit_code == 0
    assert run("config", "set", "tokens.welcome=12", "--yes").exit_code == 0
    assert cloud.client.document("config/runtime").get().to_dict() == {"tokens": {"welcome": 12}}


def test_an_override_ends_by_itself(cloud: InProcessCloud, run: Run) -> None:
    """A time may be told from now on; without one the config refuses the mode."""
    assert run("config", "set", "budget.overrideMode=closed", "--yes").exit_code == 1
    run("config", "set", "budget.overrideMode=closed", "budget.overrideUntil=+2h", "--yes")
    cloud.clock.advance(timedelta(seconds=31))
    shown = json.loads(run("status", "--json").stdout)["budget"]
    assert (shown["mode"], shown["because"]) == ("closed", "an operator's override")
    cloud.clock.advance(timedelta(hours=2))
    assert json.loads(run("status", "--json").stdout)["budget"]["mode"] == "normal"


# Looking


def test_every_look_is_json_and_a_screen(cloud: InProcessCloud, run: Run) -> None:
    """Each command's --json is one document, and without it there is something to read. Nothing is changed by it."""
    job = classify(cloud, "photo-one")
    classify(cloud, "photo-two", "instant")
    submit_batches(cloud.deps)
    classify(cloud, "photo-three")
    guard_budget(cloud.deps)
    batch = json.loads(run("batches", "--json").stdout)["batches"][0]["batchId"]
    letter = give_up(cloud, "bob")
    looks = [
        ("status",),
        ("queue",),
        ("batches",),
        ("batches", "--all"),
        ("batches", batch),
        ("budget",),
        ("ahead",),
        ("costs",),
        ("costs", "--users"),
        ("user", "ann"),
        ("letters", "list"),
        ("letters", "show", letter),
        ("config", "get"),
        ("config", "history"),
        ("prices",),
        ("providers",),
        ("simulate-price",),
        ("simulate-price", "--set", "tokens.batchPrice=2", "--free", "500"),
    ]
    before = [cloud.client.document(path).get().to_dict() for path in (f"aiJobs/{job}", "users/ann/wallet/main")]
    for look in looks:
        printed = run(*look)
        assert (printed.exit_code, len(printed.stdout) > 20, printed.stderr) == (0, True, ""), look
        answer = run(*look, "--json")
        assert isinstance(json.loads(answer.stdout), dict), look
    after = [cloud.client.document(path).get().to_dict() for path in (f"aiJobs/{job}", "users/ann/wallet/main")]
    assert before == after


def test_status_is_one_screen(cloud: InProcessCloud, run: Run) -> None:
    """Mode and why, what is spent, queue, batches, every cron, dead letters, alerts."""
    classify(cloud, "photo-one")
    cloud.clock.advance(timedelta(hours=3))
    guard_budget(cloud.deps)
    cloud.clock.advance(timedelta(seconds=31))
    printed = run("status").stdout
    assert len(printed.splitlines()) <= 24
    for text in (
        "normal",
        "less than 80 %",
        "Queue    1, oldest 3h",
        "Letters  0",
        "never",
        "queue_old",
        *CRON_MINUTES,
    ):
        assert text in printed, text


def test_a_users_history_comes_in_pages(cloud: InProcessCloud, run: Run) -> None:
    """Ledger and jobs each go on where the page before ended."""
    jobs = [classify(cloud, f"photo-no-{number}") for number in range(3)]
    first = json.loads(run("user", "ann", "--entries", "2", "--jobs", "2", "--json").stdout)
    rest = json.loads(
        run(
            "user", "ann", "--entries", "2", "--before", str(first["before"]), "--after", first["after"], "--json"
        ).stdout
    )
    assert [entry["seq"] for entry in first["entries"] + rest["entries"]] == [4, 3, 2, 1]
    assert {job["jobId"] for job in first["jobs"] + rest["jobs"]} == set(jobs)
    assert first["wallet"]["balance"] == 7
    assert "pushTokens" not in first["wallet"]


def test_prices_shows_which_price_holds_from_when_and_by_whose_word(cloud: InProcessCloud, run: Run) -> None:
    """The library's, an operator's from its day on, one that the library has caught up with, and none at all."""
    day, later = (f"{cloud.clock().date() + timedelta(days=ahead)}" for ahead in (0, 10))
    luna = {"provider": "openai", "model": "gpt-6-luna", "lane": "instant", "since": later}
    same = {"provider": "anthropic", "model": "claude-haiku-5-5", "lane": "batch", "since": day}
    written = [
        luna | {"inputUsdPerMillion": "0.2", "outputUsdPerMillion": "1"},
        same
        | {"inputUsdPerMillion": "0.05", "outputUsdPerMillion": "0.25"}
        | {"cachedUsdPerMillion": "0.005", "cacheWriteUsdPerMillion": "0.0625"},
        luna
        | {"provider": "azure", "model": "gpt-4.1-nano", "inputUsdPerMillion": "0.11", "outputUsdPerMillion": "0.5"},
        luna | {"provider": "azure", "inputUsdPerMillion": "0.12", "outputUsdPerMillion": "0.6"},
    ]
    assert run("config", "set", f"model.prices={json.dumps(written)}", "--yes").exit_code == 0
    cloud.clock.advance(timedelta(seconds=31))
    answer = json.loads(run("prices", "--json").stdout)
    rows = {(row["model"], row["lane"], row["since"]): row for row in answer["prices"]}
    library = f"genai-prices {version('genai-prices')}"
    told = {key: (row["input"], row["output"], row["source"]) for key, row in rows.items()}
    assert told["gpt-6-luna", "instant", day] == ("0.1", "0.5", library)
    assert told["gpt-6-luna", "instant", later] == ("0.2", "1", f"model.prices since {later}")
    assert told["gpt-6-luna", "batch", day] == ("0.05", "0.25", library)
    assert told["anthropic/claude-haiku-5-5", "batch", day][2] == f"model.prices since {day}, as {library}"
    assert told["azure/gpt-6-luna", "batch", day] == ("none", "none", library)
    assert ("gpt-6-luna", "batch", later) not in rows
    printed = run("prices", "--days", "5").stdout
    assert later not in printed.replace(f"since {later}", "")
    assert answer["stops"] == {}


def test_prices_says_when_a_model_leaves(cloud: InProcessCloud, run: Run) -> None:
    """The day that OpenAI has named."""
    cloud.configure({"model": {"next": "gpt-5-nano"}, "flags": {"model": {"cohort": "test"}}})
    assert json.loads(run("prices", "--json").stdout)["stops"] == {"gpt-5-nano": "2026-12-11"}
    assert "OpenAI stops gpt-5-nano on 2026-12-11." in run("prices").stdout
