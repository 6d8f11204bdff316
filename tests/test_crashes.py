"""If it dies here: every step of every write path, interrupted before and after each call that leaves the process.

A run is killed at its n-th outside call, for every n; then nothing but the crons goes on. What must be true in the
end is the same wherever it died: every job has one outcome, every token is where it belongs, nothing was submitted
twice, and nothing half-done is left.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import pytest
from openai import OpenAI

from functions.core.jobs.disputes import DisputeReason
from functions.core.jobs.jobs import FINAL
from functions.core.teams.teams import team_id_for
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.insights.trials import begin_trial
from functions.use_cases.jobs.cancel_job import CancelJob, cancel_job
from functions.use_cases.jobs.classify_images import ClassifyImages, classify_images
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.jobs.report_answer import ReportAnswer, report_answer
from functions.use_cases.jobs.upgrade_job import UpgradeJob, upgrade_job
from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.teams.create_team import CreateTeam, create_team
from functions.use_cases.teams.get_team import GetTeam, get_team
from functions.use_cases.teams.invite_member import InviteMember, invite_member
from functions.use_cases.teams.join_team import JoinTeam, join_team
from functions.use_cases.wallet.unregister_device import UnregisterDevice, unregister_device
from scripts.inprocess import CrashError, InProcessCloud
from tests.steps import BATCH_CRONS, PHOTO, batch_files, classify, listed, register, stored, wallet
from tests.use_cases.teams.test_teams import balanced, change, join, team_of

PHONE = {"deviceId": "device-one", "token": "token"}
"""The telephone that there is."""

KEYS = {"anthropic_api_key": "stand-in"}

When = Literal["before", "after"]


@dataclass
class Killer:
    """Kills the process at its n-th outside call, and keeps it dead."""

    at: int
    when: When
    calls: int = 0
    dead: bool = False
    where: str = ""

    def __call__(self, call: str, when: When) -> None:
        """Count a call; die when it is the one."""
        if self.dead:
            raise CrashError
        if when == self.when:
            self.calls += 1
            if self.calls == self.at:
                self.dead, self.where = True, f"{self.when} {call}"
                raise CrashError


def queue_three(cloud: InProcessCloud) -> None:
    """Two users have three photos in the queue; one of the photos is gone by now."""
    for user, key in (("ann", "photo-one"), ("ann", "photo-two"), ("bob", "photo-three")):
        classify(cloud, key, "batch", user)
    del cloud.files.objects["users/ann/uploads/photo-two.jpg"]


def sign_out(cloud: InProcessCloud, user: str) -> None:
    """And signs out."""
    unregister_device(UnregisterDevice(deviceId=PHONE["deviceId"]), user, cloud.deps)


def submitted(cloud: InProcessCloud) -> None:
    """The three are at OpenAI, which has finished with them."""
    register(cloud, "ann", **PHONE)
    queue_three(cloud)
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=30))


def at_anthropic(prepare: Callable[[InProcessCloud], Any]) -> Callable[[InProcessCloud], Any]:
    """The same, and batches go to Anthropic, which keeps no word of ours with them; what is sent there is counted."""

    def prepared(cloud: InProcessCloud) -> None:
        sent, create = Counter[str](), cloud.anthropic.engine.batches.create

        def counting(body: Any, now: float) -> Any:
            sent.update(each["custom_id"] for each in body["requests"])
            return create(body, now)

        cloud.anthropic.engine.batches.create = counting  # type: ignore[method-assign]
        vars(cloud)["sent_to_anthropic"] = sent
        cloud.restart(KEYS)
        cloud.configure({"providers": {"batchOrder": ["anthropic"]}})
        prepare(cloud)

    return prepared


def only_job(cloud: InProcessCloud) -> str:
    """Return the id of the first job there is."""
    return str(next(iter(cloud.client.collection("aiJobs").limit(1).stream())).id)


def one_queued(cloud: InProcessCloud) -> None:
    """One photo is in the queue."""
    classify(cloud, "photo-one", "batch")


def known(cloud: InProcessCloud) -> None:
    """The photo was answered before, under another key, and the cache is on."""
    cloud.configure({"cache": {"exact": "on"}})
    classify(cloud, "photo-zero")


def answered_again(cloud: InProcessCloud) -> None:
    """A photo was answered by an earlier answer."""
    known(cloud)
    classify(cloud, "photo-one")


def report_hit(cloud: InProcessCloud) -> Any:
    """The answer that was given again is disputed."""
    (hit,) = [name for name, job in listed(cloud, "aiJobs").items() if job["cache"] and job["cache"]["served"]]
    return report_answer(ReportAnswer(jobId=hit, reason=DisputeReason.OTHER), "ann", cloud.deps)


def adopted(cloud: InProcessCloud) -> None:
    """The three were taken, and nobody was told so; a batch of their number was found since, and has ended."""
    cloud.anthropic.faults.add(kind="reply_lost", endpoint="POST /v1/messages/batches")
    submitted(cloud)
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=30))


def guard_later(cloud: InProcessCloud) -> Any:
    """The guard looks at what is settled by now."""
    cloud.clock.advance(timedelta(minutes=10))
    return guard_budget(cloud.deps)


def chosen(cloud: InProcessCloud) -> None:
    """A hit is to be asked again."""
    answered_again(cloud)
    guard_later(cloud)


def checked(cloud: InProcessCloud) -> None:
    """It was asked again, and OpenAI has answered."""
    chosen(cloud)
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=30))


def answered(cloud: InProcessCloud) -> None:
    """A photo has its answer."""
    classify(cloud, "photo-zero")


def try_one(cloud: InProcessCloud) -> Any:
    """A recommendation is tried on it."""
    return begin_trial("image_side", {"images": {"sideMax": 384}}, 1, "ana", cloud.deps)


def trying(cloud: InProcessCloud) -> None:
    """It waits for its batch."""
    answered(cloud)
    try_one(cloud)
    cloud.restart()


def tried(cloud: InProcessCloud) -> None:
    """OpenAI has answered."""
    trying(cloud)
    submit_batches(cloud.deps)
    cloud.clock.advance(timedelta(minutes=30))


def over(cloud: InProcessCloud) -> None:
    """The answers are there."""
    tried(cloud)
    poll_batches(cloud.deps)


def many(cloud: InProcessCloud) -> Any:
    """Three photos in one call."""
    images = [
        {"requestId": f"photo-{n}", "imagePath": cloud.upload("ann", f"{n}.jpg", PHOTO)}
        for n in ("one", "two", "three")
    ]
    return classify_images(ClassifyImages.model_validate({"images": images}), "ann", cloud.deps)


def poll_in_haste(cloud: InProcessCloud) -> None:
    """A run whose time is over when the first job has ended."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("functions.use_cases.batches.poll_batches.RUN_TIME", timedelta(0))
        poll_batches(cloud.deps)


