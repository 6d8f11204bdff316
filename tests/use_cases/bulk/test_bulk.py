"""Bulk jobs from the request to the report: what their user gets, pays and gets back."""

import csv
from collections import Counter
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest

from functions.core.jobs.jobs import FINAL
from functions.core.shared.errors import (
    EcolaneError,
    ImageNotFound,
    InsufficientTokens,
    InvalidRequest,
    JobNotFound,
    KeyReused,
    NotYourImage,
    PriceChanged,
)
from functions.core.wallet.refusals import AccountBlocked
from functions.use_cases.bulk.cancel_bulk import CancelBulk, cancel_bulk
from functions.use_cases.bulk.get_bulk import GetBulk, get_bulk
from functions.use_cases.bulk.run_bulk import run_bulk
from functions.use_cases.bulk.start_bulk import StartBulk, start_bulk
from functions.use_cases.jobs.cancel_job import CancelJob, cancel_job
from functions.use_cases.jobs.quote import Quote, quote
from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.wallet.get_wallet import GetWallet, get_wallet
from scripts.inprocess import InProcessCloud
from tests.steps import BATCH_CRONS, PHOTO, classify, listed, register, statement, stored, wallet

RICH = {"tokens": {"welcome": 200}}


@pytest.fixture
def cloud() -> InProcessCloud:
    """A user begins with 200 tokens."""
    made = InProcessCloud(seed=1)
    made.configure(RICH)
    return made


def uploaded(cloud: InProcessCloud, count: int, prefix: str = "trip", user: str = "ann") -> list[str]:
    """Upload so many photos of a folder."""
    return [cloud.upload(user, f"{prefix}-{n:04}.jpg", PHOTO) for n in range(count)]


def start(cloud: InProcessCloud, key: str = "bulk-one", user: str = "ann", **more: Any) -> dict[str, Any]:
    """Start a bulk job of all photos of the folder, or of others."""
    which = {} if "images" in more else {"prefix": "trip"}
    return start_bulk(StartBulk.model_validate({"requestId": key, **which, **more}), user, cloud.deps)


def look(cloud: InProcessCloud, bulk_id: str, user: str = "ann") -> dict[str, Any]:
    """Ask how far a bulk job is."""
    return get_bulk(GetBulk(bulkId=bulk_id), user, cloud.deps)


def cancel(cloud: InProcessCloud, bulk_id: str, user: str = "ann") -> dict[str, Any]:
    """Cancel a bulk job."""
    return cancel_bulk(CancelBulk(bulkId=bulk_id), user, cloud.deps)


def tick(cloud: InProcessCloud, times: int = 1) -> None:
    """Let all crons run, every five minutes."""
    for _ in range(times):
        run_bulk(cloud.deps)
        for cron in BATCH_CRONS:
            cron(cloud.deps)
        cloud.clock.advance(timedelta(minutes=5))


def until_ended(cloud: InProcessCloud, bulk_id: str) -> dict[str, Any]:
    """Let the crons run until a bulk job has ended."""
    for _ in range(400):
        tick(cloud)
        if (found := look(cloud, bulk_id))["completedAt"]:
            return found
    raise AssertionError(f"never ended: {found}")


def report(cloud: InProcessCloud, bulk_id: str, user: str = "ann") -> list[dict[str, str]]:
    """Return the lines of a report."""
    return list(csv.DictReader(StringIO(cloud.files.objects[f"bulks/{user}/{bulk_id}/report.csv"].decode())))


def entries(cloud: InProcessCloud) -> list[tuple[str, int, int]]:
    """Return the ledger like a bank statement: what for, tokens, balance after."""
    return [(name.partition(":")[0], delta, after) for name, delta, after in statement(cloud)]


def jobs(cloud: InProcessCloud) -> list[dict[str, Any]]:
    """Return all jobs."""
    return list(listed(cloud, "aiJobs").values())


