"""Two providers in the instant lane: who answers, who pays, and what operators hear."""

import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from functions.adapters.breaker import FAILURES_MAX, OPEN_FOR
from functions.adapters.time_budget import arriving
from functions.core.shared.errors import EcolaneError, InvalidImage, PhotoRefused, ProviderUnavailable
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.jobs.upgrade_job import UpgradeJob, upgrade_job
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import CrashError, InProcessCloud
from tests.steps import alerts, classify, held, listed, ticks, today, wallet

HAIKU = "anthropic/claude-haiku-5-5"
LUNA = "gpt-6-luna"
BOTH = {"providers": {"order": ["openai", "anthropic"]}}
CHAT, MESSAGES = "POST /v1/chat/completions", "POST /v1/messages"


@pytest.fixture
def cloud() -> InProcessCloud:
    """A deploy with both keys, whose config names OpenAI first."""
    cloud = InProcessCloud(seed=1)
    cloud.restart({"anthropic_api_key": "stand-in"})
    cloud.configure(BOTH)
    return cloud


def job_of(cloud: InProcessCloud, key: str, uid: str = "ann") -> dict[str, Any]:
    """Return the stored job of a photo."""
    path = f"users/{uid}/uploads/{key}.jpg"
    return next(job for job in listed(cloud, "aiJobs").values() if job["imagePath"] == path)


def shards(cloud: InProcessCloud) -> list[dict[str, Any]]:
    """Return the day's shards."""
    return [*listed(cloud, f"budget/{today(cloud)}/shards").values()]


def costs(cloud: InProcessCloud) -> dict[str, int]:
    """Return what is booked for instant calls, by model."""
    found = Counter[str]()
    for shard in shards(cloud):
        found.update(shard.get("costs", {}).get("instant", {}))
    return dict(found)


def counted(cloud: InProcessCloud, model: str) -> dict[str, int]:
    """Return the tally of a model in the instant lane."""
    found = Counter[str]()
    for shard in shards(cloud):
        found.update(shard.get("tally", {}).get("instant", {}).get(model, {}))
    return dict(found)


def asked(cloud: InProcessCloud) -> tuple[int, int]:
    """Return how often OpenAI and Anthropic were asked."""
    return cloud.openai.requests[CHAT], cloud.anthropic.requests[MESSAGES]


def all_is_settled(cloud: InProcessCloud) -> bool:
    """Whether nothing is held, and the models' costs are all that was spent."""
    spent: int = sum(each["spent"] + each.get("excess", 0) for each in shards(cloud))
    return held(cloud) == 0 and spent == sum(costs(cloud).values())


# Who answers


def test_a_healthy_first_provider_answers_alone(cloud: InProcessCloud) -> None:
    """The second is not asked, what was held for it is free again, and the result says who made it."""
    answer = classify(cloud, "one")
    assert (answer["result"]["provider"], answer["result"]["model"]) == ("openai", LUNA)
    assert asked(cloud) == (1, 0)
    job = job_of(cloud, "one")
    assert job["tried"] == []
    assert job["hold"]["second"]["settled"] == 0
    assert costs(cloud) == {LUNA: job["costMicros"]}
    assert all_is_settled(cloud)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "refused", "status": 503},
        {"kind": "refused", "status": 500},
        {"kind": "refused", "status": 429},
        {"kind": "refused", "status": 401},
        {"kind": "refused", "status": 429, "code": "insufficient_quota"},
        {"kind": "refused", "status": 404, "code": "model_not_found"},
        {"kind": "refused", "status": 400, "code": "never_heard_of"},
    ],
    ids=str,
)
def test_what_the_first_refuses_the_second_answers(cloud: InProcessCloud, fault: dict[str, Any]) -> None:
    """Theirs or ours: the user gets an answer in the same call, for one price, and the refusal costs nothing."""
    cloud.openai.faults.add(**fault)
    answer = classify(cloud, "one")
    assert (answer["status"], answer["result"]["provider"]) == ("done", "anthropic")
    assert answer["result"]["model"] == "claude-haiku-5-5"
    assert wallet(cloud, "ann")["balance"] == 5
    job = job_of(cloud, "one")
    assert [(leg["model"], leg["came"]) for leg in job["tried"]] == [(LUNA, "down"), (HAIKU, "answered")]
    assert costs(cloud) == {LUNA: 0, HAIKU: job["costMicros"]}
    assert job["costMicros"] == job["hold"]["settled"] == job["hold"]["second"]["settled"]
    assert all_is_settled(cloud)


