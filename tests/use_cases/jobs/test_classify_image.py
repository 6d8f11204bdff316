"""`classify_image`, `get_job` and `get_wallet`, called as the app calls them."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from functions.core.model.classification import Category, Classification
from localcloud.callables import CallableError
from tests.app import App, photo
from tests.conftest import Configure
from tests.photo_files import INTERLACED_AND_CUT_OFF, encoded

WELCOME = [("welcome", 10, 10)]


def test_instant_gives_the_result_at_once(app: App) -> None:
    """An instant photo is answered in one call, with a full result, for five tokens."""
    job = app.classify(mode="instant", region="Bengaluru", language="en-IN")
    result = Classification.model_validate(job["result"])
    assert (job["status"], job["tokensCost"], job["balance"]) == ("done", 5, 5)
    assert result.category in set(Category)
    assert (result.region, result.language, result.model) == ("Bengaluru", "en-IN", "gpt-6-luna")
    assert result.classified_at.endswith("Z")
    assert app.statement() == [*WELCOME, ("charge", -5, 5)]


def test_the_result_is_stored_with_its_cost(app: App) -> None:
    """The stored job is done together with its result, usage and cost in micro-dollars."""
    job = app.classify(mode="instant")
    stored = app.stored_job(job["jobId"])
    assert stored["status"] == "done"
    assert stored["result"] == job["result"]
    assert 0 < stored["costMicros"] < 1_000
    assert stored["usage"]["inputTokens"] > 0 < stored["usage"]["outputTokens"]
    assert (stored["expireAt"] - stored["createdAt"]).days == 90


def test_batch_is_queued_for_one_token(app: App) -> None:
    """A batch photo is charged and queued, and says when to expect the answer."""
    job = app.classify(mode="batch")
    assert (job["status"], job["tokensCost"], job["balance"], job["result"]) == ("queued", 1, 9, None)
    assert job["estimatedCompletion"] > job["createdAt"]
    assert app.job(job["jobId"])["status"] == "queued"


def test_the_first_look_at_the_wallet_opens_it(app: App) -> None:
    """A new user finds ten welcome tokens, once, however often they look."""
    wallet = app.call("get_wallet")
    assert (wallet["balance"], wallet["totalEarned"], wallet["totalSpent"]) == (10, 10, 0)
    assert [entry["reason"] for entry in wallet["recent"]] == ["welcome"]
    assert app.call("get_wallet") == wallet
    assert app.statement() == WELCOME


def test_the_wallet_opens_once_for_many_at_once(app: App) -> None:
    """Eight first calls at the same moment bring the welcome tokens once."""
    with ThreadPoolExecutor(8) as pool:
        balances = list(pool.map(lambda _: app.call("get_wallet")["balance"], range(8)))
    assert balances == [10] * 8
    assert app.statement() == WELCOME


def test_a_repeated_request_is_answered_again_and_not_charged(app: App) -> None:
    """The same key with the same payload gets the same job, and costs nothing, even when photo and tokens are gone."""
    path = app.upload()
    first = app.classify(path, "instant", "the-same-key")
    app.classify(mode="instant")
    app.cloud.storage_client().bucket(app.cloud.bucket).blob(path).delete()
    again = app.classify(path, "instant", "the-same-key")
    assert (again["jobId"], again["result"]) == (first["jobId"], first["result"])
    assert app.statement() == [*WELCOME, ("charge", -5, 5), ("charge", -5, 0)]


def test_the_same_request_eight_times_at_once_is_one_job(app: App) -> None:
    """Eight concurrent calls with one key make one job and one charge."""
    path = app.upload()
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda _: app.classify(path, "batch", "one-key-only"), range(8)))
    assert len({job["jobId"] for job in jobs}) == 1
    assert app.statement() == [*WELCOME, ("charge", -1, 9)]


def test_the_last_tokens_are_spent_once(app: App) -> None:
    """Eight different photos at once, with tokens for two, make two jobs and six refusals."""
    paths = [app.upload() for _ in range(8)]

    def outcome(path: str) -> str:
        try:
            return str(app.classify(path, "instant")["status"])
        except CallableError as error:
            return str(error.details["reason"])

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(outcome, paths))
    assert outcomes == ["INSUFFICIENT_TOKENS"] * 6 + ["done"] * 2
    assert app.statement() == [*WELCOME, ("charge", -5, 5), ("charge", -5, 0)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"imagePath": "another"}, "imagePath"),
        ({"mode": "batch"}, "mode"),
        ({"region": "Oslo"}, "region"),
        ({"language": "nb"}, "language"),
    ],
)
def test_a_key_belongs_to_its_payload(app: App, change: dict[str, str], field: str) -> None:
    """A key that comes back with another payload is refused, and the field that differs is named."""
    request = {"requestId": uuid.uuid4().hex, "imagePath": app.upload(), "mode": "instant"}
    app.call("classify_image", **request)
    if "imagePath" in change:
        change = {"imagePath": app.upload()}
    error = app.refused("classify_image", **(request | change))
    assert (error.code, error.details) == ("already-exists", {"reason": "KEY_REUSED", "field": field})
    assert app.statement() == [*WELCOME, ("charge", -5, 5)]


def test_a_key_stands_for_what_was_sent_and_not_for_the_defaults_of_the_moment(app: App, configure: Configure) -> None:
    """A call that leaves region and language out is repeated as it was, though the operator has set others since."""
    path = app.upload()
    first = app.classify(path, "batch", "left-to-the-default")
    configure({"defaultRegion": "Oslo", "defaultLanguage": "nb"})
    assert app.classify(path, "batch", "left-to-the-default")["jobId"] == first["jobId"]
    assert app.statement() == [*WELCOME, ("charge", -1, 9)]


def test_not_enough_tokens(app: App) -> None:
    """A charge that the balance does not cover is refused, with both numbers."""
    app.classify(mode="instant")
    app.classify(mode="batch")
    error = app.refused("classify_image", requestId="too-expensive", imagePath=app.upload(), mode="instant")
    assert error.code == "failed-precondition"
    assert error.details == {"reason": "INSUFFICIENT_TOKENS", "balance": 4, "price": 5}
    assert app.statement() == [*WELCOME, ("charge", -5, 5), ("charge", -1, 4)]


def test_a_job_is_its_owners_alone(app: App, other_app: App) -> None:
    """Another user's job, and one that does not exist, look the same."""
    job = app.classify()
    for job_id in (job["jobId"], "0" * 32):
        error = other_app.refused("get_job", jobId=job_id)
        assert (error.status, error.details) == (404, {"reason": "JOB_NOT_FOUND"})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"mode": "express"}, "mode"),
        ({"mode": None}, "mode"),
        ({"mode": 1}, "mode"),
        ({"requestId": "short"}, "requestId"),
        ({"requestId": "with space!"}, "requestId"),
        ({"requestId": 12345678}, "requestId"),
        ({"imagePath": ""}, "imagePath"),
        ({"imagePath": None}, "imagePath"),
        ({"imagePath": ["a"]}, "imagePath"),
        ({"imagePath": "x" * 513}, "imagePath"),
        ({"language": "english please"}, "language"),
        ({"region": "<script>"}, "region"),
        ({"tokensCost": 0}, "tokensCost"),
        ({"uid": "somebody-else"}, "uid"),
    ],
)
def test_a_wrong_field_is_named(app: App, change: dict[str, object], field: str) -> None:
    """Every field that is missing, wrong or unknown is refused by name; nothing is charged and nothing stored."""
    request = {
        "requestId": "a-good-key",
        "imagePath": f"users/{app.user.uid}/uploads/a.jpg",
        "mode": "instant",
    } | change
    error = app.refused("classify_image", **request)
    assert (error.code, error.details) == ("invalid-argument", {"reason": "INVALID_REQUEST", "field": field})
    assert app.stored_documents() == 0


