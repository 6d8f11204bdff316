"""Storage as apps see it: uploads, downloads and refusals over the Firebase SDKs' protocol."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from google.cloud.storage import Bucket

from localcloud.auth.accounts import Account
from localcloud.auth.tokens import Session, Tokens
from localcloud.storage import StorageServer
from localcloud.storage_rules import StorageSecurity

BUCKET = "photos.example"
PHOTO = b"\xff\xd8\xff\xe0 \r\n--photo--\r\n\r\n"
PHOTO_BYTES_MAX = 10_000  # what the sample's rules allow


def token(uid: str, project: str = "demo-sample") -> str:
    """Return an ID token as the Auth emulator gives them out."""
    return Tokens(project).id_token(Account(uid), Session(uid, "anonymous"))


@pytest.fixture
def ann(storage: StorageServer) -> Iterator[httpx.Client]:
    """Ann's app."""
    with httpx.Client(base_url=storage.host, headers={"Authorization": f"Firebase {token('ann')}"}) as client:
        yield client


@pytest.fixture
def bob(storage: StorageServer) -> Iterator[httpx.Client]:
    """Bob's app."""
    with httpx.Client(base_url=storage.host, headers={"Authorization": f"Firebase {token('bob')}"}) as client:
        yield client


@pytest.fixture
def nobody(storage: StorageServer) -> Iterator[httpx.Client]:
    """An app where nobody is signed in."""
    with httpx.Client(base_url=storage.host) as client:
        yield client


def url(name: str = "") -> str:
    """Return the address of an object, or of all of them."""
    return f"/v0/b/{BUCKET}/o" + (f"/{name.replace('/', '%2F')}" if name else "")


def multipart(app: httpx.Client, name: str, content: bytes = PHOTO, content_type: str = "image/jpeg") -> httpx.Response:
    """Upload in one request."""
    metadata = json.dumps({"name": name, "contentType": content_type, "metadata": {"taken": "today"}})
    body = (
        f"--0123\r\nContent-Type: application/json; charset=utf-8\r\n\r\n{metadata}\r\n"
        f"--0123\r\nContent-Type: {content_type}\r\n\r\n".encode()
        + content
        + b"\r\n--0123--"
    )
    headers = {"X-Goog-Upload-Protocol": "multipart", "Content-Type": "multipart/related; boundary=0123"}
    return app.post(url(), params={"name": name}, content=body, headers=headers)


def bare(app: httpx.Client, name: str, content: bytes = PHOTO, content_type: str = "image/jpeg") -> httpx.Response:
    """Upload the bytes and nothing else."""
    return app.post(url(), params={"name": name}, content=content, headers={"Content-Type": content_type})


def start(app: httpx.Client, name: str, content_type: str = "image/jpeg") -> str:
    """Begin a resumable upload and return its address."""
    headers = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
    answer = app.post(url(), params={"name": name}, json={"contentType": content_type}, headers=headers)
    assert (answer.status_code, answer.headers["X-Goog-Upload-Status"]) == (200, "active")
    return answer.headers["X-Goog-Upload-URL"]


def send(app: httpx.Client, to: str, command: str, content: bytes = b"", offset: int = 0) -> httpx.Response:
    """Go on with a resumable upload."""
    headers = {"X-Goog-Upload-Command": command, "X-Goog-Upload-Offset": str(offset)}
    return app.post(to, content=content, headers=headers)


def resumable(app: httpx.Client, name: str, content: bytes = PHOTO, content_type: str = "image/jpeg") -> httpx.Response:
    """Upload in pieces."""
    to, middle = start(app, name, content_type), len(content) // 2
    assert send(app, to, "upload", content[:middle]).headers["X-Goog-Upload-Status"] == "active"
    return send(app, to, "upload, finalize", content[middle:], middle)


Upload = Callable[..., httpx.Response]
every_way = pytest.mark.parametrize("upload", [multipart, resumable, bare])


@every_way
def test_functions_read_what_an_app_has_uploaded(upload: Upload, ann: httpx.Client, bucket: Bucket) -> None:
    """The bytes, whatever is in them, and the type, under the name that the app gave."""
    name = f"users/ann/uploads/a b {upload.__name__}.jpg"

    answer = upload(ann, name)

    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["size"]) == (name, str(len(PHOTO)))
    stored = bucket.get_blob(name)
    assert (stored.download_as_bytes(), stored.content_type) == (PHOTO, "image/jpeg")


def test_an_app_gets_its_photo_back(ann: httpx.Client) -> None:
    """Metadata, its own included, and the bytes; afterwards it is deleted."""
    name = "users/ann/uploads/back.jpg"
    multipart(ann, name)

    shown = ann.get(url(name)).json()
    assert (shown["contentType"], shown["metadata"]) == ("image/jpeg", {"taken": "today"})
    assert ann.get(url(name), params={"alt": "media"}).content == PHOTO
    assert ann.delete(url(name)).status_code == 204
    assert ann.get(url(name)).status_code == 404
    assert ann.delete(url(name)).status_code == 404


