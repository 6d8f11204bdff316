"""Files: uploaded, listed, read, expired and deleted."""

from typing import Any

import pytest
from openai import APIStatusError, BadRequestError, NotFoundError

DAY = 24 * 3600


def test_a_file_comes_back_as_it_was_sent(world: Any) -> None:
    """What is uploaded can be looked up and downloaded again, byte for byte."""
    content = bytes(range(256)) * 2000
    file = world.upload(content)
    assert (file.bytes, file.filename, file.purpose, file.status) == (len(content), "input.jsonl", "batch", "processed")
    assert file.created_at == world.clock.seconds
    assert world.client.files.retrieve(file.id) == file
    assert world.client.files.content(file.id).read() == content


def test_a_file_name_is_no_path(world: Any) -> None:
    """Only the last part of a file name is kept, whatever a client sends."""
    file = world.client.files.create(file=("../../etc/passwd", b"x"), purpose="batch")
    assert file.filename == "passwd"


def test_deleted_files_are_gone(world: Any) -> None:
    """After deletion a file is a 404 in every way, and its content is off the disk."""
    file = world.upload(b"x")
    path = world.standin.engine.files.get(file.id, world.clock.seconds).path
    assert world.client.files.delete(file.id).deleted
    assert not path.exists()
    for call in (world.client.files.retrieve, world.client.files.content, world.client.files.delete):
        with pytest.raises(NotFoundError, match=f"No such File object: {file.id}"):
            call(file.id)


def test_batch_inputs_expire_after_30_days(world: Any) -> None:
    """A batch input lives 30 days unless it says otherwise."""
    file = world.upload(b"x")
    assert file.expires_at == file.created_at + 30 * DAY
    world.clock.advance(days=30, seconds=-1)
    world.client.files.retrieve(file.id)
    world.clock.advance(seconds=1)
    with pytest.raises(NotFoundError):
        world.client.files.retrieve(file.id)


def test_expiry_as_asked_for(world: Any) -> None:
    """`expires_after` is counted from the creation."""
    policy = {"anchor": "created_at", "seconds": 3600}
    file = world.client.files.create(file=("a", b"x"), purpose="batch", expires_after=policy)
    assert file.expires_at == file.created_at + 3600
    world.clock.advance(hours=1)
    assert world.client.files.list().data == []


@pytest.mark.parametrize(
    ("seconds", "code"), [(3599, "integer_out_of_range"), (2_592_001, "integer_out_of_range"), ("soon", None)]
)
def test_expiry_out_of_range(world: Any, seconds: Any, code: str | None) -> None:
    """An expiry under an hour or over 30 days is refused, and the upload leaves nothing behind."""
    policy = {"anchor": "created_at", "seconds": seconds}
    with pytest.raises(BadRequestError) as caught:
        world.client.files.create(file=("a", b"x"), purpose="batch", expires_after=policy)
    assert caught.value.param == "expires_after.seconds"
    assert code in {None, caught.value.code}
    assert list(world.standin.engine.files.new_path().parent.iterdir()) == []


def test_expiry_has_one_anchor(world: Any) -> None:
    """Only `created_at` anchors an expiry."""
    with pytest.raises(BadRequestError) as caught:
        world.client.files.create(
            file=("a", b"x"), purpose="batch", expires_after={"anchor": "read_at", "seconds": 3600}
        )
    assert caught.value.param == "expires_after.anchor"


def test_unknown_purposes_are_refused(world: Any) -> None:
    """A purpose outside the documented ones is a 400."""
    with pytest.raises(BadRequestError) as caught:
        world.client.files.create(file=("a", b"x"), purpose="holiday")
    assert caught.value.param == "purpose"


@pytest.mark.parametrize(("form", "missing"), [({"purpose": "batch"}, "file"), ({}, "file")])
def test_uploads_without_a_file(world: Any, form: dict[str, str], missing: str) -> None:
    """An upload without its file says what is missing."""
    http = world.standin.http_client()
    response = http.post("/files", data=form, headers={"authorization": "Bearer x"})
    assert (response.status_code, response.json()["error"]["param"]) == (400, missing)


def test_uploads_without_a_purpose(world: Any) -> None:
    """An upload without a purpose says so and leaves nothing behind."""
    http = world.standin.http_client()
    response = http.post("/files", files={"file": ("a", b"x")}, headers={"authorization": "Bearer x"})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "purpose")
    assert list(world.standin.engine.files.new_path().parent.iterdir()) == []


def test_lists_page_through_everything(world: Any) -> None:
    """Pages follow each other without gaps, newest first or oldest first, for one purpose or all."""
    ids = []
    for _ in range(5):
        ids.append(world.upload(b"x").id)
        world.clock.advance(seconds=1)
    world.client.files.create(file=("a", b"x"), purpose="user_data")
    listed = list(world.client.files.list(purpose="batch", limit=2))
    assert [file.id for file in listed] == ids[::-1]
    assert [file.id for file in world.client.files.list(purpose="batch", limit=3, order="asc")] == ids
    assert len(list(world.client.files.list())) == 6


@pytest.mark.parametrize("limit", [0, 10_001, "many"])
def test_lists_have_a_limit(world: Any, limit: Any) -> None:
    """A page size outside 1 to 10,000 is refused."""
    with pytest.raises(BadRequestError):
        world.client.files.list(limit=limit)


def test_a_list_after_nothing(world: Any) -> None:
    """A cursor that names no file is a 404."""
    with pytest.raises(NotFoundError):
        world.client.files.list(after="file-none")


def test_uploads_have_a_maximum(world: Any) -> None:
    """An upload that announces more than 512 MB is refused before it is read."""
    http = world.standin.http_client()
    headers = {
        "authorization": "Bearer x",
        "content-type": "multipart/form-data; boundary=b",
        "content-length": str(513 * 1024 * 1024),
    }
    response = http.post("/files", content=b"--b--", headers=headers)
    assert response.status_code == 413
    assert "larger than the maximum" in response.json()["error"]["message"]


def test_errors_are_the_clients_own(world: Any) -> None:
    """Every refusal arrives as the openai package's exception with a request id."""
    with pytest.raises(APIStatusError) as caught:
        world.client.files.retrieve("file-none")
    assert (caught.value.request_id or "").startswith("req_")
