"""Firebase Hosting: the files of a project's pages, with the headers that firebase.json gives them.

Beside the files it answers `/__/firebase/init.json` and `/__/firebase/init.js?useEmulator=true`, as Firebase does: the
first has the project's config, the second also where the emulators are. A page that reads them has nothing of a project
written into it.
"""

import fnmatch
import json
import mimetypes
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from werkzeug.security import safe_join
from werkzeug.wrappers import Request, Response

from localcloud.clock import Clock, utc_now
from localcloud.serving import HOST, BackgroundServer

NOT_FOUND = "There is no such page.\n"
_UNSERVED = ("redirects", "rewrites", "i18n", "appAssociation", "trailingSlash")


class HostingError(ValueError):
    """The section "hosting" of firebase.json asks for what is not served here."""


@dataclass(frozen=True)
class Site:
    """What firebase.json says of a site: the folder, files left out, headers by pattern of path, and whether
    `/page` stands for `/page.html`."""

    public: Path
    ignore: tuple[str, ...] = ()
    headers: tuple[tuple[str, Mapping[str, str]], ...] = ()
    clean_urls: bool = False

    @classmethod
    def of(cls, folder: Path, section: Mapping[str, Any]) -> "Site":
        """Read the section "hosting" of the firebase.json in `folder`.

        Raises:
            HostingError: it has no folder of that name, or something that is not served here.
        """
        public = folder / str(section.get("public", "public"))
        if not public.is_dir():
            raise HostingError(f"hosting.public: there is no folder {public}")
        if unserved := [name for name in _UNSERVED if section.get(name)]:
            raise HostingError(f"hosting.{unserved[0]} is not served on this machine")
        headers = tuple(
            (each["source"], {header["key"]: header["value"] for header in each["headers"]})
            for each in section.get("headers", ())
        )
        return cls(public, tuple(section.get("ignore", ())), headers, bool(section.get("cleanUrls")))

    def file(self, path: str) -> Path | None:
        """Return the file for the path of an address, None if there is none."""
        name = path.strip("/") or "index"
        wanted = [path.strip("/"), f"{name}.html"] if self.clean_urls or name == "index" else [path.strip("/")]
        for each in wanted:
            found = safe_join(str(self.public), each)
            if found and Path(found).is_file() and not any(matches(each, pattern) for pattern in self.ignore):
                return Path(found)
        return None

    def headers_of(self, path: str) -> dict[str, str]:
        """Return the headers of a path. Of two for one header the later pattern's counts."""
        found: dict[str, str] = {}
        for pattern, headers in self.headers:
            found |= headers if matches(path.lstrip("/"), pattern) else {}
        return found


def matches(path: str, pattern: str) -> bool:
    """Tell whether a path, without its first slash, matches a glob of firebase.json: `**` is any folders."""
    return any(
        fnmatch.fnmatchcase(path, each)
        or (each.startswith("**/") and fnmatch.fnmatchcase(path, each.removeprefix("**/")))
        for each in _alternatives(pattern.lstrip("/"))
    )


def _alternatives(pattern: str) -> Iterator[str]:
    before, brace, rest = pattern.partition("{")
    if not brace:
        yield pattern
        return
    inside, _, after = rest.partition("}")
    for each in inside.split(","):
        yield from _alternatives(f"{before}{each}{after}")


@dataclass(frozen=True)
class Page:
    """What a page has to know: the web app's config, and by name where each emulator is, as host and port."""

    config: Mapping[str, str]
    emulators: Mapping[str, str] = field(default_factory=dict)

    def init_js(self) -> str:
        """Return the script of Firebase that tells a page of the emulators."""
        found = {
            name: dict(zip(("host", "port"), _split(address), strict=True)) for name, address in self.emulators.items()
        }
        return f"var firebaseConfig = {json.dumps(dict(self.config))};\nvar firebaseEmulators = {json.dumps(found)};\n"


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.removeprefix("http://").rpartition(":")
    return host, int(port)


class HostingServer(BackgroundServer):
    """Serves a site on this machine."""

    def __init__(self, site: Site, page: Callable[[], Page], clock: Clock = utc_now, port: int = 0) -> None:
        """Take the port now. `page` is asked with every look: the parts of the cloud may have started since. Answers
        carry the date by `clock`.

        Raises:
            PortTakenError: another program listens on `port`.
        """
        self._site, self._page = site, page
        super().__init__(Request.application(self._answer), "hosting", port, clock)

    @property
    def url(self) -> str:
        """Return the address of the site."""
        return f"http://{HOST}:{self.port}"

    def _answer(self, request: Request) -> Response:
        if request.method not in {"GET", "HEAD"}:
            return Response(status=HTTPStatus.METHOD_NOT_ALLOWED)
        headers = {"Cache-Control": "no-store", **self._site.headers_of(request.path)}
        if request.path == "/__/firebase/init.json":
            return Response(json.dumps(dict(self._page().config)), mimetype="application/json", headers=headers)
        if request.path == "/__/firebase/init.js":
            return Response(self._page().init_js(), mimetype="text/javascript", headers=headers)
        file = self._site.file(request.path)
        if file is None:
            return Response(NOT_FOUND, HTTPStatus.NOT_FOUND, headers=headers, mimetype="text/plain")
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        return Response(file.read_bytes(), mimetype=kind, headers=headers)