TEAM = team_id_for("bob", "team-of-bob")
INVITE = {"requestId": "invite-for-ann-0123456789", "teamId": TEAM, "monthlyLimit": 10}


def found(cloud: InProcessCloud) -> Any:
    """A team is founded."""
    return create_team(CreateTeam(requestId="team-of-bob", name="Green"), "bob", cloud.deps)


def invite(cloud: InProcessCloud) -> str:
    """Its owner invites somebody."""
    return str(invite_member(InviteMember.model_validate(INVITE), "bob", cloud.deps)["code"])


def invited(cloud: InProcessCloud) -> None:
    """Somebody is invited."""
    found(cloud)
    invite(cloud)


def in_a_team(cloud: InProcessCloud) -> None:
    """A team with tokens has two members."""
    team_of(cloud, "bob")
    join(cloud, TEAM, "ann", by="bob")


def queued_by_a_team(cloud: InProcessCloud) -> None:
    """And photos that wait, one of each."""
    in_a_team(cloud)
    for user, key in (("ann", "photo-one"), ("bob", "photo-two")):
        classify(cloud, key, "batch", user, payer=TEAM)


def job_of_ann(cloud: InProcessCloud) -> str:
    """Return the id of hers."""
    return next(name for name, job in listed(cloud, "aiJobs").items() if job["uid"] == "ann")