@pytest.mark.parametrize("kind", ["timeout", "reply_lost", "malformed_json", "bad_gateway"])
def test_what_may_have_been_answered_is_booked_at_its_most(cloud: InProcessCloud, kind: str) -> None:
    """Nobody knows whether the first bills for an answer that never came: it is booked, counted, and the second
    answers."""
    fault = {"kind": "refused", "status": 502} if kind == "bad_gateway" else {"kind": kind}
    cloud.openai.faults.add(**fault, endpoint=CHAT)
    assert classify(cloud, "one")["result"]["provider"] == "anthropic"
    job = job_of(cloud, "one")
    doubtful, answered = job["tried"]
    assert (doubtful["came"], doubtful["micros"]) == ("doubtful", job["hold"]["lineMicros"])
    assert costs(cloud) == {LUNA: doubtful["micros"], HAIKU: answered["micros"]}
    assert job["costMicros"] == doubtful["micros"] + answered["micros"]
    assert counted(cloud, LUNA) == {"started": 1, "doubtful": 1}
    assert counted(cloud, HAIKU)["done"] == 1
    assert counted(cloud, HAIKU)["input"] == job["usage"]["inputTokens"]
    assert all_is_settled(cloud)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "refused", "status": 400, "code": "invalid_image"}, InvalidImage),
        ({"kind": "refused", "status": 400, "code": "content_filter"}, PhotoRefused),
        ({"kind": "refusal"}, PhotoRefused),
        ({"kind": "cut_answer"}, ProviderUnavailable),
    ],
    ids=str,
)
def test_what_a_photo_brings_about_is_asked_of_nobody_else(
    cloud: InProcessCloud, fault: dict[str, Any], error: type[EcolaneError]
) -> None:
    """Neither a picture that cannot be read nor one that is refused is shown around, and an answer that is none may be
    the photo's doing: the second bill would be another user's budget."""
    cloud.openai.faults.add(**fault, endpoint=CHAT)
    with pytest.raises(error):
        classify(cloud, "one")
    assert asked(cloud) == (1, 0)
    assert all_is_settled(cloud)
    assert wallet(cloud, "ann")["balance"] == 10


def test_both_down_is_a_refund(cloud: InProcessCloud) -> None:
    """Nothing is held, nothing is booked but what may be billed, and the tokens are back."""
    cloud.openai.faults.add(kind="reply_lost", endpoint=CHAT)
    cloud.anthropic.faults.add(kind="overloaded")
    with pytest.raises(ProviderUnavailable):
        classify(cloud, "one")
    job = job_of(cloud, "one")
    assert [leg["came"] for leg in job["tried"]] == ["doubtful", "down"]
    assert costs(cloud) == {LUNA: job["hold"]["lineMicros"]}
    assert counted(cloud, HAIKU)["failed:PROVIDER_UNAVAILABLE"] == counted(cloud, HAIKU)["down"] == 1
    assert all_is_settled(cloud)
    assert wallet(cloud, "ann")["balance"] == 10


def test_the_config_says_who_is_first(cloud: InProcessCloud) -> None:
    """Anthropic first, OpenAI second; Anthropic alone; and back."""
    cloud.configure({"providers": {"order": ["anthropic", "openai"]}})
    assert classify(cloud, "one")["result"]["provider"] == "anthropic"
    cloud.anthropic.faults.add(kind="overloaded")
    assert classify(cloud, "two", uid="bob")["result"]["provider"] == "openai"
    assert [leg["model"] for leg in job_of(cloud, "two", "bob")["tried"]] == [HAIKU, LUNA]
    cloud.configure({"providers": {"order": ["anthropic"]}})
    cloud.anthropic.faults.add(kind="overloaded")
    with pytest.raises(ProviderUnavailable):
        classify(cloud, "three", uid="cat")
    cloud.configure({})
    assert classify(cloud, "four", uid="dan")["result"]["provider"] == "openai"
    assert all_is_settled(cloud)