def test_a_download_link_opens_one_photo_to_whoever_has_it(ann: httpx.Client, nobody: httpx.Client) -> None:
    """`getDownloadURL` works for an image widget, which sends no token of its own; another token opens nothing."""
    name = "users/ann/uploads/link.jpg"
    link = {"alt": "media", "token": multipart(ann, name).json()["downloadTokens"]}

    assert nobody.get(url(name), params=link).content == PHOTO
    assert nobody.get(url(name), params={**link, "token": "wrong"}).status_code == 403
    assert nobody.get(url(name), params={"token": link["token"]}).status_code == 403


@every_way
@pytest.mark.parametrize(
    "name",
    ["users/ann/uploads/p.jpg", "users/bob/p.jpg", "users/bob/uploads/deep/p.jpg", "batches/b1/input.jsonl", "p"],
)
def test_others_folders_are_closed(upload: Upload, name: str, bob: httpx.Client, bucket: Bucket) -> None:
    """Nobody uploads anywhere but directly into their own folder."""
    assert upload(bob, name).status_code == 403
    assert bucket.get_blob(name) is None


@every_way
@pytest.mark.parametrize("content_type", ["text/html", "image/svg+xml", "image/jpeg; x=y", "ximage/jpeg", ""])
def test_only_photos_are_taken(upload: Upload, content_type: str, ann: httpx.Client) -> None:
    """A type that the rules do not name is refused, however it is sent."""
    assert upload(ann, "users/ann/uploads/no-photo", content_type=content_type).status_code == 403


@every_way
def test_rules_may_limit_the_size(upload: Upload, ann: httpx.Client) -> None:
    """The limit itself is taken, one byte more is not."""
    assert upload(ann, "users/ann/uploads/large.jpg", bytes(PHOTO_BYTES_MAX)).status_code == 200
    assert upload(ann, "users/ann/uploads/larger.jpg", bytes(PHOTO_BYTES_MAX + 1)).status_code == 403


def test_nobody_reads_deletes_or_lists_what_is_anothers(
    ann: httpx.Client, bob: httpx.Client, nobody: httpx.Client
) -> None:
    """Another user and nobody are refused alike, whether the object is there or not; lists of it are for nobody."""
    multipart(ann, "users/ann/uploads/mine.jpg")
    for app in (bob, nobody):
        for name in ("users/ann/uploads/mine.jpg", "users/ann/uploads/missing.jpg"):
            assert app.get(url(name)).status_code == 403
            assert app.get(url(name), params={"alt": "media"}).status_code == 403
            assert app.delete(url(name)).status_code == 403
    assert ann.get(url(), params={"prefix": "users/ann/uploads/"}).status_code == 403


def test_a_list_shows_what_is_under_a_prefix(nobody: httpx.Client, bucket: Bucket) -> None:
    """`listAll` gets the objects under a prefix and the folders one level below it, as far as the rules let it."""
    for name in ("public/a.jpg", "public/b.jpg", "public/deep/c.jpg", "publicity.jpg"):
        bucket.blob(name).upload_from_string(PHOTO)

    flat = nobody.get(url(), params={"prefix": "public/"}).json()
    level = nobody.get(url(), params={"prefix": "public/", "delimiter": "/"}).json()

    assert [item["name"] for item in flat["items"]] == ["public/a.jpg", "public/b.jpg", "public/deep/c.jpg"]
    assert [item["name"] for item in level["items"]] == ["public/a.jpg", "public/b.jpg"]
    assert (flat["prefixes"], level["prefixes"]) == ([], ["public/deep/"])


def everything_if(condition: str) -> str:
    """Return rules that allow everybody everything under a condition."""
    allow = f"allow read, write: if {condition};"
    return f"rules_version = '2'; service firebase.storage {{ match /b/{{b}}/o/{{n=**}} {{ {allow} }} }}"