@pytest.mark.parametrize("missing", ["requestId", "imagePath", "mode"])
def test_a_missing_field_is_named(app: App, missing: str) -> None:
    """A request without one of its fields says which."""
    request = {"requestId": "a-good-key", "imagePath": f"users/{app.user.uid}/uploads/a.jpg", "mode": "batch"}
    del request[missing]
    assert app.refused("classify_image", **request).details == {"reason": "INVALID_REQUEST", "field": missing}


@pytest.mark.parametrize(
    "path",
    [
        "users/{other}/uploads/photo.jpg",
        "users/{me}/uploads/../../{other}/uploads/photo.jpg",
        "users/{me}/uploads/..",
        "users/{me}/uploads/deeper/photo.jpg",
        "users/{me}/uploads/",
        "users/{me}/photo.jpg",
        "/users/{me}/uploads/photo.jpg",
        "gs://another-bucket/users/{me}/uploads/photo.jpg",
        "https://example.com/users/{me}/uploads/photo.jpg",
        "x/users/{me}/uploads/photo.jpg",
        "users/{me}/uploads/a\\b.jpg",
        "users/{me}/uploads/a\nb.jpg",
    ],
)
def test_only_ones_own_uploads_are_taken(app: App, other_app: App, path: str) -> None:
    """A path outside the caller's own folder is refused before anything is read, charged or stored."""
    other_app.upload(name="photo.jpg")
    path = path.format(me=app.user.uid, other=other_app.user.uid)
    error = app.refused("classify_image", requestId="a-good-key", imagePath=path, mode="instant")
    assert (error.status, error.details) == (403, {"reason": "NOT_YOUR_IMAGE"})
    assert app.stored_documents() == 0