def test_a_photo_goes_only_where_its_region_may(cloud: InProcessCloud) -> None:
    """Before the hold: nothing is held for a provider that may not see it; whatever the region's capitals."""
    cloud.configure({"providers": {"order": ["openai", "anthropic"], "anthropicRegions": ["us"]}})
    cloud.openai.faults.add(kind="refused", status=503, count=2)
    assert classify(cloud, "one", region="US")["result"]["provider"] == "anthropic"
    with pytest.raises(ProviderUnavailable):
        classify(cloud, "two", uid="bob", region="DE")
    assert job_of(cloud, "two", "bob")["hold"]["second"] is None
    assert cloud.anthropic.requests[MESSAGES] == 1


def test_a_region_that_is_closed_meanwhile_is_closed(cloud: InProcessCloud) -> None:
    """The switch is looked at again when the first has failed: an operator who turns it is obeyed at once."""
    runtime = cloud.deps.runtime()
    closed = runtime.model_copy(
        update={"providers": runtime.providers.model_copy(update={"anthropic_regions": ("DE",)})}
    )

    def close(call: str, when: str) -> None:
        if (call, when) == ("openai.complete", "before"):
            cloud.deps.runtime = lambda: closed  # type: ignore[method-assign]

    cloud.openai.faults.add(kind="refused", status=503)
    with cloud.interrupting(close), pytest.raises(ProviderUnavailable):
        classify(cloud, "one", region="US")
    assert asked(cloud) == (1, 0)
    assert all_is_settled(cloud)


def test_an_upgrade_fails_over_too(cloud: InProcessCloud) -> None:
    """It is the same lane."""
    queued = classify(cloud, "one", "batch")
    cloud.openai.faults.add(kind="refused", status=503)
    answer = upgrade_job(UpgradeJob(jobId=queued["jobId"]), "ann", cloud.deps)
    assert answer["result"]["provider"] == "anthropic"
    assert all_is_settled(cloud)


def test_the_batch_lane_stays_openais(cloud: InProcessCloud) -> None:
    """Whatever the order is."""
    cloud.configure({"providers": {"order": ["anthropic"]}})
    classify(cloud, "one", "batch")
    ticks(cloud, timedelta(hours=1))
    assert job_of(cloud, "one")["result"]["provider"] == "openai"
    assert cloud.anthropic.requests[MESSAGES] == 0


# What is known of a provider


def test_a_provider_that_is_down_is_passed_over(cloud: InProcessCloud) -> None:
    """After five failures calls go straight to the second, which alone is held for; once a minute one asks the first,
    and its answer brings all back."""
    cloud.configure({**BOTH, "tokens": {"welcome": 200}})
    cloud.openai.faults.add(kind="refused", status=503, count=None)
    for number in range(FAILURES_MAX + 3):
        assert classify(cloud, f"photo-{number}", uid=f"user-{number}")["result"]["provider"] == "anthropic"
    assert asked(cloud) == (FAILURES_MAX, FAILURES_MAX + 3)
    last = job_of(cloud, f"photo-{FAILURES_MAX}", f"user-{FAILURES_MAX}")
    assert (last["hold"]["model"], last["hold"]["second"], last["tried"]) == (HAIKU, None, [])
    cloud.clock.advance(OPEN_FOR)
    assert classify(cloud, "probe", uid="ann")["result"]["provider"] == "anthropic"
    assert asked(cloud)[0] == FAILURES_MAX + 1
    cloud.openai.faults.clear()
    cloud.clock.advance(OPEN_FOR)
    assert classify(cloud, "back", uid="bob")["result"]["provider"] == "openai"
    assert classify(cloud, "again", uid="ann")["result"]["provider"] == "openai"
    assert all_is_settled(cloud)


def test_both_known_to_be_down_is_told_at_once(cloud: InProcessCloud) -> None:
    """Nobody is asked, and nothing but the hold's writes happens."""
    cloud.openai.faults.add(kind="refused", status=503, count=None)
    cloud.anthropic.faults.add(kind="overloaded", count=None)
    for number in range(FAILURES_MAX + 2):
        with pytest.raises(ProviderUnavailable):
            classify(cloud, f"photo-{number}", uid=f"user-{number}")
    assert asked(cloud) == (FAILURES_MAX, FAILURES_MAX)
    assert all_is_settled(cloud)


