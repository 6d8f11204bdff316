"""What was checked and paid for is what is sent, whatever happens to the upload afterwards."""

from collections.abc import Callable
from io import BytesIO

import pytest
from PIL import Image

from tests.app import App, photo
from tests.conftest import Configure

GONE = {
    "code": "IMAGE_NOT_FOUND",
    "message": "The photo was replaced or removed before its turn came.",
    "problem": None,
}


def bomb() -> bytes:
    """Return a small file of a hundred million pixels."""
    out = BytesIO()
    Image.new("1", (10_000, 10_000)).save(out, "PNG")
    return out.getvalue()


def delete(app: App, path: str) -> None:
    """Delete an upload, as its user may."""
    app.cloud.storage_client().bucket(app.cloud.bucket).blob(path).delete()


def put(app: App, path: str, data: bytes) -> None:
    """Upload to this path again."""
    app.upload(data, path.rpartition("/")[2])


def delete_and_put(app: App, path: str, data: bytes) -> None:
    """Delete an upload, and upload to its path again."""
    delete(app, path)
    put(app, path, data)


CHANGES: dict[str, Callable[[App, str], None]] = {
    "another good photo": lambda app, path: put(app, path, photo(colour=(200, 30, 30))),
    "a bomb": lambda app, path: put(app, path, bomb()),
    "no photo": delete,
    "another after none": lambda app, path: delete_and_put(app, path, photo(colour=(200, 30, 30))),
}


@pytest.mark.parametrize("links", [False, True], ids=["inline", "links"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_photo_that_is_another_by_its_turn_is_not_sent(
    app: App, configure: Configure, change: Callable[[App, str], None], links: bool
) -> None:
    """It fails its own job with a refund, before anything decodes it; the photo beside it is answered."""
    configure({"batch": {"signedUrls": links}})
    path = app.upload()
    swapped, kept = app.classify(path)["jobId"], app.classify()["jobId"]
    change(app, path)
    failed, done = app.until_final(swapped, kept)
    assert (failed["status"], failed["error"], done["status"]) == ("failed", GONE, "done")
    assert app.stored_job(swapped)["costMicros"] == 0
    assert app.statement()[1:] == [("charge", -1, 9), ("charge", -1, 8), ("refund", 1, 9)]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_an_upgrade_sends_what_was_paid_for_or_nothing(app: App, change: Callable[[App, str], None]) -> None:
    """Nothing more is charged for a photo that is another by now, and the job waits for its turn."""
    path = app.upload()
    job_id = app.classify(path)["jobId"]
    change(app, path)
    assert app.refused("upgrade_job", jobId=job_id).details == {"reason": "IMAGE_NOT_FOUND"}
    assert app.job(job_id)["status"] == "queued"
    assert app.statement()[1:] == [("charge", -1, 9)]


@pytest.mark.parametrize("again", [put, delete_and_put])
def test_the_same_photo_uploaded_again_is_still_the_one(app: App, again: Callable[[App, str, bytes], None]) -> None:
    """An app that was interrupted begins again with the upload, under the same name: nobody loses anything by it."""
    path = app.upload(photo())
    job_id = app.classify(path, request_id="request-interrupted")["jobId"]
    again(app, path, photo())
    assert app.classify(path, request_id="request-interrupted")["jobId"] == job_id
    (job,) = app.until_final(job_id)
    assert job["status"] == "done"


def test_a_job_of_the_last_release_is_read_as_before(app: App) -> None:
    """Jobs that were queued before the digest was kept are sent with what their path holds."""
    path = app.upload()
    job_id = app.classify(path)["jobId"]
    stored = app.cloud.firestore_client().document(f"aiJobs/{job_id}")
    fields = stored.get().to_dict() or {}
    assert len(fields.pop("imageDigest")) == 64
    stored.set(fields)
    put(app, path, photo(colour=(200, 30, 30)))
    (job,) = app.until_final(job_id)
    assert job["status"] == "done"