def _bomb() -> bytes:
    """A PNG of a few kilobytes whose header promises more pixels than are taken."""
    out = BytesIO()
    Image.new("1", (12_000, 12_000)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(b"", "empty", id="empty file"),
        pytest.param(b"just some text\n" * 50, "notAnImage", id="text named .jpg"),
        pytest.param(photo() + b"\0" * (10 * 1024 * 1024), "tooLarge", id="more than 10 MB"),
        pytest.param(_bomb(), "tooLarge", id="decompression bomb"),
        pytest.param(photo()[:2_000], "cutOff", id="truncated JPEG"),
        pytest.param(b"\xff\xd8\xff\xe0" + b"\0" * 100, "damaged", id="JPEG header only"),
        pytest.param(INTERLACED_AND_CUT_OFF, "cutOff", id="an interlaced PNG that is cut off"),
        pytest.param(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "heic", id="HEIC named .jpg"),
        pytest.param(encoded(Image.new("RGB", (1_080, 20_000)), "JPEG"), "tooLong", id="a scrolled screen"),
    ],
)
@pytest.mark.parametrize("mode", ["instant", "batch"])
def test_a_file_that_is_no_photo_costs_nothing(app: App, data: bytes, problem: str, mode: str) -> None:
    """What cannot be classified is refused in both lanes with its reason; nothing is charged and nothing stored."""
    path = app.upload(data)
    error = app.refused("classify_image", requestId="a-good-key", imagePath=path, mode=mode)
    assert (error.status, error.details) == (400, {"reason": "INVALID_IMAGE", "problem": problem})
    assert app.stored_documents() == 0