def test_a_folder_is_classified_at_one_price(cloud: InProcessCloud) -> None:
    """120 photos: one charge at the start, one job each, progress in one document, and a report in their order."""
    paths = uploaded(cloud, 120)
    began = start(cloud, maxTokens=120)
    assert (began["state"], began["count"], began["tokensCost"]) == ("taking", 120, 120)
    assert entries(cloud) == [("welcome", 200, 200), ("bulk", -120, 80)]
    ended = until_ended(cloud, began["bulkId"])
    assert (ended["state"], ended["taken"], ended["done"], ended["refunded"]) == ("done", 120, 120, 0)
    assert ended["reportUrl"].endswith(f"bulks/ann/{began['bulkId']}/report.csv")
    assert Counter(job["status"] for job in jobs(cloud)) == {"done": 120}
    lines = report(cloud, began["bulkId"])
    assert [line["photo"] for line in lines] == [path.rpartition("/")[2] for path in paths]
    assert {line["status"] for line in lines} == {"done"}
    assert all(line["item"] and line["jobId"] for line in lines)
    assert entries(cloud)[-1] == ("bulk", -120, 80)
    assert wallet(cloud)["points"] == 120 * 10
    assert wallet(cloud)["scans"] == 120


def test_a_list_of_photos_is_taken_in_its_order(cloud: InProcessCloud) -> None:
    """Any of one's own uploads, in the order of the request."""
    paths = [*reversed(uploaded(cloud, 3))]
    ended = until_ended(cloud, start(cloud, images=paths)["bulkId"])
    assert ended["done"] == 3
    assert [f"users/ann/uploads/{line['photo']}" for line in report(cloud, ended["bulkId"])] == paths


def test_a_bad_photo_costs_that_photo(cloud: InProcessCloud) -> None:
    """One that is gone and one that is none are failed at once, refunded, and said in the report; the others are
    done."""
    cloud.restart(prepare_photo=refusing_text)
    uploaded(cloud, 60)
    cloud.upload("ann", "trip-0007.jpg", b"text")
    bulk = start(cloud)
    del cloud.files.objects["users/ann/uploads/trip-0005.jpg"]
    ended = until_ended(cloud, bulk["bulkId"])
    assert (ended["state"], ended["done"], ended["failed"], ended["refunded"]) == ("done", 58, 2, 2)
    assert entries(cloud)[-1] == ("refund", 2, 142)
    bad = [line for line in report(cloud, bulk["bulkId"]) if line["status"] == "failed"]
    assert [(line["photo"], line["reason"]) for line in bad] == [
        ("trip-0005.jpg", "IMAGE_NOT_FOUND"),
        ("trip-0007.jpg", "INVALID_IMAGE"),
    ]
    assert wallet(cloud)["points"] == 58 * 10


def refusing_text(data: bytes, _rules: object) -> bytes:
    """Prepare a photo, unless it is text."""
    from functions.core.shared.errors import InvalidImage  # noqa: PLC0415
    from functions.core.shared.photos import PhotoProblem  # noqa: PLC0415

    if data == b"text":
        raise InvalidImage(PhotoProblem.DAMAGED, "This is no photo.")
    return data


def test_the_same_key_is_the_same_bulk_job(cloud: InProcessCloud) -> None:
    """Charged once; photos that are uploaded later are not in it, and do not make it another."""
    uploaded(cloud, 2)
    first = start(cloud)
    uploaded(cloud, 9)
    assert start(cloud) == first
    assert entries(cloud) == [("welcome", 200, 200), ("bulk", -2, 198)]
    others: list[dict[str, Any]] = [
        {"region": "DE"},
        {"anyTime": True},
        {"prefix": "tri"},
        {"images": ["users/ann/uploads/a.jpg"]},
    ]
    for other in others:
        with pytest.raises(KeyReused):
            start(cloud, **other)
    assert until_ended(cloud, first["bulkId"])["done"] == 2