# What operators hear


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 401}, "key_refused"),
        ({"status": 429, "code": "insufficient_quota"}, "provider_refuses"),
        ({"status": 404, "code": "model_not_found"}, "provider_refuses"),
    ],
)
def test_a_dead_key_is_told_with_the_first_call(cloud: InProcessCloud, fault: dict[str, Any], kind: str) -> None:
    """At once, though no user sees anything; a process tells it once."""
    classify(cloud, "zero", uid="bob")
    cloud.openai.faults.add(kind="refused", count=None, **fault)
    classify(cloud, "one")
    (told,) = alerts(cloud).values()
    assert (told["kind"], told["open"]) == (kind, True)
    assert f"{LUNA} refuses us" in told["text"]
    before = cloud.firestore.bill.snapshot()["totals"]["writes"]
    classify(cloud, "two", uid="bob")
    assert cloud.firestore.bill.snapshot()["totals"]["writes"] - before == 6


def test_the_guard_ends_what_a_call_has_told(cloud: InProcessCloud) -> None:
    """It is the guard's own alert: over with the key's next success."""
    cloud.openai.faults.add(kind="refused", status=401)
    classify(cloud, "one")
    guard_budget(cloud.deps)
    assert [each["open"] for each in alerts(cloud).values()] == [True]
    classify(cloud, "two", uid="bob")
    cloud.clock.advance(timedelta(minutes=15))
    guard_budget(cloud.deps)
    assert [each["open"] for each in alerts(cloud).values()] == [False]


def test_what_passes_by_itself_is_told_by_the_guard(cloud: InProcessCloud) -> None:
    """An overload is no alert of a call's."""
    cloud.openai.faults.add(kind="refused", status=503)
    classify(cloud, "one")
    assert alerts(cloud) == {}


def test_a_provider_without_its_key_is_not_asked_and_told(capfd: pytest.CaptureFixture[str]) -> None:
    """A deploy without Anthropic's key works as it did; a config that names Anthropic is told to operators."""
    cloud = InProcessCloud(seed=1)
    cloud.configure({"providers": {"order": ["anthropic", "openai"]}})
    assert classify(cloud, "one")["result"]["provider"] == "openai"
    assert job_of(cloud, "one")["hold"]["second"] is None
    (told,) = alerts(cloud).values()
    assert "no ANTHROPIC_API_KEY" in told["text"]
    assert "operator_alert" in capfd.readouterr().out


