"""What users do with their jobs: many at once, lists, upgrades, cancellations. Called as the app calls them."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from localcloud.callables import CallableError
from tests.app import App
from tests.conftest import Configure

WELCOME = ("welcome", 10, 10)


def images(app: App, count: int) -> list[dict[str, str]]:
    """Upload photos and return them as `classify_images` takes them."""
    return [{"requestId": uuid.uuid4().hex, "imagePath": app.upload()} for _ in range(count)]


def test_many_photos_in_one_call(app: App) -> None:
    """Several photos are queued together, each with its job and its charge."""
    wanted = images(app, 4)
    answer = app.call("classify_images", images=wanted)
    assert [result["requestId"] for result in answer["results"]] == [image["requestId"] for image in wanted]
    assert all(result["job"]["status"] == "queued" for result in answer["results"])
    assert answer["balance"] == 6
    assert app.statement() == [WELCOME, *[("charge", -1, 10 - n) for n in range(1, 5)]]
    jobs = app.until_final(*[result["job"]["jobId"] for result in answer["results"]])
    assert {job["status"] for job in jobs} == {"done"}


def test_one_bad_photo_does_not_keep_the_others_back(app: App, other_app: App) -> None:
    """Each photo that cannot be taken has an error of its own; the rest are queued and charged."""
    good, text, foreign, nothing = images(app, 4)
    text["imagePath"] = app.upload(b"just some text")
    foreign["imagePath"] = other_app.upload()
    nothing["imagePath"] = f"users/{app.user.uid}/uploads/nothing.jpg"
    results = app.call("classify_images", images=[text, good, foreign, nothing])["results"]
    reasons = [result.get("error", {}).get("reason") for result in results]
    assert reasons == ["INVALID_IMAGE", None, "NOT_YOUR_IMAGE", "IMAGE_NOT_FOUND"]
    assert results[0]["error"]["problem"] == "notAnImage"
    assert app.statement() == [WELCOME, ("charge", -1, 9)]


def test_a_repeated_call_with_more_photos_charges_the_new_ones(app: App) -> None:
    """Keys that were used before are answered again; only the new photos are charged."""
    wanted = images(app, 3)
    first = app.call("classify_images", images=wanted[:2])
    again = app.call("classify_images", images=wanted)
    assert again["results"][:2] == first["results"]
    assert again["balance"] == 7
    assert app.call("classify_images", images=wanted)["balance"] is None
    assert len(app.statement()) == 4


def test_the_same_call_four_times_at_once(app: App) -> None:
    """Concurrent repetitions of one call with several photos charge each photo once."""
    wanted = images(app, 3)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: app.call("classify_images", images=wanted), range(4)))
    assert len({result["job"]["jobId"] for answer in answers for result in answer["results"]}) == 3
    assert app.statement() == [WELCOME, ("charge", -1, 9), ("charge", -1, 8), ("charge", -1, 7)]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ([], "images"),
        ([{"requestId": "a-good-key", "imagePath": "a"}] * 2, "images"),
        ([{"requestId": f"a-good-key-{n}", "imagePath": "a"} for n in range(51)], "images"),
        ([{"requestId": "short", "imagePath": "a"}], "images.0.requestId"),
        ([{"requestId": "a-good-key"}], "images.0.imagePath"),
        ("a", "images"),
    ],
)
def test_a_wrong_list_of_photos(app: App, wrong: object, field: str) -> None:
    """An empty, doubled, too long or malformed list is refused by name."""
    assert app.refused("classify_images", images=wrong).details == {"reason": "INVALID_REQUEST", "field": field}
    assert app.stored_documents() == 0


def test_the_jobs_in_pages(app: App, other_app: App) -> None:
    """One's own jobs come newest first in pages, each once, and nobody else's."""
    ids = [app.classify()["jobId"] for _ in range(5)]
    other_app.classify()
    listed, cursor = [], None
    for _ in range(4):
        page = app.call("list_jobs", limit=2, **({"cursor": cursor} if cursor else {}))
        listed += [job["jobId"] for job in page["jobs"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert listed == ids[::-1]


def test_only_the_fields_asked_for(app: App) -> None:
    """A list carries the fields that the app asks for, and no others."""
    app.classify()
    (job,) = app.call("list_jobs", fields=["status", "tokensCost"])["jobs"]
    assert set(job) == {"jobId", "status", "tokensCost"}
    assert app.refused("list_jobs", fields=["uid"]).details["reason"] == "INVALID_REQUEST"


@pytest.mark.parametrize("cursor", ["", "x", "1-2", "-1-" + "0" * 32, 5])
def test_a_malformed_cursor(app: App, cursor: object) -> None:
    """A cursor that we did not give is refused by name."""
    assert app.refused("list_jobs", cursor=cursor).details == {"reason": "INVALID_REQUEST", "field": "cursor"}


def test_a_queued_job_is_cancelled_and_refunded(app: App) -> None:
    """Cancelling gives the price back once, and the job never reaches the provider."""
    job_id = app.classify()["jobId"]
    assert app.call("cancel_job", jobId=job_id)["status"] == "cancelled"
    assert app.call("cancel_job", jobId=job_id)["status"] == "cancelled"
    app.cloud.advance(timedelta(minutes=40))
    job = app.job(job_id)
    assert (job["status"], job["result"], job["attempts"]) == ("cancelled", None, 0)
    assert app.statement() == [WELCOME, ("charge", -1, 9), ("refund", 1, 10)]


def test_what_has_left_the_queue_is_not_cancelled(app: App, other_app: App) -> None:
    """A finished job cannot be cancelled, and somebody else's does not exist."""
    job_id = app.classify(mode="instant")["jobId"]
    error = app.refused("cancel_job", jobId=job_id)
    assert (error.code, error.details) == ("failed-precondition", {"reason": "JOB_NOT_CANCELLABLE", "status": "done"})
    assert other_app.refused("cancel_job", jobId=job_id).details == {"reason": "JOB_NOT_FOUND"}
    assert app.refused("cancel_job", jobId="0" * 32).details == {"reason": "JOB_NOT_FOUND"}


