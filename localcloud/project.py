"""A Firebase project as its folder describes it: what `firebase.json` and `.firebaserc` say."""

import importlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.hosting import HostingError, Site

PROJECT = "demo-local"  # the prefix demo- keeps every Firebase tool from looking for a real project
REGION = "us-central1"


class ProjectError(RuntimeError):
    """The folder is no project that can be started. The message is one line that says what is missing where."""


@dataclass(frozen=True)
class FirebaseProject:
    """What a project's folder says. Paths that it does not name are None; `ports` has those under "emulators"."""

    project: str
    source: Path
    indexes: Path | None
    rules: Path | None
    storage_rules: Path | None
    site: Site | None
    ports: Mapping[str, int]


def read_project(folder: Path) -> FirebaseProject:
    """Read the project in `folder`.

    Raises:
        ProjectError: there is no `firebase.json`, it names no Python functions, or a file that it names is missing.
    """
    content = _json(folder / "firebase.json")
    functions, firestore = _first(content, "functions"), _first(content, "firestore")
    runtime = functions.get("runtime", "python")
    if not runtime.startswith("python"):
        raise ProjectError(f"{folder / 'firebase.json'}: the functions' runtime is {runtime}, and this serves Python")
    emulators = content.get("emulators", {})
    return FirebaseProject(
        project=_default_project(folder / ".firebaserc"),
        source=_there(folder / functions.get("source", "functions") / "main.py", "the functions"),
        indexes=_named(folder, firestore.get("indexes")),
        rules=_named(folder, firestore.get("rules")),
        storage_rules=_named(folder, _first(content, "storage").get("rules")),
        site=_site(folder, content),
        ports={name: part["port"] for name, part in emulators.items() if isinstance(part, dict) and "port" in part},
    )


def load_hook(hook: str) -> Any:
    """Return what `module:name` names; the module is looked for in the current directory, too.

    Raises:
        ProjectError: it is not of that form, or there is no such module or name.
    """
    module, colon, name = hook.partition(":")
    if not colon:
        raise ProjectError(f"{hook!r} is not of the form module:function")
    if "" not in sys.path:
        sys.path.append("")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ProjectError(f"{hook}: {error}") from error


def _json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ProjectError(f"{path} is missing: start where it is, or make one by firebase init") from error
    except ValueError as error:
        raise ProjectError(f"{path} is no JSON: {error}") from error
    return content


def _first(content: Mapping[str, Any], part: str) -> dict[str, Any]:
    """Return a part's section. The CLI takes one, or a list of several codebases, databases or buckets."""
    section = content.get(part, {})
    found: dict[str, Any] = (section[0] if section else {}) if isinstance(section, list) else section
    return found


def _site(folder: Path, content: Mapping[str, Any]) -> Site | None:
    section = _first(content, "hosting")
    try:
        return Site.of(folder, section) if section else None
    except HostingError as error:
        raise ProjectError(f"{folder / 'firebase.json'}: {error}") from error


def _default_project(path: Path) -> str:
    return str(_json(path).get("projects", {}).get("default", PROJECT)) if path.exists() else PROJECT


def _named(folder: Path, name: str | None) -> Path | None:
    return None if name is None else _there(folder / name, "named in firebase.json")


def _there(path: Path, what: str) -> Path:
    if not path.is_file():
        raise ProjectError(f"{path} is missing ({what})")
    return path
