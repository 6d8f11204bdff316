"""Flags that serve: who is asked with what in both lanes, what is counted of it, and what stops it."""

import base64
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from google.cloud.firestore import DELETE_FIELD

from functions.adapters.arm_breaker import FAILURES_MAX
from functions.adapters.images import prepare, prepare_known
from functions.adapters.providers.openai import OpenAIProvider
from functions.core.budget.estimates import jpeg_size
from functions.core.jobs.jobs import BY_THE_PATH, Failure
from functions.core.model.prompts import PROMPT_NEXT, PROMPT_VERSION, PROMPTS
from functions.core.model.provider_errors import Trouble
from functions.core.model.refusals import ProviderDownError
from functions.core.rollouts.arms import bucket
from functions.core.rollouts.counts import ArmCounts, total
from functions.core.rollouts.flags import Flag
from functions.core.rollouts.stops import By, Stop
from functions.core.shared.errors import ProviderUnavailable
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.budget.days import call_micros, line_micros
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.jobs.upgrade_job import UpgradeJob, upgrade_job
from functions.use_cases.operations.guard_budget import guard_budget
from scripts import inprocess
from scripts.inprocess import CrashError, InProcessCloud
from scripts.simulation.rollouts import decide_flag
from tests import steps
from tests.app import photo
from tests.steps import UNLIMITED, alerts, classify, enqueue, job, listed, stored, ticks, today

NEXT, NOW_ASKED = "gpt-5.6-luna", "gpt-6-luna"
HALF = {"cohort": "large"}
ALL = {"cohort": "all", "holdbackPercent": 0}
CONFIG: dict[str, Any] = {"tokens": {"welcome": 200}, "plans": {"free": UNLIMITED}}
UIDS = [f"user-{number}" for number in range(40)]
NEW = [uid for uid in UIDS if bucket(Flag.MODEL, "", uid) < 5_000]
OLD = [uid for uid in UIDS if uid not in NEW]


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud of one's own, in which half of the users have the new model."""
    cloud = InProcessCloud(seed=1)
    roll(cloud, model=HALF)
    return cloud


def roll(cloud: InProcessCloud, model_next: str | None = NEXT, **flags: Any) -> None:
    """Set the flags' rules, as an operator does in the document."""
    cloud.configure({**CONFIG, "model": {"next": model_next}, "flags": flags})


def counts(cloud: InProcessCloud, key: str = "model@0") -> dict[str, ArmCounts]:
    """Return what today's shards have counted of a flag, by arm."""
    shards = cloud.deps.store.budget_shards(today(cloud)).values()
    found: dict[str, list[ArmCounts]] = defaultdict(list)
    for shard in shards:
        for arm, counted in shard.rollouts.get(key, {}).items():
            found[arm].append(counted)
    return {arm: total(each) for arm, each in found.items()}


def figures(counted: ArmCounts) -> tuple[int, int, int]:
    """Return what has started, ended and failed."""
    return counted.started, counted.ended, counted.failed


def model_of(cloud: InProcessCloud, uid: str, key: str, mode: str = "instant") -> str:
    """Return the model that classified a photo."""
    return str(classify(cloud, key, mode, uid)["result"]["model"])


@contextmanager
def broken(model: str | None) -> Iterator[None]:
    """Let a model fail, or all of them."""
    ask = OpenAIProvider.complete

    def fail(provider: OpenAIProvider, body: dict[str, Any], *rest: Any) -> Any:
        if model is None or body["model"] == model:
            raise ProviderDownError("it does not answer", Trouble.UNREACHABLE)
        return ask(provider, body, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OpenAIProvider, "complete", fail)
        yield


def failing(cloud: InProcessCloud, uid: str, key: str) -> None:
    """Have a photo classified, which fails."""
    with pytest.raises(ProviderUnavailable):
        classify(cloud, key, uid=uid)


# Both lanes


def test_a_share_of_users_is_asked_with_the_next_model(cloud: InProcessCloud) -> None:
    """The same user always gets the same, the result says which, and the job keeps its arm."""
    assert [model_of(cloud, uid, f"first-{uid}") for uid in UIDS[:6]] == [
        NEXT if uid in NEW else NOW_ASKED for uid in UIDS[:6]
    ]
    answer = classify(cloud, "again", uid=NEW[0])
    assert (answer["result"]["model"], job(cloud, answer)["arms"]) == (NEXT, {"model@0": "new"})
    assert job(cloud, classify(cloud, "old", uid=OLD[0]))["arms"] == {"model@0": "old"}