def test_an_alert_that_cannot_be_written_costs_the_user_nothing(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The answer is there; the log says that operators were not told, and the next call tells them."""

    def down(*_: object) -> None:
        raise RuntimeError("the store is down")

    cloud.openai.faults.add(kind="refused", status=401, count=None)
    with monkeypatch.context() as patch:
        patch.setattr(cloud.deps.store, "open_alert", down)
        assert classify(cloud, "one")["status"] == "done"
    assert "outage_unrecorded" in capfd.readouterr().out
    classify(cloud, "two", uid="bob")
    assert len(alerts(cloud)) == 1


# What it costs


def test_no_failover_is_as_it_was() -> None:
    """With the default config a call of a deploy with both keys costs two reads and six writes, and holds for one."""
    cloud = InProcessCloud(seed=1)
    cloud.restart({"anthropic_api_key": "stand-in"})
    classify(cloud, "zero", uid="bob")
    bill = cloud.firestore.bill
    bill.reset()
    classify(cloud, "one", uid="bob")
    totals = bill.reset()["totals"]
    assert (totals["reads"], totals["writes"]) == (2, 6)
    assert job_of(cloud, "one", "bob")["hold"]["second"] is None


@pytest.mark.parametrize("fault", [None, {"kind": "refused", "status": 503}, {"kind": "timeout"}], ids=str)
def test_a_failover_costs_no_read_and_no_write(cloud: InProcessCloud, fault: dict[str, Any] | None) -> None:
    """Two and six, whoever answers; a doubtful leg is told once a day, by a write more."""
    classify(cloud, "zero", uid="bob")
    cloud.openai.faults.add(
        **{"kind": "refused", "status": 503, **(fault or {})}, endpoint=CHAT, count=2 if fault else 0
    )
    classify(cloud, "note", uid="cat")  # its process notes an outage once in half a minute
    bill = cloud.firestore.bill
    bill.reset()
    classify(cloud, "one", uid="bob")
    totals = bill.reset()["totals"]
    assert (totals["reads"], totals["writes"]) == (2, 6)


def test_a_shard_that_has_room_for_one_leg_serves_without_the_other(cloud: InProcessCloud) -> None:
    """The last of a budget buys an answer, if not the safety of a second one."""
    classify(cloud, "one")
    job = job_of(cloud, "one")
    room = job["hold"]["lineMicros"] + 5
    for name, shard in listed(cloud, f"budget/{today(cloud)}/shards").items():
        limit = shard["reserved"] + shard["spent"] + room
        cloud.client.document(f"budget/{today(cloud)}/shards/{name}").update({"limit": limit})
    assert classify(cloud, "two", uid="bob")["status"] == "done"
    assert job_of(cloud, "two", "bob")["hold"]["second"] is None
    assert all_is_settled(cloud)


# Time


def test_both_legs_have_one_deadline() -> None:
    """The first has its seconds, at most half of all; the second what is left: the call ends in its time."""
    cloud = InProcessCloud(seed=1)
    cloud.restart({"anthropic_api_key": "stand-in"})
    cloud.configure({**BOTH, "instant": {"providerTimeoutSeconds": 2}})
    given: list[float] = []

    class Slow:
        def __init__(self, inner: Any, seconds: float) -> None:
            self._inner, self._seconds = inner, seconds

        def shut(self, _model: str) -> bool:
            return False

        def complete(self, body: Any, seconds: float, uid: str) -> Any:
            given.append(seconds)
            time.sleep(self._seconds)
            return self._inner.complete(body, seconds, uid)

    cloud.openai.faults.add(kind="refused", status=503)
    vars(cloud.deps)["provider"] = Slow(cloud.deps.provider, 0.4)
    vars(cloud.deps)["anthropic"] = Slow(cloud.deps.anthropic, 0)
    with arriving():
        assert classify(cloud, "one")["result"]["provider"] == "anthropic"
    first, second = given
    assert first == pytest.approx(1, abs=0.1)
    assert 1.2 < second < 1.65
    given.clear()
    cloud.configure({"providers": {**BOTH["providers"], "firstSeconds": 3}, "instant": {"providerTimeoutSeconds": 20}})
    with arriving():
        classify(cloud, "two", uid="bob")
    assert given == [3]


# Whatever dies


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", ["openai.complete", "anthropic.complete", "firestore.Commit"])
def test_whatever_dies_both_legs_are_refunded_and_booked(cloud: InProcessCloud, call: str, when: str) -> None:
    """A process that dies on the way leaves a lease; the next run refunds the user, books each leg at its most under
    its own model, and nothing is held."""
    cloud.openai.faults.add(kind="refused", status=503)
    asked_both = False

    def die(name: str, moment: str) -> None:
        nonlocal asked_both
        if (name, moment) == (call, when) and (asked_both or name != "firestore.Commit"):
            raise CrashError
        asked_both |= (name, moment) == ("anthropic.complete", "after")

    with cloud.interrupting(die), suppress(CrashError):
        classify(cloud, "one")
    cloud.restart({"anthropic_api_key": "stand-in"})
    cloud.clock.advance(timedelta(minutes=4))
    recover_jobs(cloud.deps)
    job = job_of(cloud, "one")
    assert all_is_settled(cloud)
    if job["status"] == "failed":
        assert wallet(cloud, "ann")["balance"] == 10
        second = job["hold"]["second"]
        assert [leg["came"] for leg in job["tried"]] == ["doubtful", "doubtful"]
        assert costs(cloud) == {LUNA: job["hold"]["lineMicros"], HAIKU: second["micros"]}
        assert job["costMicros"] == job["hold"]["settled"]
    else:
        assert wallet(cloud, "ann")["balance"] == 5