def test_a_key_whose_bulk_job_is_kept_no_more_is_refused(cloud: InProcessCloud) -> None:
    """Its charge is in the ledger for good; it was an internal error each time."""
    uploaded(cloud, 2)
    first = start(cloud)
    cloud.client.document(f"bulkJobs/{first['bulkId']}").delete()
    with pytest.raises(KeyReused, match="not kept any more"):
        start(cloud)
    assert entries(cloud) == [("welcome", 200, 200), ("bulk", -2, 198)]


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"prefix": "nothing"}, ImageNotFound),
        ({"prefix": None, "images": ["users/bob/uploads/a.jpg"]}, NotYourImage),
        ({"prefix": None, "images": ["users/ann/uploads/a.jpg"] * 2}, InvalidRequest),
        ({"prefix": None}, InvalidRequest),
        ({"maxTokens": 2}, PriceChanged),
    ],
    ids=str,
)
def test_what_cannot_be_started_costs_nothing(
    cloud: InProcessCloud, request_: dict[str, Any], error: type[EcolaneError]
) -> None:
    """Refused before anything is stored."""
    uploaded(cloud, 3)
    with pytest.raises(error):
        start(cloud, **request_)
    assert not listed(cloud, "bulkJobs")
    assert not any(path.startswith("bulks/") for path in cloud.files.objects)


def test_both_a_list_and_a_prefix_are_refused(cloud: InProcessCloud) -> None:
    """Which one would count?"""
    paths = uploaded(cloud, 1)
    with pytest.raises(InvalidRequest):
        start_bulk(
            StartBulk.model_validate({"requestId": "bulk-one", "prefix": "t", "images": paths}), "ann", cloud.deps
        )


def test_more_photos_than_may_be_are_refused(cloud: InProcessCloud) -> None:
    """The operator's bound; none at all closes the function."""
    cloud.configure({**RICH, "bulk": {"photosMax": 2}})
    uploaded(cloud, 3)
    with pytest.raises(InvalidRequest, match="at most 2 photos"):
        start(cloud)


def test_too_few_tokens_for_all_photos_start_nothing(cloud: InProcessCloud) -> None:
    """The whole price is paid at the start, so a bulk job never stops for want of tokens."""
    uploaded(cloud, 201)
    with pytest.raises(InsufficientTokens) as refused:
        start(cloud)
    assert refused.value.details == {"balance": 200, "price": 201}
    assert not any(path.startswith("bulks/") for path in cloud.files.objects)


def test_a_blocked_user_starts_none_and_a_running_one_waits(cloud: InProcessCloud) -> None:
    """An operator takes no photos from them; what is not taken on in time comes back."""
    uploaded(cloud, 3)
    bulk = start(cloud)
    cloud.client.document("users/ann/wallet/main").update({"blockedAt": cloud.clock()})
    with pytest.raises(AccountBlocked):
        start(cloud, "bulk-two")
    tick(cloud)
    assert (look(cloud, bulk["bulkId"])["waiting"], jobs(cloud)) == ("blocked", [])
    cloud.clock.advance(timedelta(days=8))
    ended = until_ended(cloud, bulk["bulkId"])
    assert (ended["state"], ended["taken"], ended["refunded"]) == ("done", 0, 3)
    assert {line["status"] for line in report(cloud, bulk["bulkId"])} == {"not_taken"}
    assert wallet(cloud)["balance"] >= 200


def test_cancelling_gives_back_what_is_not_done(cloud: InProcessCloud) -> None:
    """What was never taken on at once; what is queued with the next run; what is at the provider goes on and counts."""
    cloud.configure({**RICH, "batch": {"jobsPerBatch": 30, "batchesPerRun": 2}})
    uploaded(cloud, 150)
    bulk = start(cloud)
    run_bulk(cloud.deps)  # 60 are queued
    BATCH_CRONS[0](cloud.deps)  # and sent
    cloud.clock.advance(timedelta(minutes=5))
    run_bulk(cloud.deps)  # 60 more are queued
    told = cancel(cloud, bulk["bulkId"])
    assert (told["state"], told["taken"], told["refunded"]) == ("cancelling", 120, 30)
    ended = until_ended(cloud, bulk["bulkId"])
    assert (ended["state"], ended["done"], ended["cancelled"]) == ("cancelled", 60, 60)
    assert ended["refunded"] == 90
    assert [entry for entry in entries(cloud) if entry[0] == "refund"] == [("refund", 30, 80), ("refund", 60, 140)]
    assert Counter(line["status"] for line in report(cloud, bulk["bulkId"])) == {
        "done": 60,
        "cancelled": 60,
        "not_taken": 30,
    }
    assert cancel(cloud, bulk["bulkId"])["state"] == "cancelled"
    assert wallet(cloud)["points"] == 600