@pytest.mark.parametrize(
    ("method", "allowed"),
    [
        ("create", [True, False, False, False, False]),
        ("update", [False, True, False, False, False]),
        ("get", [False, False, True, False, False]),
        ("list", [False, False, False, True, False]),
        ("delete", [False, False, False, False, True]),
    ],
)
def test_rules_tell_what_an_app_does(tmp_path: Path, method: str, allowed: list[bool]) -> None:
    """A new object, another version of it, a download, a list and a deletion are told apart."""
    rules = tmp_path / "storage.rules"
    rules.write_text(everything_if(f"request.method == '{method}'"))
    server = StorageServer(BUCKET, security=StorageSecurity(rules))
    server.start()
    owner = {"Authorization": "Bearer owner"}
    with httpx.Client(base_url=server.host) as app:
        answers = [bare(app, "any.jpg").status_code]
        app.post(url(), params={"name": "any.jpg"}, content=PHOTO, headers=owner)
        answers += [bare(app, "any.jpg").status_code, app.get(url("any.jpg")).status_code]
        answers += [app.get(url(), params={"prefix": "a"}).status_code, app.delete(url("any.jpg")).status_code]
    server.stop()

    assert [status < 300 for status in answers] == allowed


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        (
            f"request.resource.name == 'any.jpg' && request.resource.size == {len(PHOTO)}",
            200,
        ),
        ("request.resource.metadata.taken == 'today' && request.resource.md5Hash is string", 200),
        ("request.resource.timeCreated <= request.time && resource == null && request.auth == null", 200),
        ("request.resource.metadata.keys().size() == 1", 200),
        ("request.path == /b/$(b)/o/any.jpg && request.method == 'create'", 200),
        ("firestore.get(/databases/(default)/documents/users/ann).data.admin", 200),
        ("firestore.exists(/databases/(default)/documents/users/bob)", 403),
    ],
)
def test_rules_see_the_object_and_firestore(tmp_path: Path, condition: str, status: int) -> None:
    """Conditions have the new object's metadata, and documents of Firestore."""
    rules = tmp_path / "storage.rules"
    rules.write_text(everything_if(condition))
    people = {"/databases/(default)/documents/users/ann": {"data": {"admin": True}}}
    server = StorageServer(BUCKET, security=StorageSecurity(rules, lambda path: people.get(str(path))))
    server.start()
    with httpx.Client(base_url=server.host) as app:
        answer = multipart(app, "any.jpg")
    server.stop()

    assert answer.status_code == status, answer.text


def test_a_change_of_the_rules_counts_at_once(tmp_path: Path) -> None:
    """The file is read again when it changes; without one apps may do nothing, and a mistake is shown to them."""
    rules = tmp_path / "storage.rules"
    server = StorageServer(BUCKET, security=StorageSecurity(rules))
    server.start()
    answers = []
    with httpx.Client(base_url=server.host) as app:
        for text in ("", everything_if("true"), "rules_version = '2'; service"):
            if text:
                rules.write_text(text)
            answers.append(bare(app, "any.jpg"))
    server.stop()

    assert [answer.status_code for answer in answers] == [403, 200, 403]
    assert f"{rules}:1:" in answers[2].json()["error"]["message"]


@pytest.mark.parametrize("authorization", ["Firebase nonsense", f"Firebase {token('ann', 'demo-other')}", "Basic eDp5"])
def test_a_bad_token_is_no_sign_in(authorization: str, nobody: httpx.Client) -> None:
    """A token that is none, or another project's, is told from nobody's: the SDK then signs in anew."""
    answer = nobody.get(url("users/ann/uploads/p.jpg"), headers={"Authorization": authorization})

    assert answer.status_code == 401


def test_an_interrupted_upload_goes_on(ann: httpx.Client, bucket: Bucket) -> None:
    """An app asks how far it came and sends the rest; one that has missed the end is told it again."""
    to = start(ann, "users/ann/uploads/slow.jpg")
    send(ann, to, "upload", PHOTO[:5])

    assert send(ann, to, "query").headers["X-Goog-Upload-Size-Received"] == "5"
    assert send(ann, to, "upload", PHOTO[3:], 3).status_code == 400
    end = send(ann, to, "upload, finalize", PHOTO[5:], 5)
    again = send(ann, to, "query")

    assert end.headers["X-Goog-Upload-Status"] == again.headers["X-Goog-Upload-Status"] == "final"
    assert end.json() == again.json()
    assert bucket.blob("users/ann/uploads/slow.jpg").download_as_bytes() == PHOTO


def test_a_cancelled_upload_leaves_nothing(ann: httpx.Client, bucket: Bucket) -> None:
    """After a cancel the upload is unknown and no object appears."""
    to = start(ann, "users/ann/uploads/cancelled.jpg")
    send(ann, to, "upload", PHOTO)

    assert send(ann, to, "cancel").headers["X-Goog-Upload-Status"] == "cancelled"
    assert send(ann, to, "finalize").status_code == 404
    assert bucket.get_blob("users/ann/uploads/cancelled.jpg") is None


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"no parts", "multipart/related; boundary=0123"), (b"x", "multipart/related"), (b"x", "text/plain")],
)
def test_a_garbled_upload_is_named(body: bytes, content_type: str, ann: httpx.Client) -> None:
    """A body that is not what its headers say is a 400 that says so."""
    headers = {"X-Goog-Upload-Protocol": "multipart", "Content-Type": content_type}
    answer = ann.post(url(), params={"name": "users/ann/uploads/x.jpg"}, content=body, headers=headers)

    assert answer.status_code == 400
    assert "two parts" in answer.json()["error"]["message"]


def test_browsers_may_call(nobody: httpx.Client) -> None:
    """A web app on another port asks before it uploads, and may read the headers of the answer."""
    asked = nobody.options(url(), headers={"Origin": "http://localhost:5000", "Access-Control-Request-Method": "POST"})

    assert asked.status_code == 204
    assert asked.headers["Access-Control-Allow-Origin"] == "*"
    assert nobody.get(url("x")).headers["Access-Control-Expose-Headers"] == "*"
