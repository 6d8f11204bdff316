"""`admin export-account` and `admin retention`, run as a person runs them, over a bucket in memory."""

import json
from collections.abc import Callable, Iterator

import pytest
from google.cloud.storage import Client
from typer.testing import CliRunner, Result

from functions.adapters.storage import emulated_url
from functions.use_cases.privacy.delete_account import DeleteAccount, delete_account
from localcloud.storage import StorageServer
from scripts.admin import app
from scripts.inprocess import InProcessCloud, replaced
from scripts.operators import session
from scripts.operators.bucket import OperatorFiles
from tests.adapters.test_storage import anonymous_client
from tests.steps import classify, listed

Run = Callable[..., Result]


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """An empty bucket, `photos`."""
    server = StorageServer("photos")
    server.start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.host)
    client = anonymous_client()
    yield client
    client.close()
    server.stop()


@pytest.fixture
def cloud(storage: Client, monkeypatch: pytest.MonkeyPatch) -> InProcessCloud:
    """A cloud with this bucket, which the commands take for the project."""
    cloud = InProcessCloud(seed=1)
    files = OperatorFiles(storage, "photos", emulated_url)
    monkeypatch.setattr(session, "connect", lambda _project: replaced(cloud.operator(), files=files))
    return cloud


@pytest.fixture
def run() -> Run:
    """Run the command."""
    environment = {"GCLOUD_PROJECT": "demo-ecolane", "ECOLANE_OPERATOR": "mia", "COLUMNS": "200"}
    return lambda *arguments: CliRunner().invoke(app, arguments, env=environment)


def test_all_that_is_held_of_a_user_is_printed(cloud: InProcessCloud, storage: Client, run: Run) -> None:
    """Each photo with the link that the app's upload has made; on record. Of who has left there is nothing."""
    classify(cloud, "one")
    photo = storage.bucket("photos").blob("users/ann/uploads/a b.jpg")
    photo.metadata = {"firebaseStorageDownloadTokens": "secret,older"}
    photo.upload_from_string(b"photo", content_type="image/jpeg")
    storage.bucket("photos").blob("users/ann/uploads/plain.jpg").upload_from_string(b"photo")
    told = json.loads(run("export-account", "ann", "--why", "asked by letter").stdout)
    assert (told["uid"], [each["reason"] for each in told["entries"]]) == ("ann", ["charge", "welcome"])
    assert [each["status"] for each in told["jobs"]] == ["done"]
    assert {each["imagePath"]: each["link"] for each in told["photos"]} == {
        "users/ann/uploads/a b.jpg": "https://firebasestorage.googleapis.com/v0/b/photos/o/"
        "users%2Fann%2Fuploads%2Fa%20b.jpg?alt=media&token=secret",
        "users/ann/uploads/plain.jpg": None,
    }
    (entry,) = listed(cloud, "audit").values()
    assert (entry["action"], entry["target"], entry["why"]) == ("export-account", "ann", "asked by letter")
    delete_account(DeleteAccount(confirm="DELETE"), "ann", cloud.deps)
    refused = run("export-account", "ann", "--why", "again")
    assert (refused.exit_code, "ann has deleted the account" in refused.output) == (1, True)


def test_a_record_whose_reply_is_lost_is_there_once(cloud: InProcessCloud, run: Run) -> None:
    """The commit is repeated, and meets what it wrote."""
    classify(cloud, "one")
    cloud.firestore.faults.add("reply_lost", rpc="Commit")
    assert run("export-account", "ann", "--why", "asked by letter").exit_code == 0
    assert len(listed(cloud, "audit")) == 1


def test_photos_are_kept_as_long_as_operators_say(cloud: InProcessCloud, storage: Client, run: Run) -> None:
    """By rules of the bucket; rules of others stay. The same again changes nothing."""
    bucket = storage.get_bucket("photos")
    theirs = {"action": {"type": "Delete"}, "condition": {"age": 1, "matchesPrefix": ["exports/"]}}
    bucket.lifecycle_rules = [theirs]
    bucket.patch()
    assert "kept for good" in run("retention").output
    for days, changed in ((90, True), (90, False), (30, True)):
        told = json.loads(run("retention", str(days), "--yes", "--json").stdout)
        assert told == {"changed": changed, "days": days}
    assert "deleted 30 days after" in run("retention").output
    bucket.reload()
    bucket.lifecycle_rules = [each for each in bucket.lifecycle_rules if "bulks/" not in str(dict(each))]
    bucket.patch()
    told = json.loads(run("retention", "30", "--yes", "--json").stdout)
    assert told == {"changed": True, "days": 30}, "a rule that was not there, or is gone, is set as well"
    rules = [dict(each)["condition"] for each in storage.get_bucket("photos").lifecycle_rules]
    assert rules == [
        theirs["condition"],
        {"age": 30, "matchesPrefix": ["users/"]},
        {"age": 7, "matchesPrefix": ["batches/"]},
        {"age": 90, "matchesPrefix": ["bulks/"]},
    ]
    assert [each["action"] for each in listed(cloud, "audit").values()] == ["retention"] * 3
    assert run("retention", "1", "--yes").exit_code == 2, "a job needs its photo for longer"
    assert "Bulk jobs go on for 7 days" in run("retention", "9", "--yes").output
    assert "Bulk jobs" not in run("retention", "10", "--yes").output