TEAMS: dict[str, tuple[Callable[[InProcessCloud], Any], Callable[[InProcessCloud], Any]]] = {
    "create_team": (lambda _: None, found),
    "invite_member": (found, invite),
    "join_team": (invited, lambda cloud: join_team(JoinTeam(code=invite(cloud)), "ann", cloud.deps)),
    "get_team": (found, lambda cloud: get_team(GetTeam(teamId=TEAM), "bob", cloud.deps)),
    "change_member, a limit": (in_a_team, lambda cloud: change(cloud, TEAM, "bob", "ann", monthlyLimit=5)),
    "change_member, removed": (queued_by_a_team, lambda cloud: change(cloud, TEAM, "bob", "ann", remove=True)),
    "classify_image instant, a team's": (in_a_team, lambda cloud: classify(cloud, "photo-one", payer=TEAM)),
    "classify_image batch, a team's": (in_a_team, lambda cloud: classify(cloud, "photo-one", "batch", payer=TEAM)),
    "upgrade_job, a team's": (
        queued_by_a_team,
        lambda cloud: upgrade_job(UpgradeJob(jobId=job_of_ann(cloud)), "ann", cloud.deps),
    ),
    "cancel_job, a team's": (
        queued_by_a_team,
        lambda cloud: cancel_job(CancelJob(jobId=job_of_ann(cloud)), "ann", cloud.deps),
    ),
}
"""What members do, and what a team pays for."""

SCENARIOS: dict[str, tuple[Callable[[InProcessCloud], Any], Callable[[InProcessCloud], Any]]] = {
    "classify_image instant": (lambda _: None, lambda cloud: classify(cloud, "photo-one")),
    "classify_image, a known photo": (known, lambda cloud: classify(cloud, "photo-one")),
    "classify_image, not that one": (known, lambda cloud: classify(cloud, "photo-one", language="nb")),
    "classify_images, one known": (known, many),
    "report_answer": (answered_again, report_hit),
    "classify_image batch": (lambda _: None, lambda cloud: classify(cloud, "photo-one", "batch")),
    "classify_images": (lambda _: None, many),
    "upgrade_job": (one_queued, lambda cloud: upgrade_job(UpgradeJob(jobId=only_job(cloud)), "ann", cloud.deps)),
    "cancel_job": (one_queued, lambda cloud: cancel_job(CancelJob(jobId=only_job(cloud)), "ann", cloud.deps)),
    "guard_budget, a hit to check": (answered_again, guard_later),
    "submit_batches, a check": (chosen, lambda cloud: submit_batches(cloud.deps)),
    "poll_batches, a check": (checked, lambda cloud: poll_batches(cloud.deps)),
    "admin_try_saving": (answered, try_one),
    "submit_batches, a trial": (trying, lambda cloud: submit_batches(cloud.deps)),
    "poll_batches, a trial": (tried, lambda cloud: poll_batches(cloud.deps)),
    "guard_budget, a trial's end": (over, lambda cloud: guard_budget(cloud.deps)),
    "submit_batches": (queue_three, lambda cloud: submit_batches(cloud.deps)),
    "register_device": (lambda cloud: register(cloud, "bob", **PHONE), lambda cloud: register(cloud, "ann", **PHONE)),
    "unregister_device": (lambda cloud: register(cloud, "ann", **PHONE), lambda cloud: sign_out(cloud, "ann")),
    "poll_batches, out of time": (submitted, poll_in_haste),
    "poll_batches": (submitted, lambda cloud: poll_batches(cloud.deps)),
    "submit_batches, Anthropic": (at_anthropic(queue_three), lambda cloud: submit_batches(cloud.deps)),
    "poll_batches, Anthropic": (at_anthropic(submitted), lambda cloud: poll_batches(cloud.deps)),
    "poll_batches, provisional": (at_anthropic(adopted), lambda cloud: poll_batches(cloud.deps)),
    **TEAMS,
}