def test_without_a_flag_nothing_is_noted(cloud: InProcessCloud) -> None:
    """A project that rolls nothing out pays for nothing, not even a field in a shard."""
    roll(cloud)
    assert job(cloud, classify(cloud, "one", uid=NEW[0]))["arms"] == {}
    assert counts(cloud) == {}


def test_the_prompt_is_a_flag_as_well(cloud: InProcessCloud) -> None:
    """Both run side by side: each call counts for either, and the result tells its version."""
    roll(cloud, model=HALF, prompt={"cohort": "large"})
    seen = set()
    for uid in UIDS[:16]:
        answer = classify(cloud, f"photo-of-{uid}", uid=uid)
        arms, prompt = job(cloud, answer)["arms"], answer["result"]["promptVersion"]
        assert prompt == (PROMPT_NEXT if arms["prompt@0"] == "new" else PROMPT_VERSION)
        seen.add((arms["model@0"], arms["prompt@0"]))
    assert len(seen) == 4
    for key in ("model@0", "prompt@0"):
        assert sum(each.ended for each in counts(cloud, key).values()) == 16


def test_a_batch_holds_one_way_alone(cloud: InProcessCloud) -> None:
    """OpenAI takes one model a batch: photos that were queued together go in as many batches as they have ways, and
    each comes back with what made it."""
    roll(cloud, model=HALF, prompt={"cohort": "listed", "allow": [OLD[0]]})
    ids = {uid: enqueue(cloud, uid, 2) for uid in (NEW[0], NEW[1], OLD[0], OLD[1])}
    ticks(cloud, timedelta(hours=5))
    ways = {(each["model"], each["promptVersion"]): each["doneCount"] for each in listed(cloud, "batches").values()}
    assert ways == {(NEXT, PROMPT_VERSION): 4, (NOW_ASKED, PROMPT_NEXT): 2, (NOW_ASKED, PROMPT_VERSION): 2}
    for uid, of_user in ids.items():
        result = job(cloud, of_user[0])["result"]
        assert result["model"] == (NEXT if uid in NEW else NOW_ASKED)
        assert result["promptVersion"] == (PROMPT_NEXT if uid == OLD[0] else PROMPT_VERSION)
    arms = counts(cloud)
    assert (figures(arms["new"]), figures(arms["old"])) == ((4, 4, 0), (4, 4, 0))
    assert arms["new"].micros == sum(job(cloud, each)["costMicros"] for uid in NEW[:2] for each in ids[uid])


