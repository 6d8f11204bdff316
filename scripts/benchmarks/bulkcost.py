"""What a photo of a bulk job of 10,000 bills, from the request to the report: all crons every five minutes, a provider
that takes four hours, and one photo in a hundred missing."""

from datetime import timedelta
from typing import Any

from functions.core.wallet.accounts import Account, open_account
from functions.core.wallet.ledger import Reason, Wallet
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.bulk.run_bulk import run_bulk
from functions.use_cases.bulk.start_bulk import StartBulk, start_bulk
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.benchmarks.calls import PHOTO
from scripts.inprocess import InProcessCloud

PHOTOS = 10_000
PROVIDER_MINUTES = 240
MISSING_EVERY = 100
CRON = timedelta(minutes=5)


def run(photos: int = PHOTOS) -> dict[str, Any]:
    """Return reads, writes and deletes a photo, the part of them that bulk jobs add to the batch lane's own, and hours
    until the report."""
    cloud = InProcessCloud(seed=1, batch_minutes=PROVIDER_MINUTES)
    cloud.openai.faults.add(kind="batch_minutes", minutes=PROVIDER_MINUTES, count=None)
    rich = {"dailyLimitMicros": 100_000_000, "perUserDailyMicros": 100_000_000}
    cloud.configure({"budget": rich})
    _pay(cloud, photos)
    for number in range(photos):
        cloud.files.objects[_path(number)] = PHOTO
    guard_budget(cloud.deps)
    cloud.firestore.bill.reset()
    started = cloud.clock()
    request = StartBulk.model_validate({"requestId": "bulk-one", "prefix": "trip"})
    bulk_id = start_bulk(request, "ann", cloud.deps)["bulkId"]
    for number in range(0, photos, MISSING_EVERY):
        del cloud.files.objects[_path(number)]
    own = _totals(cloud)
    while True:
        if cloud.clock() - started > timedelta(days=5):
            raise RuntimeError("the bulk job has not ended after five days")
        cloud.openai.tick()
        before = _totals(cloud)
        ended = run_bulk(cloud.deps)["ended"]
        own = {name: own[name] + _totals(cloud)[name] - before[name] for name in own}
        if ended:
            break
        submit_batches(cloud.deps)
        poll_batches(cloud.deps)
        if cloud.clock().minute % 10 == 0:
            recover_jobs(cloud.deps)
        if cloud.clock().minute % 15 == 0:
            guard_budget(cloud.deps)
        cloud.clock.advance(CRON)
    totals = _totals(cloud)
    bulk = cloud.deps.store.get_bulk(bulk_id)
    if bulk is None:
        raise RuntimeError("the bulk job is gone")
    if (bulk.bulk.taken, bulk.bulk.done + bulk.bulk.failed) != (photos, photos):
        raise RuntimeError(f"of {photos} photos {bulk.bulk.taken} were taken on, {bulk.bulk.done} are done")
    return {
        "photos": photos,
        "failed": bulk.bulk.failed,
        "reads_per_photo": totals["reads"] / photos,
        "writes_per_photo": totals["writes"] / photos,
        "deletes_per_photo": totals["deletes"] / photos,
        "of_these_reads_by_start_and_run_bulk": own["reads"] / photos,
        "of_these_writes_by_start_and_run_bulk": own["writes"] / photos,
        "hours": round((cloud.clock() - started) / timedelta(hours=1), 2),
    }


def _path(number: int) -> str:
    return f"users/ann/uploads/trip-{number:05}.jpg"


def _pay(cloud: InProcessCloud, photos: int) -> None:
    """Give the user a token for each photo."""

    def given(wallet: Wallet | None, _device: object) -> tuple[Account, None]:
        return open_account(wallet, 0, cloud.clock()).post(photos, Reason.GRANT, "bench", cloud.clock()), None

    cloud.deps.store.post_entry("ann", "grant:bench", given)


def _totals(cloud: InProcessCloud) -> dict[str, int]:
    return dict(cloud.firestore.bill.snapshot()["totals"])