def outside_calls(name: str, when: When) -> int:
    """Return how many outside calls a scenario begins (`before`) or comes back from (`after`) when nothing goes
    wrong."""
    prepare, run = SCENARIOS[name]
    cloud = InProcessCloud(seed=1)
    prepare(cloud)
    counter = Killer(at=0, when=when)
    cloud.interrupt = counter
    run(cloud)
    return counter.calls


WHENS: tuple[When, ...] = ("before", "after")
CRASHES = [(name, at, when) for name in SCENARIOS for when in WHENS for at in range(1, outside_calls(name, when) + 1)]


@pytest.mark.parametrize(("name", "at", "when"), CRASHES, ids=[f"{n} {w} {a}" for n, a, w in CRASHES])
def test_a_crash_anywhere_is_recovered_from(name: str, at: int, when: When) -> None:
    """Wherever a run dies, the crons bring everything to one good end by themselves."""
    prepare, run = SCENARIOS[name]
    cloud = InProcessCloud(seed=1)
    prepare(cloud)
    killer = Killer(at, when)
    cloud.interrupt = killer
    with pytest.raises(BaseException):  # noqa: B017, PT011  (a client library may cover it with an error of its own)
        run(cloud)
    assert killer.dead
    cloud.restart(KEYS)
    if name.endswith(", removed"):
        cloud.clock.advance(timedelta(minutes=2))  # a dead process's locks are gone by then
        recover_jobs(cloud.deps)
        queued = {job["uid"] for job in listed(cloud, "aiJobs").values() if job["status"] == "queued"}
        assert queued <= stored(cloud, f"teams/{TEAM}/wallet/main")["members"].keys(), "what nobody may pay for waits"
    settle(cloud)
    guard_budget(cloud.deps)  # ends a trial, and may choose a hit to be asked again
    settle(cloud)
    examine(cloud)
    if name.endswith(("_team", "_member", ", a limit", ", removed")):  # which the app calls again
        run(cloud)
        examine(cloud)


def settle(cloud: InProcessCloud) -> None:
    """Let the crons run until there is nothing left to do, a day and a half at most."""
    for _ in range(36 * 12):
        cloud.clock.advance(timedelta(minutes=5))
        for cron in BATCH_CRONS:
            cron(cloud.deps)
        jobs = [*listed(cloud, "aiJobs").values(), *listed(cloud, "cacheChecks").values()]
        open_jobs = [job for job in jobs if job["status"] not in FINAL]
        open_batches = [b for b in listed(cloud, "batches").values() if b["state"] not in {"done", "failed"}]
        if not open_jobs and not open_batches:
            return
    raise AssertionError(f"never quiet: {open_jobs} {open_batches}")