def test_what_is_sent_is_what_the_result_says(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line of an input file asks the batch's model, in the batch's wording."""
    roll(cloud, prompt={"cohort": "listed", "allow": [NEW[0]]}, model=HALF)
    enqueue(cloud, NEW[0])
    files: list[bytes] = []
    upload = OpenAIProvider.upload_input

    def seen(provider: OpenAIProvider, name: str, file: Any) -> str:
        files.append(file.read())
        file.seek(0)
        return upload(provider, name, file)

    monkeypatch.setattr(OpenAIProvider, "upload_input", seen)
    ticks(cloud, timedelta(minutes=5))
    (line,) = files
    assert f'"model":"{NEXT}"'.encode() in line
    assert json.dumps(PROMPTS[PROMPT_NEXT], ensure_ascii=False).encode() in line


def test_batches_are_decided_when_they_are_sent(cloud: InProcessCloud) -> None:
    """A stop reaches what is queued."""
    (queued,) = enqueue(cloud, NEW[0])
    roll(cloud, model={"cohort": "off"})
    ticks(cloud, timedelta(hours=5))
    assert job(cloud, queued)["result"]["model"] == NOW_ASKED


def test_an_upgrade_is_decided_when_it_is_made(cloud: InProcessCloud) -> None:
    """It is an instant call like any other, held for and counted; its time, which began in the queue, is not."""
    (queued,) = enqueue(cloud, NEW[0])
    answer = upgrade_job(UpgradeJob.model_validate({"jobId": queued}), NEW[0], cloud.deps)
    assert answer["result"]["model"] == job(cloud, queued)["hold"]["model"] == NEXT
    assert counts(cloud)["new"] == ArmCounts(started=1, ended=1, micros=job(cloud, queued)["costMicros"])


def sides(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch, **flags: Any) -> list[int]:
    """Let photos of 600 pixels be made small as in production, and roll these flags out with a side of 384. Returns
    the longest side of each photo that OpenAI is sent from now on."""
    seen: list[int] = []
    ask, upload = OpenAIProvider.complete, OpenAIProvider.upload_input

    def look(data: bytes) -> None:
        found = re.findall(rb"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", data)
        seen.extend(max(jpeg_size(base64.b64decode(each)) or (0, 0)) for each in found)

    def asked(provider: OpenAIProvider, body: dict[str, Any], *rest: Any) -> Any:
        look(json.dumps(body).encode())
        return ask(provider, body, *rest)

    def uploaded(provider: OpenAIProvider, name: str, file: Any) -> str:
        look(file.read())
        file.seek(0)
        return upload(provider, name, file)

    monkeypatch.setattr(OpenAIProvider, "complete", asked)
    monkeypatch.setattr(OpenAIProvider, "upload_input", uploaded)
    monkeypatch.setattr(steps, "PHOTO", photo(600))
    monkeypatch.setattr(inprocess, "unprepared", lambda data, rules: prepare(data, rules.side_max, rules.jpeg_quality))
    monkeypatch.setattr(
        inprocess, "recognised", lambda data, rules: prepare_known(data, rules.side_max, rules.jpeg_quality)
    )
    cloud.restart()
    cloud.configure({**CONFIG, "images": {"nextSideMax": 384}, "flags": flags})
    return seen


def test_a_share_of_users_is_asked_with_a_smaller_photo(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """In both lanes, and after an upgrade; results and batches say which side it was, and each arm is counted."""
    seen = sides(cloud, monkeypatch, side={"cohort": "listed", "allow": [NEW[0]]})
    for uid, side in ((NEW[0], 384), (OLD[0], 512)):
        del seen[:]
        assert classify(cloud, f"now-{uid}", uid=uid)["result"]["sideMax"] == side
        (queued,) = enqueue(cloud, uid)
        upgraded = upgrade_job(UpgradeJob.model_validate({"jobId": queued}), uid, cloud.deps)
        (later,) = enqueue(cloud, uid)
        ticks(cloud, timedelta(hours=5))
        assert (upgraded["result"]["sideMax"], job(cloud, later)["result"]["sideMax"]) == (side, side)
        assert seen == [side] * 3
    assert sorted(each["sideMax"] for each in listed(cloud, "batches").values()) == [384, 512]


def test_arms_of_a_side_are_counted_and_cost_what_they_cost(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the users: calls of either arm, with the cheaper photo's cost."""
    seen = sides(cloud, monkeypatch, side=HALF)
    smaller = [uid for uid in UIDS if bucket(Flag.SIDE, "", uid) < 5_000]
    for uid in UIDS[:8]:
        result = classify(cloud, f"of-{uid}", uid=uid)
        assert job(cloud, result)["arms"] == {"side@0": "new" if uid in smaller else "old"}
    assert seen == [384 if uid in smaller else 512 for uid in UIDS[:8]]
    counted = counts(cloud, "side@0")
    assert sum(each.ended for each in counted.values()) == 8
    assert counted["new"].micros / counted["new"].ended < counted["old"].micros / counted["old"].ended


def test_a_photo_of_another_side_answers_no_other(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same file again is a hit while its user stays on a path, and asked anew once the path is another: also if the
    answer that there is came from a batch that was sent on another path than its photo was queued on."""
    seen = sides(cloud, monkeypatch, side={"cohort": "listed", "allow": ["ann"]})
    rolled = {**CONFIG, "images": {"nextSideMax": 384}, "cache": {"exact": "on"}}
    listed_for_ann = {"flags": {"side": {"cohort": "listed", "allow": ["ann"]}}}
    cloud.configure({**rolled, **listed_for_ann})
    assert classify(cloud, "one")["servedFrom"] is None
    assert classify(cloud, "two")["servedFrom"]["tier"] == "exact"
    cloud.configure(rolled)
    assert classify(cloud, "three")["servedFrom"] is None
    assert seen == [384, 512]
    monkeypatch.setattr(steps, "PHOTO", photo(700))
    classify(cloud, "queued", "batch")
    cloud.configure({**rolled, **listed_for_ann})
    ticks(cloud, timedelta(hours=5))
    cloud.configure(rolled)
    assert classify(cloud, "again")["servedFrom"] is None
    assert seen == [384, 512, 384, 512]


def test_a_side_that_is_set_for_all_is_what_its_new_path_was(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Users on the new path notice nothing: not even their answers are asked for anew."""
    seen = sides(cloud, monkeypatch, side=ALL)
    cloud.configure({**CONFIG, "images": {"nextSideMax": 384}, "cache": {"exact": "on"}, "flags": {"side": ALL}})
    classify(cloud, "one")
    cloud.configure({**CONFIG, "images": {"sideMax": 384}, "cache": {"exact": "on"}})
    assert classify(cloud, "two")["servedFrom"]["tier"] == "exact"
    assert seen == [384]


@pytest.mark.parametrize("side", [384, 1_024])
def test_holds_are_for_the_photo_that_is_sent(
    side: int, cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch's by its own side; what is said of every call covers the largest photo that may be sent."""
    sides(cloud, monkeypatch)
    before = call_micros(cloud.deps), line_micros(cloud.deps)
    rolled = {"side": {"cohort": "listed", "allow": [NEW[0]]}}
    cloud.configure({**CONFIG, "images": {"nextSideMax": side}, "flags": rolled})
    after = call_micros(cloud.deps), line_micros(cloud.deps)
    assert (after == before) if side < 512 else all(new > old for new, old in zip(after, before, strict=True))
    for uid in (NEW[0], OLD[0]):
        enqueue(cloud, uid)
    submit_batches(cloud.deps)
    held = {each["sideMax"]: each["hold"]["lineMicros"] for each in listed(cloud, "batches").values()}
    assert (held[side] > held[512]) == (side > 512)
    assert max(held.values()) == line_micros(cloud.deps)


def test_a_flag_without_a_side_is_old_for_itself_alone(cloud: InProcessCloud) -> None:
    """`images.nextSideMax` names none: nobody is on the new path, and nothing is counted."""
    roll(cloud, side=HALF)
    answer = classify(cloud, "one", uid=NEW[0])
    assert (answer["result"]["sideMax"], job(cloud, answer)["arms"]) == (512, {})


# Money


def test_the_hold_is_for_the_model_that_is_asked(cloud: InProcessCloud) -> None:
    """The next model costs twice as much: its calls hold so much, and what is said of every call covers the dearer."""
    new, old = (job(cloud, classify(cloud, f"of-{uid}", uid=uid)) for uid in (NEW[0], OLD[0]))
    assert (new["hold"]["model"], old["hold"]["model"]) == (NEXT, NOW_ASKED)
    assert new["hold"]["lineMicros"] > 1.5 * old["hold"]["lineMicros"]
    assert new["costMicros"] > 1.5 * old["costMicros"]
    with_both = call_micros(cloud.deps), line_micros(cloud.deps)
    roll(cloud)
    assert all(
        both > 1.5 * one
        for both, one in zip(with_both, (call_micros(cloud.deps), line_micros(cloud.deps)), strict=True)
    )


@pytest.mark.parametrize("model", [None, "gpt-unheard-of"])
def test_a_model_without_a_price_is_asked_by_nobody(cloud: InProcessCloud, model: str | None) -> None:
    """Written past the check of `admin_set_config`: the flag is old for itself alone."""
    roll(cloud, model, model=HALF, prompt={"cohort": "all", "holdbackPercent": 0})
    answer = classify(cloud, "one", uid=NEW[0])
    assert (answer["result"]["model"], answer["result"]["promptVersion"]) == (NOW_ASKED, PROMPT_NEXT)
    assert job(cloud, answer)["arms"] == {"prompt@0": "new"}


# What is counted


def test_calls_are_counted_by_arm(cloud: InProcessCloud) -> None:
    """Started with the hold, ended with the settlement: the cost, and the time in its bucket."""
    costs = [job(cloud, classify(cloud, f"of-{uid}", uid=uid))["costMicros"] for uid in NEW[:3]]
    classify(cloud, "of-old", uid=OLD[0])
    assert counts(cloud)["new"] == ArmCounts(started=3, ended=3, micros=sum(costs), ms={"0": 3})
    assert figures(counts(cloud)["old"]) == (1, 1, 0)


def test_who_was_named_is_served_and_not_counted(cloud: InProcessCloud) -> None:
    """Testers on the list are no sample of the users."""
    roll(cloud, model={"cohort": "listed", "allow": [OLD[0]]})
    assert model_of(cloud, OLD[0], "one") == NEXT
    assert counts(cloud) == {}


def test_a_call_that_died_counts_as_failed(cloud: InProcessCloud) -> None:
    """A path that takes the process with it raises no error that anybody could count: the lease does."""

    def crash(call: str, when: str) -> None:
        if (call, when) == ("openai.complete", "before"):
            raise CrashError

    with cloud.interrupting(crash), pytest.raises(CrashError):
        classify(cloud, "one", uid=NEW[0])
    cloud.restart()
    assert figures(counts(cloud)["new"]) == (1, 0, 0)
    cloud.clock.advance(timedelta(minutes=10))
    recover_jobs(cloud.deps)
    assert figures(counts(cloud)["new"]) == (1, 1, 1)


def test_a_photo_is_no_failure_of_the_path(cloud: InProcessCloud) -> None:
    """What the model refuses for what it shows says nothing about the path; an answer that cannot be used does."""
    cloud.openai.faults.add(kind="refused", status=400, code="image_parse_error")
    with pytest.raises(Exception, match="cannot read this photo"):
        classify(cloud, "one", uid=NEW[0])
    assert figures(counts(cloud)["new"]) == (1, 1, 0)
    cloud.openai.faults.add(kind="cut_answer")
    failing(cloud, NEW[0], "two")
    assert figures(counts(cloud)["new"]) == (2, 2, 1)


def test_a_review_of_the_day_keeps_the_counters(cloud: InProcessCloud) -> None:
    """The guard writes whole shards anew, every quarter of an hour."""
    classify(cloud, "one", uid=NEW[0])
    before = counts(cloud)
    cloud.client.document(f"budget/{today(cloud)}/shards/0").update({"reserved": 77})  # which it repairs
    roll(cloud, model=HALF)
    guard_budget(cloud.deps)
    assert counts(cloud) == before
    assert figures(before["new"]) == (1, 1, 0)


# Stops


def test_a_stop_is_seen_within_thirty_seconds(cloud: InProcessCloud) -> None:
    """It needs no config that can be read: a broken one is what a bad day begins with."""
    assert model_of(cloud, NEW[0], "one") == NEXT
    stop = {"at": cloud.clock(), "by": "operator", "why": "by hand"}
    cloud.client.document("stats/rollouts").set({"model": {"epoch": 1, "stopped": stop}})
    cloud.client.document("config/runtime").update({"tokens.instantPrice": "five", "budget": "none"})
    cloud.clock.advance(timedelta(seconds=31))
    cloud.client.document("config/runtime").update({"budget": {}})
    answer = classify(cloud, "two", uid=NEW[0])
    assert (answer["result"]["model"], job(cloud, answer)["arms"]) == (NOW_ASKED, {})


def test_what_cannot_be_read_of_a_flag_is_old_for_that_flag(cloud: InProcessCloud) -> None:
    """Its rules, or its state: the other flag goes on, and so does everything else."""
    for config, state in (
        ({"model": {"cohort": "everybody"}, "prompt": HALF}, {}),
        ({"model": HALF, "prompt": HALF}, {"model": {"epoch": "many"}}),
    ):
        roll(cloud, NEXT, **config)
        cloud.client.document("stats/rollouts").set(state)
        cloud.clock.advance(timedelta(seconds=31))
        assert list(job(cloud, classify(cloud, f"one-{len(state)}", uid=NEW[0]))["arms"]) == ["prompt@0"]


def test_a_path_that_fails_for_one_process_is_stopped_for_all(cloud: InProcessCloud) -> None:
    """Seven failures in a row, for three users, while the old path works: this process goes back at once, the others
    with their next look, and operators are told."""
    other = cloud.new_process()
    with broken(NEXT):
        for number in range(FAILURES_MAX):
            failing(cloud, NEW[number % 3], f"new-{number}")
            assert model_of(cloud, OLD[0], f"old-{number}") == NOW_ASKED
        assert model_of(cloud, NEW[0], "back-again") == NOW_ASKED
    state = stored(cloud, "stats/rollouts")["model"]
    assert (state["epoch"], state["stopped"]["by"]) == (1, "process")
    assert [each["text"] for each in alerts(cloud, "rollout_stopped").values()] == [
        "The flag model was stopped: 7 calls in a row failed for at least 3 users, while the old path worked."
    ]
    cloud.clock.advance(timedelta(seconds=31))
    cloud.deps = other
    assert model_of(cloud, NEW[0], "another-process") == NOW_ASKED


def test_a_stop_that_is_taken_back_begins_anew(cloud: InProcessCloud) -> None:
    """An operator deletes it: everybody goes the new path again, the process too that had stopped it, and is counted
    apart from what was before."""
    with broken(NEXT):
        for number in range(FAILURES_MAX):
            failing(cloud, NEW[number % 3], f"new-{number}")
            assert model_of(cloud, OLD[0], f"old-{number}") == NOW_ASKED
    cloud.client.document("stats/rollouts").update({"model.stopped": DELETE_FIELD})
    cloud.clock.advance(timedelta(seconds=31))
    answer = classify(cloud, "again", uid=NEW[0])
    assert (answer["result"]["model"], job(cloud, answer)["arms"]) == (NEXT, {"model@1": "new"})
    assert figures(counts(cloud, "model@1")["new"]) == (1, 1, 0)


def test_a_stop_is_stored_over_a_state_that_cannot_be_read(cloud: InProcessCloud) -> None:
    """By an operator, in an epoch that no call has counted in; and by a process on the day of an earlier stop, which
    that state no longer tells of: its alert is there already."""
    decide_flag("model", "stop", cloud.deps)
    cloud.client.document("stats/rollouts").update({"model.epoch": "many"})
    decide_flag("model", "stop", cloud.deps)
    state = stored(cloud, "stats/rollouts")["model"]
    assert (state["epoch"], state["stopped"]["at"]) == (cloud.clock().timestamp() + 1, cloud.clock())
    cloud.client.document("stats/rollouts").update({"model.epoch": "many"})
    assert cloud.deps.store.stop_flag(Flag.MODEL, 0, Stop(at=cloud.clock(), by=By.PROCESS, why="7 in a row"))
    assert stored(cloud, "stats/rollouts")["model"]["epoch"] == 1
    assert len(alerts(cloud, "rollout_stopped")) == 2


def test_a_sick_provider_stops_nothing(cloud: InProcessCloud) -> None:
    """Both paths fail: going back would help nobody."""
    with broken(None):
        for number in range(2 * FAILURES_MAX):
            for uid in (NEW[number % 3], OLD[number % 3]):
                failing(cloud, uid, f"{uid}-{number}")
    assert stored(cloud, "stats/rollouts") == {}
    assert figures(counts(cloud)["new"]) == (2 * FAILURES_MAX,) * 3


def test_a_stop_that_cannot_be_stored_is_stored_later(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process has gone back all the same, the users' jobs have ended as they have, and the next call tries
    again."""
    store = cloud.deps.store
    with broken(NEXT), monkeypatch.context() as patch:
        patch.setattr(store, "stop_flag", lambda *_: (_ for _ in ()).throw(RuntimeError("down")))
        for number in range(FAILURES_MAX):
            failing(cloud, NEW[number % 3], f"new-{number}")
            classify(cloud, f"old-{number}", uid=OLD[0])
        assert model_of(cloud, NEW[0], "back-again") == NOW_ASKED
    assert stored(cloud, "stats/rollouts") == {}
    classify(cloud, "next", uid=OLD[0])
    assert stored(cloud, "stats/rollouts")["model"]["stopped"]["by"] == "process"


def test_failures_are_those_of_the_path() -> None:
    """No failure is forgotten when one is added: it is the path's, or it is not."""
    assert frozenset(Failure) - BY_THE_PATH == {
        Failure.IMAGE_NOT_FOUND,
        Failure.INVALID_IMAGE,
        Failure.PROVIDER_REJECTED,
        Failure.WAITED_TOO_LONG,
    }