def test_another_users_bulk_job_is_none(cloud: InProcessCloud) -> None:
    """Neither shown nor cancelled."""
    uploaded(cloud, 1)
    bulk_id = start(cloud)["bulkId"]
    for call in (look, cancel):
        with pytest.raises(JobNotFound):
            call(cloud, bulk_id, "bob")
    assert look(cloud, bulk_id)["state"] == "taking"


def test_bulk_jobs_leave_the_queue_to_others(cloud: InProcessCloud) -> None:
    """They fill it to what one run of the submitter takes, so whoever comes later goes with the same run."""
    cloud.configure({**RICH, "batch": {"jobsPerBatch": 20, "batchesPerRun": 2}})
    uploaded(cloud, 100)
    bulk = start(cloud)
    run_bulk(cloud.deps)
    assert len(jobs(cloud)) == 40
    assert look(cloud, bulk["bulkId"])["waiting"] == "queue"
    classify(cloud, "single", "batch", "bob")
    tick(cloud, 2)
    (single,) = [job for job in jobs(cloud) if job["uid"] == "bob"]
    assert single["status"] != "queued"


def test_two_users_bulk_jobs_go_in_turn(cloud: InProcessCloud) -> None:
    """A page each: nobody waits for all of another's photos."""
    cloud.configure({**RICH, "batch": {"jobsPerBatch": 100, "batchesPerRun": 1}})
    for user in ("ann", "bob"):
        uploaded(cloud, 150, user=user)
        start(cloud, user=user)
    run_bulk(cloud.deps)
    assert Counter(job["uid"] for job in jobs(cloud)) == {"ann": 50, "bob": 50}


def test_a_users_day_costs_no_more_than_it_may(cloud: InProcessCloud) -> None:
    """The rest is taken on as answers turn out to cost less than was held for them, or the next day."""
    cloud.configure({**RICH, "budget": {"perUserDailyMicros": 20_000}})
    uploaded(cloud, 80)
    bulk = start(cloud)
    tick(cloud)
    found = look(cloud, bulk["bulkId"])
    assert found["waiting"] == "limit"
    assert 0 < found["taken"] < 80
    assert until_ended(cloud, bulk["bulkId"])["done"] == 80


def test_places_of_a_day_are_not_used_up(cloud: InProcessCloud) -> None:
    """A plan's photos of a day are for single ones; cancelling one of a bulk job brings none back either."""
    cloud.configure(RICH)
    uploaded(cloud, 110)
    start(cloud)
    run_bulk(cloud.deps)
    assert wallet(cloud)["today"]["batch"] == 0
    classify(cloud, "single", "batch")
    one = next(name for name, job in listed(cloud, "aiJobs").items() if job["bulkId"])
    cancel_job(CancelJob(jobId=one), "ann", cloud.deps)
    assert wallet(cloud)["today"]["batch"] == 1


def test_a_closed_budget_takes_nothing_on(cloud: InProcessCloud) -> None:
    """Photos wait where they cost nothing, and their jobs do not grow old."""
    until = cloud.clock() + timedelta(hours=2)
    cloud.configure({**RICH, "budget": {"overrideMode": "closed", "overrideUntil": until}})
    uploaded(cloud, 3)
    bulk = start(cloud)
    tick(cloud)
    assert (look(cloud, bulk["bulkId"])["waiting"], jobs(cloud)) == ("budget", [])
    assert until_ended(cloud, bulk["bulkId"])["done"] == 3