def examine(cloud: InProcessCloud) -> None:
    """Check what must be true of a system at rest."""
    paid: Counter[str] = Counter()
    for user in ("ann", "bob"):
        entries = listed(cloud, f"users/{user}/ledger").values()
        assert wallet(cloud, user).get("balance", 0) == sum(entry["delta"] for entry in entries)
        for entry in entries:
            if entry["reason"] in {"charge", "upgrade", "refund"}:
                paid[entry["ref"]] -= entry["delta"]
    examine_team(cloud, paid)
    found = listed(cloud, "aiJobs")
    assert set(paid) == set(found), "a charge without a job, or a job without a charge"
    for job_id, job in found.items():
        given_back = job["dispute"] and job["cache"] and job["cache"]["served"]
        assert paid[job_id] == (job["tokensCost"] if job["status"] == "done" and not given_back else 0)
        assert (job["result"] is not None) == (job["status"] == "done")
        assert job["leaseUntil"] is None
    if trial := listed(cloud, "stats").get("trials"):
        assert (trial["number"], trial["running"], trial["ended"]["image_side"]["found"]["same"]) == (1, None, 1)
    checks = listed(cloud, "cacheChecks")
    assert len(checks) <= 1
    assert all((check["cache"]["same"], check["leaseUntil"]) == (True, None) for check in checks.values())
    openai = OpenAI(api_key="stand-in", base_url="http://openai.local/v1", http_client=cloud.openai.http_client())
    at_openai = list(openai.batches.list())
    sent = Counter((batch.metadata or {})["batchId"] for batch in at_openai)
    assert all(times == 1 for times in sent.values()), "a batch was submitted twice"
    files = [batch.output_file_id for batch in at_openai if batch.output_file_id]
    answers = Counter(line["custom_id"] for file in files for line in cloud.deps.provider.read_lines(file, 60))
    assert all(count <= {**found, **checks}[job_id]["attempts"] for job_id, count in answers.items()), (
        "an answer was paid for twice"
    )
    if "sent_to_anthropic" in vars(cloud):
        examine_anthropic(cloud, found)
    assert batch_files(cloud) == []
    examine_budget(cloud)


def examine_team(cloud: InProcessCloud, paid: Counter[str]) -> None:
    """Add what the team has `paid`, and check that its members are those who know of it, that what each has spent is
    what their photos cost, and that no removal is left."""
    assert listed(cloud, "removals") == {}
    team = stored(cloud, f"teams/{TEAM}/wallet/main")
    for user in ("ann", "bob"):
        teams = stored(cloud, f"users/{user}").get("teams", [])
        assert teams == ([TEAM] if user in team.get("members", {}) else [])
    if not team:
        return
    balanced(cloud, TEAM)
    spent: Counter[str] = Counter()
    for entry in listed(cloud, f"teams/{TEAM}/ledger").values():
        if entry["reason"] in {"charge", "upgrade", "refund"}:
            paid[entry["ref"]] -= entry["delta"]
            spent[stored(cloud, f"aiJobs/{entry['ref']}")["uid"]] -= entry["delta"]
    assert {uid: member["used"] for uid, member in team["members"].items()} == {
        uid: spent[uid] for uid in team["members"]
    }


def examine_anthropic(cloud: InProcessCloud, jobs: dict[str, dict[str, Any]]) -> None:
    """Check that no photo was sent there more often than it was tried, and that nothing is left there."""
    sent: Counter[str] = vars(cloud)["sent_to_anthropic"]
    assert all(times <= jobs[job_id]["attempts"] for job_id, times in sent.items()), "a photo was sent twice"
    left = cloud.anthropic.engine.batches.page(cloud.clock().timestamp(), limit=None, after=None, before=None)
    assert left == []


def examine_budget(cloud: InProcessCloud) -> None:
    """Check that nothing is held any more, that every cost is booked, and that no shard has passed its limit."""
    holders = [*listed(cloud, "aiJobs").values(), *listed(cloud, "batches").values()]
    holds = [holder["hold"] for holder in holders if holder["hold"]]
    assert all(hold["micros"] == 0 and not hold["parts"] for hold in holds), "money is still held for somebody"
    days = [snapshot.id for snapshot in cloud.client.collection("budget").list_documents()]
    shards = [shard for day in days for shard in cloud.deps.store.budget_shards(day).values()]
    assert all(shard.reserved == 0 and shard.spent <= shard.limit for shard in shards)
    assert sum(shard.spent for shard in shards) == sum(hold["settled"] for hold in holds)
