"""Firebase Hosting: files, their headers, and what tells a page its project."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from localcloud.hosting import HostingError, HostingServer, Page, Site, matches

MOVED = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
HEADERS = [
    {
        "source": "**",
        "headers": [{"key": "X-Frame-Options", "value": "DENY"}, {"key": "Cache-Control", "value": "no-cache"}],
    },
    {"source": "**/*.{js,css}", "headers": [{"key": "Cache-Control", "value": "max-age=60"}]},
]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a small site."""
    public = tmp_path / "public"
    (public / "app").mkdir(parents=True)
    (public / "index.html").write_text("home")
    (public / "about.html").write_text("about")
    (public / "app" / "main.js").write_text("run()")
    (public / "notes.md").write_text("secret")
    (tmp_path / "outside.txt").write_text("outside")
    section = {"public": "public", "ignore": ["**/*.md"], "cleanUrls": True, "headers": HEADERS}
    page = Page({"projectId": "demo-local"}, {"auth": "127.0.0.1:9099", "functions": "http://127.0.0.1:5001"})
    server = HostingServer(Site.of(tmp_path, section), lambda: page, lambda: MOVED)
    server.start()
    with httpx.Client(base_url=server.url) as client:
        yield client
    server.stop()


def test_answers_carry_the_date_of_the_clouds_clock(site: httpx.Client) -> None:
    """A page goes by it: what the functions date is of the moved clock, too."""
    for path in ("/", "/__/firebase/init.json", "/missing"):
        assert site.get(path).headers.get_list("date") == ["Tue, 01 Dec 2026 09:30:00 GMT"]


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/", 200, "home"),
        ("/about", 200, "about"),
        ("/about.html", 200, "about"),
        ("/app/main.js", 200, "run()"),
        ("/missing", 404, "There is no such page.\n"),
        ("/notes.md", 404, "There is no such page.\n"),
        ("/app", 404, "There is no such page.\n"),
        ("/%2e%2e/outside.txt", 404, "There is no such page.\n"),
        ("/..%2foutside.txt", 404, "There is no such page.\n"),
    ],
)
def test_files_are_served_and_nothing_else(site: httpx.Client, path: str, status: int, text: str) -> None:
    """A page without its ending; nothing that is left out, and nothing outside of the folder."""
    answer = site.get(path)
    assert (answer.status_code, answer.text) == (status, text)


def test_files_have_the_headers_of_their_patterns(site: httpx.Client) -> None:
    """All of those that match; of two for one header the later counts. A missing page has them, too."""
    page, script, missing = (site.get(path).headers for path in ("/", "/app/main.js", "/missing"))
    assert page["X-Frame-Options"] == script["X-Frame-Options"] == missing["X-Frame-Options"] == "DENY"
    assert (page["Cache-Control"], script["Cache-Control"]) == ("no-cache", "max-age=60")
    assert (page["Content-Type"], script["Content-Type"]) == (
        "text/html; charset=utf-8",
        "text/javascript; charset=utf-8",
    )


def test_a_page_learns_its_project_and_the_emulators(site: httpx.Client) -> None:
    """At Firebase's reserved addresses, in Firebase's form."""
    assert site.get("/__/firebase/init.json").json() == {"projectId": "demo-local"}
    lines = site.get("/__/firebase/init.js?useEmulator=true").text.splitlines()
    assert json.loads(lines[1].removeprefix("var firebaseEmulators = ").rstrip(";")) == {
        "auth": {"host": "127.0.0.1", "port": 9099},
        "functions": {"host": "127.0.0.1", "port": 5001},
    }


def test_only_reading_is_served(site: httpx.Client) -> None:
    """Hosting takes nothing."""
    assert site.post("/", content=b"x").status_code == 405


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ({"public": "nowhere"}, "no folder"),
        ({"public": ".", "rewrites": [{"source": "**"}]}, "hosting.rewrites is not"),
    ],
)
def test_what_is_not_served_is_refused(tmp_path: Path, section: dict[str, Any], why: str) -> None:
    """At the start, by name: a rewrite that is ignored would be looked for for hours."""
    with pytest.raises(HostingError, match=why):
        Site.of(tmp_path, section)


@pytest.mark.parametrize(
    ("path", "pattern", "found"),
    [
        ("a/b.js", "**", True),
        ("a/b.js", "**/*.js", True),
        ("b.js", "**/*.js", True),
        ("b.js", "/b.js", True),
        ("b.jsx", "**/*.{js,css}", False),
        ("b.css", "**/*.{js,css}", True),
        ("vendor/x.js", "vendor/**", True),
        ("vendors", "vendor/**", False),
    ],
)
def test_patterns(path: str, pattern: str, found: bool) -> None:
    """As the globs of firebase.json mean them."""
    assert matches(path, pattern) is found