def test_an_upgrade_costs_the_difference_and_answers_at_once(app: App) -> None:
    """A queued photo becomes an instant one for four more tokens, once."""
    job_id = app.classify()["jobId"]
    job = app.call("upgrade_job", jobId=job_id)
    assert (job["status"], job["mode"], job["requestedMode"], job["tokensCost"]) == ("done", "instant", "batch", 5)
    assert app.call("upgrade_job", jobId=job_id) == job
    assert app.statement() == [WELCOME, ("charge", -1, 9), ("upgrade", -4, 5)]


def test_a_repeated_upgrade_is_answered_when_it_could_not_be_had_any_more(app: App, configure: Configure) -> None:
    """Whoever lost the answer gets it, though the photo is gone and the lane is closed by then."""
    path = app.upload()
    job_id = app.classify(path)["jobId"]
    job = app.call("upgrade_job", jobId=job_id)
    app.cloud.storage_client().bucket(app.cloud.bucket).blob(path).delete()
    assert app.call("upgrade_job", jobId=job_id) == job
    configure({"instant": {"open": False}})
    assert app.call("upgrade_job", jobId=job_id) == job


def test_an_upgrade_that_fails_gives_everything_back(app: App) -> None:
    """When the provider is down, price and difference come back together."""
    job_id = app.classify()["jobId"]
    assert app.cloud.openai is not None
    app.cloud.openai.faults.add(kind="server_error", endpoint="POST /v1/chat/completions")
    error = app.refused("upgrade_job", jobId=job_id)
    assert (error.status, error.details["reason"]) == (503, "PROVIDER_UNAVAILABLE")
    assert app.statement() == [WELCOME, ("charge", -1, 9), ("upgrade", -4, 5), ("refund", 5, 10)]


def test_an_upgrade_that_cannot_be(app: App, other_app: App, configure: Configure) -> None:
    """Not enough tokens, a higher price than agreed, a finished job, a closed lane, somebody else's job."""
    job_id = app.classify()["jobId"]
    assert app.refused("upgrade_job", jobId=job_id, maxTokens=3).details["reason"] == "PRICE_CHANGED"
    assert other_app.refused("upgrade_job", jobId=job_id).details == {"reason": "JOB_NOT_FOUND"}
    configure({"instant": {"open": False}})
    assert app.refused("upgrade_job", jobId=job_id).details == {"reason": "INSTANT_CLOSED"}
    configure({})
    app.classify(mode="instant")
    app.classify()
    error = app.refused("upgrade_job", jobId=job_id)
    assert error.details == {"reason": "INSUFFICIENT_TOKENS", "balance": 3, "price": 4}
    assert app.job(job_id)["status"] == "queued"
    app.until_final(job_id)
    error = app.refused("upgrade_job", jobId=job_id)
    assert error.details == {"reason": "JOB_NOT_UPGRADABLE", "status": "done"}


@pytest.mark.parametrize("attempt", range(3))
def test_cancel_upgrade_and_submit_at_once(app: App, attempt: int) -> None:
    """Whoever wins the race, the job has one outcome and the tokens are where they belong."""
    del attempt  # chance decides who wins: more tries see more of it
    job_id = app.classify()["jobId"]

    def run(name: str) -> None:
        if name == "submit_batches":
            assert app.cloud.cron.fire(name).ok
            return
        try:
            app.call(name, jobId=job_id)
        except CallableError as error:
            assert error.details["reason"] in {"JOB_NOT_CANCELLABLE", "JOB_NOT_UPGRADABLE"}  # noqa: PT017

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, ["submit_batches", "cancel_job", "upgrade_job"]))
    (job,) = app.until_final(job_id)
    paid = -sum(delta for reason, delta, _ in app.statement() if reason != "welcome")
    assert paid == {"done": job["tokensCost"], "cancelled": 0}[job["status"]]
