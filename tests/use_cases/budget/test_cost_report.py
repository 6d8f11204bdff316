"""What users cost: kept when their jobs are gone, and known at a bounded number of reads."""

from datetime import timedelta

from functions.core.config.plans import Plan
from functions.core.jobs.idempotency import job_id_for
from functions.core.jobs.jobs import Status
from functions.core.wallet.ledger import Reason
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.inprocess import InProcessCloud
from tests.steps import CRONS, classify, job, stored, ticks, today

ROW_SUMS = len(Status) + 5 + len(Reason) + len(Plan) + 2
"""Counts of the day's jobs by status, of its users by age, of tokens by reason, and of photos by plan: a read each; of
users of a plan that has photos two more."""


def test_what_users_cost_outlives_their_jobs(cloud: InProcessCloud) -> None:
    """Both lanes, by the day on which a photo was handed in; exact, and kept when the jobs are gone."""
    day = today(cloud)
    answers = {
        "ann": [classify(cloud, "one"), classify(cloud, "two", "batch")],
        "bob": [classify(cloud, "three", "batch", uid="bob")],
        "cy": [],
    }
    cloud.clock.now = cloud.clock.now.replace(hour=23, minute=50)
    guard_budget(cloud.deps)
    assert set(stored(cloud, f"budget/{day}")["users"]) == {"ann"}  # the batches have cost nothing yet
    ticks(cloud, timedelta(hours=3), CRONS)
    ticks(cloud, timedelta(days=2), CRONS)
    expected = {user: sum(job(cloud, one)["costMicros"] for one in theirs) for user, theirs in answers.items()}
    for snapshot in cloud.client.collection("aiJobs").stream():
        snapshot.reference.delete()  # what TTL does
    cloud.clock.advance(timedelta(days=90))
    guard_budget(cloud.deps)
    assert stored(cloud, f"budget/{day}")["users"] == {"ann": expected["ann"], "bob": expected["bob"]}


def test_knowing_who_costs_most_costs_a_bounded_number_of_reads(cloud: InProcessCloud) -> None:
    """Of a thousand users' day a fair sample is read and no more; the one who makes a tenth of it is found."""
    hold = {"day": today(cloud), "micros": 0, "settled": 0}
    for number in range(1_000):
        uid = "ann" if number % 10 == 0 else f"user-{number}"
        fields = {"uid": uid, "day": today(cloud), "createdAt": cloud.clock(), "costMicros": 250, "hold": hold}
        fields |= {"requestedMode": "instant", "plan": "free", "tokensCost": 5}
        cloud.client.document(f"aiJobs/{job_id_for(uid, str(number))}").set(fields)
    guard_budget(cloud.deps)
    cloud.clock.advance(timedelta(minutes=15))
    usual = guard_reads(cloud)
    cloud.clock.advance(timedelta(hours=1))
    assert guard_reads(cloud) - usual == 300 + 50 + ROW_SUMS
    users = stored(cloud, f"budget/{today(cloud)}")["users"]
    assert (len(users), max(users, key=users.__getitem__), users["ann"]) == (50, "ann", 100 * 250)


def guard_reads(cloud: InProcessCloud) -> int:
    """Run the guard and return how many reads that was."""
    cloud.firestore.bill.reset()
    guard_budget(cloud.deps)
    return int(cloud.firestore.bill.reset()["totals"]["reads"])


def test_the_first_look_at_a_new_project_is_cheap(cloud: InProcessCloud) -> None:
    """There are no days to look back at, and it does not read through a month to find that out."""
    assert guard_reads(cloud) < 80