def test_any_time_fills_what_the_day_leaves_at_its_own_price(cloud: InProcessCloud) -> None:
    """Half of the queue's room, and of the money what has passed of the day; no more until the guard has seen that. The
    price is the config's, to the token."""
    cloud.configure({**RICH, "batch": {"jobsPerBatch": 20, "batchesPerRun": 2}, "bulk": {"anyTimePercent": 50}})
    guard_budget(cloud.deps)
    uploaded(cloud, 51)
    bulk = start(cloud, anyTime=True)
    assert (bulk["tokensCost"], bulk["anyTime"]) == (26, True)
    run_bulk(cloud.deps)
    assert (len(jobs(cloud)), look(cloud, bulk["bulkId"])["waiting"]) == (20, "queue")
    cloud.clock.advance(timedelta(minutes=5))
    run_bulk(cloud.deps)
    assert len(jobs(cloud)) == 20
    for _ in range(40):
        guard_budget(cloud.deps)
        tick(cloud, 3)
    assert look(cloud, bulk["bulkId"])["done"] == 51
    assert sum(job["tokensCost"] for job in jobs(cloud)) == 26


def test_any_time_waits_while_the_day_is_used_up(cloud: InProcessCloud) -> None:
    """At noon half of what it may fill; a budget that leaves none leaves its photos where they cost nothing."""
    cloud.configure({**RICH, "budget": {"dailyLimitMicros": 20_000}, "bulk": {"fillPercent": 10}})
    guard_budget(cloud.deps)
    uploaded(cloud, 30)
    bulk = start(cloud, anyTime=True)
    run_bulk(cloud.deps)
    assert 0 < look(cloud, bulk["bulkId"])["taken"] < 30


def test_whoever_leaves_has_no_bulk_job_any_more(cloud: InProcessCloud) -> None:
    """It ends without another photo, and nothing is given to anybody."""
    from functions.use_cases.privacy.delete_account import DeleteAccount, delete_account  # noqa: PLC0415
    from functions.use_cases.privacy.erase_accounts import erase_accounts  # noqa: PLC0415

    uploaded(cloud, 70)
    bulk = start(cloud)
    delete_account(DeleteAccount(confirm="DELETE"), "ann", cloud.deps)
    tick(cloud, 2)
    assert (stored(cloud, f"bulkJobs/{bulk['bulkId']}")["state"], jobs(cloud)) == ("cancelled", [])
    cloud.clock.advance(timedelta(hours=3))
    for _ in range(3):
        erase_accounts(cloud.deps)
        cloud.clock.advance(timedelta(hours=1))
    assert not listed(cloud, "bulkJobs")
    assert not [path for path in cloud.files.objects if "ann" in path]


def test_jobs_all_end(cloud: InProcessCloud) -> None:
    """With a provider that fails half of the lines, every photo has one outcome and every token its place."""
    cloud.openai.faults.add(kind="cut_answer", endpoint="*", count=7)
    uploaded(cloud, 40)
    ended = until_ended(cloud, start(cloud)["bulkId"])
    assert ended["done"] + ended["failed"] == 40
    assert all(job["status"] in FINAL for job in jobs(cloud))
    kept = sum(job["tokensCost"] for job in jobs(cloud) if job["status"] == "done" or job["chargeStands"])
    assert (
        200
        - wallet(cloud)["balance"]
        + sum(entry["delta"] for entry in listed(cloud, "users/ann/ledger").values() if entry["reason"] == "refresh")
        == kept
    )
    get_wallet(GetWallet(), "ann", cloud.deps)