def test_a_photo_that_was_not_uploaded(app: App) -> None:
    """A path with nothing at it is refused; nothing is charged and nothing stored."""
    path = f"users/{app.user.uid}/uploads/nothing.jpg"
    error = app.refused("classify_image", requestId="a-good-key", imagePath=path, mode="batch")
    assert (error.status, error.details) == (404, {"reason": "IMAGE_NOT_FOUND"})
    assert app.stored_documents() == 0


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "connection_reset"}, id="connection reset"),
        pytest.param({"kind": "server_error"}, id="500"),
        pytest.param({"kind": "unavailable"}, id="503"),
        pytest.param({"kind": "bad_gateway"}, id="502 with HTML"),
        pytest.param({"kind": "malformed_json"}, id="malformed JSON"),
        pytest.param({"kind": "reply_lost"}, id="reply lost"),
        pytest.param({"kind": "refused", "status": 404, "code": "model_not_found"}, id="no such model"),
        pytest.param(
            {"kind": "refused", "status": 400, "code": "unsupported_value"}, id="a value that it does not take"
        ),
        pytest.param({"kind": "refused", "status": 400, "code": "unsupported_parameter"}, id="a parameter likewise"),
        pytest.param({"kind": "refused", "status": 400}, id="an invalid schema"),
        pytest.param({"kind": "refused", "status": 405}, id="a wrong method"),
        pytest.param({"kind": "refused", "status": 400, "code": "billing_hard_limit_reached"}, id="the account"),
        pytest.param({"kind": "refused", "status": 401, "code": "invalid_api_key"}, id="the key"),
        pytest.param({"kind": "error_in_success", "status": 502}, id="an error with status 200"),
        pytest.param({"kind": "cut_answer"}, id="cut answer"),
        pytest.param({"kind": "empty_choices"}, id="empty choices"),
        pytest.param({"kind": "answer_text", "text": "I think it is a bottle."}, id="no JSON"),
        pytest.param({"kind": "answer_text", "text": "{}"}, id="no fields"),
    ],
)
def test_a_provider_that_fails_costs_nothing(app: App, fault: dict[str, Any]) -> None:
    """When the provider fails or answers uselessly, the app gets a 503 with retryAfter, and the charge is back."""
    assert app.cloud.openai is not None
    app.cloud.openai.faults.add(endpoint="POST /v1/chat/completions", **fault)
    error = app.refused("classify_image", requestId="a-good-key", imagePath=app.upload(), mode="instant")
    assert (error.status, error.code, error.details["reason"]) == (503, "unavailable", "PROVIDER_UNAVAILABLE")
    assert error.details["retryAfter"] == 30
    assert app.statement() == [*WELCOME, ("charge", -5, 5), ("refund", 5, 10)]
    job = app.job(error.details["jobId"])
    assert (job["status"], job["result"]) == ("failed", None)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "refusal"}, id="by the model"),
        pytest.param({"kind": "refused", "status": 400, "code": "image_content_policy_violation"}, id="by the rules"),
    ],
)
def test_a_photo_that_is_refused_is_told_so(app: App, fault: dict[str, Any]) -> None:
    """Trying again is refused again: the app says so, and the charge is back."""
    assert app.cloud.openai is not None
    app.cloud.openai.faults.add(endpoint="POST /v1/chat/completions", **fault)
    error = app.refused("classify_image", requestId="a-good-key", imagePath=app.upload(), mode="instant")
    assert (error.status, error.code, error.details["reason"]) == (400, "invalid-argument", "PHOTO_REFUSED")
    assert app.statement() == [*WELCOME, ("charge", -5, 5), ("refund", 5, 10)]
    assert app.job(error.details["jobId"])["error"]["code"] == "PROVIDER_REJECTED"


def test_a_photo_that_the_provider_cannot_read_is_told_so(app: App) -> None:
    """In words about the photo, and only in these: choose another one."""
    assert app.cloud.openai is not None
    app.cloud.openai.faults.add(kind="refused", status=400, code="image_parse_error")
    error = app.refused("classify_image", requestId="a-good-key", imagePath=app.upload(), mode="instant")
    assert (error.status, error.details["reason"]) == (400, "INVALID_IMAGE")


def test_the_providers_own_retry_after_is_passed_on(app: App) -> None:
    """A rate limit at the provider tells the app how long to wait."""
    assert app.cloud.openai is not None
    app.cloud.openai.faults.add(kind="rate_limited", retry_after=77)
    error = app.refused("classify_image", requestId="a-good-key", imagePath=app.upload(), mode="instant")
    assert error.details["retryAfter"] == 77


def test_a_slow_provider_is_given_up(app: App, configure: Configure) -> None:
    """An answer that takes too long is a 503 with the charge refunded."""
    assert app.cloud.openai is not None
    configure({"instant": {"providerTimeoutSeconds": 0.3}})
    app.cloud.openai.faults.add(kind="timeout", seconds=2)
    error = app.refused("classify_image", requestId="a-good-key", imagePath=app.upload(), mode="instant")
    assert (error.status, error.details["reason"]) == (503, "PROVIDER_UNAVAILABLE")
    assert app.statement() == [*WELCOME, ("charge", -5, 5), ("refund", 5, 10)]


def test_a_failed_request_stays_answered(app: App) -> None:
    """The key of a job that failed is answered with the failed job; another try takes another key."""
    assert app.cloud.openai is not None
    app.cloud.openai.faults.add(kind="server_error")
    path = app.upload()
    app.refused("classify_image", requestId="the-failed-key", imagePath=path, mode="instant")
    again = app.classify(path, "instant", "the-failed-key")
    assert (again["status"], again["error"]["code"]) == ("failed", "PROVIDER_UNAVAILABLE")
    assert app.classify(path, "instant")["status"] == "done"


def test_prices_come_from_the_runtime_config(app: App, configure: Configure) -> None:
    """An operator's change of price is in force without a deploy; a value out of range is not taken."""
    configure({"tokens": {"batchPrice": 3}})
    assert app.classify()["tokensCost"] == 3
    configure({"tokens": {"batchPrice": 0}})
    assert app.classify()["tokensCost"] == 3
