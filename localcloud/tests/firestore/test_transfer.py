"""Exports hold everything and come back as they were."""

import json
import math
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.cloud import firestore
from google.cloud.firestore import Client
from google.cloud.firestore_v1.vector import Vector

from localcloud.firestore import FirestoreServer, in_process_client
from localcloud.firestore.transfer import HEADER, export_lines, export_to, import_from, import_lines


@pytest.fixture
def source() -> FirestoreServer:
    """A server with two databases and a value of every kind."""
    server = FirestoreServer()
    content: dict[str, Any] = {
        "nothing": None,
        "yes": True,
        "big": 2**62,
        "half": 0.5,
        "infinite": math.inf,
        "text": "line\u2028break \U0001f333",
        "raw": b"\x00\xff",
        "at": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        "where": firestore.GeoPoint(1.5, -2),
        "list": [1, {"a": []}],
        "map": {"odd.name": {}},
        "vector": Vector([1.0, 2.5]),
    }
    in_process_client(server).document("users/u1/deep/d").set(content)
    in_process_client(server, "demo-other").document("users/u2").set({"n": 1})
    return server


def contents(server: FirestoreServer) -> list[str]:
    """Return an export's lines, sorted."""
    return sorted(json.dumps(json.loads(line), sort_keys=True) for line in export_lines(server.engine))


def test_an_export_comes_back_as_it_was(source: FirestoreServer, tmp_path: Path) -> None:
    """Every value, time, path and database survives a trip through a file."""
    target = FirestoreServer()
    path = tmp_path / "saved.jsonl"
    assert export_to(source.engine, path) == 2
    assert import_from(target.engine, path) == 2
    assert contents(target) == contents(source)
    before, after = (in_process_client(server).document("users/u1/deep/d").get() for server in (source, target))
    assert (after.to_dict(), after.update_time) == (before.to_dict(), before.update_time)
    assert list(tmp_path.iterdir()) == [path]


def test_an_export_of_before_comes_back_too(source: FirestoreServer, tmp_path: Path) -> None:
    """A file with the format's former name is read as it was; what is written has the name of today."""
    path, target = tmp_path / "saved.jsonl", FirestoreServer()
    export_to(source.engine, path)
    path.write_text(path.read_text().replace("localcloud-firestore", "former-firestore", 1))

    assert import_from(target.engine, path) == 2
    assert contents(target) == contents(source)


def test_imported_documents_are_found(source: FirestoreServer) -> None:
    """Queries see what was imported, also with indexes that were there before."""
    target = FirestoreServer()
    client = in_process_client(target, "demo-other")
    query = client.collection("users").order_by("n")
    assert query.get() == []
    import_lines(target.engine, export_lines(source.engine))
    assert [found.id for found in query.stream()] == ["u2"]


def test_transfer_over_http(source: FirestoreServer) -> None:
    """The admin port exports, clears and imports."""
    source.start()
    before = contents(source)
    with urllib.request.urlopen(f"{source.admin_url}/export") as answer:  # noqa: S310
        saved = answer.read()
    for path, body in (("/clear", b""), ("/import", saved)):
        request = urllib.request.Request(f"{source.admin_url}{path}", data=body, method="POST")  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            assert json.load(answer) == ({} if path == "/clear" else {"documents": 2})
        assert len(contents(source)) == (1 if path == "/clear" else 3)
    assert contents(source) == before
    source.stop()


NAME = "projects/p/databases/d/documents/a/b"
BAD: dict[str, tuple[list[Any], str]] = {
    "no header": ([{"name": "x"}], "line 1: an export starts with"),
    "no name": ([HEADER, {"fields": {}}], "line 2"),
    "unknown key": ([HEADER, {"name": NAME, "colour": 1}], "line 2.*colour"),
    "bad name": ([HEADER, {"name": "projects/p/databases/d/documents/a"}], "line 2"),
    "reserved field": ([HEADER, {"name": NAME, "fields": {"__x__": {"nullValue": None}}}], "line 2.*reserved"),
}


@pytest.mark.parametrize(("lines", "text"), BAD.values(), ids=BAD)
def test_a_bad_import_changes_nothing(strict: Client, server: FirestoreServer, lines: list[Any], text: str) -> None:
    """An import with a bad line is refused as a whole, naming the line."""
    good = {"name": "projects/p/databases/d/documents/a/good"}
    given = (
        [json.dumps(line) for line in [*lines[:1], good, *lines[1:]]] if lines[0] == HEADER else [json.dumps(lines[0])]
    )
    with pytest.raises(ValueError, match=text.replace("line 2", "line 3")):
        import_lines(server.engine, given)
    assert contents(server) == [json.dumps(HEADER, sort_keys=True)]