def test_what_is_refunded_comes_off_the_month_that_it_was_charged_in(cloud: InProcessCloud) -> None:
    """Not the one in which its photos were taken on: there it would make room for photos beyond the plan's month."""
    uploaded(cloud, 3)
    begun = cloud.clock().month
    while (cloud.clock() + timedelta(hours=6)).month == begun:
        cloud.clock.advance(timedelta(hours=6))
    start(cloud)
    assert wallet(cloud)["months"][0]["batch"] == 3
    cloud.clock.advance(timedelta(hours=6))
    single = classify(cloud, "single", "batch")
    run_bulk(cloud.deps)
    queued = [job_id for job_id, job in listed(cloud, "aiJobs").items() if job["bulkId"]]
    for job_id in queued:
        cancel_job(CancelJob(jobId=job_id), "ann", cloud.deps)
    assert [month["batch"] for month in wallet(cloud)["months"]] == [1, 3]
    cancel_job(CancelJob(jobId=single["jobId"]), "ann", cloud.deps)
    assert [month["batch"] for month in wallet(cloud)["months"]] == [0, 3]


def test_a_push_says_that_a_bulk_job_is_done(cloud: InProcessCloud) -> None:
    """Once, and none for each photo; one that was cancelled brings none."""
    register(cloud, "ann", "anns-token")
    uploaded(cloud, 3)
    bulk, cancelled = start(cloud), start(cloud, "bulk-two", images=["users/ann/uploads/trip-0001.jpg"])
    cancel(cloud, cancelled["bulkId"])
    for each in (cancelled, bulk):
        until_ended(cloud, each["bulkId"])
    tick(cloud, 3)
    (news,) = cloud.messaging.sent
    assert (news.uid, news.push_tokens, news.bulk_id) == ("ann", ("anns-token",), bulk["bulkId"])
    assert (news.done, news.failed) == (3, 0)


def test_a_push_that_fails_keeps_no_bulk_job_from_its_end(
    cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report is there all the same."""

    def down(_news: object) -> None:
        raise ConnectionError("messaging is not to be reached")

    register(cloud, "ann", "anns-token")
    uploaded(cloud, 1)
    monkeypatch.setattr(cloud.messaging, "send", down)
    assert until_ended(cloud, start(cloud)["bulkId"])["state"] == "done"


@pytest.mark.parametrize(("any_time", "price"), [(False, 51), (True, 26)])
def test_a_quote_says_what_a_bulk_job_will_cost(cloud: InProcessCloud, any_time: bool, price: int) -> None:
    """To the token, and nothing is charged or stored for it."""
    cloud.configure({**RICH, "bulk": {"anyTimePercent": 50, "photosMax": 60}})
    uploaded(cloud, 51)
    assert quote(Quote(), "ann", cloud.deps)["bulk"] is None  # and the settings are read
    before = cloud.firestore.bill.snapshot()["totals"]
    offer = quote(Quote(photos=51), "ann", cloud.deps)["bulk"]
    bill = cloud.firestore.bill.snapshot()["totals"]
    assert offer == {"photos": 51, "price": 51, "anyTimePrice": 26, "photosMax": 60}
    assert (bill["reads"] - before["reads"], bill["writes"] - before["writes"]) == (1, 0)
    assert start(cloud, anyTime=any_time, maxTokens=price)["tokensCost"] == price
    with pytest.raises(PriceChanged):
        start(cloud, "bulk-two", anyTime=any_time, maxTokens=price - 1)


def test_nobody_gets_achievements_by_photos_that_are_cancelled(cloud: InProcessCloud) -> None:
    """Neither one by one, again and again, nor thousands in bulk that are cancelled before anything is done."""
    rules = [{"name": f"scans_{count}", "counter": "scans", "atLeast": count, "tokens": 5} for count in (3, 50)]
    cloud.configure({**RICH, "achievements": {"open": True, "rules": rules}})
    for number in range(4):
        job = classify(cloud, f"again-{number}", "batch")
        cancel_job(CancelJob(jobId=job["jobId"]), "ann", cloud.deps)
    uploaded(cloud, 60)
    cancel(cloud, start(cloud)["bulkId"])
    classify(cloud, "kept", "batch")
    assert (wallet(cloud)["scans"], wallet(cloud)["achieved"], wallet(cloud)["balance"]) == (1, [], 199)
    until_ended(cloud, start(cloud, "bulk-two")["bulkId"])
    assert (wallet(cloud)["scans"], wallet(cloud)["achieved"]) == (61, ["scans_3", "scans_50"])
