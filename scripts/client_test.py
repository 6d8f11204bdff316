"""`make test-client`: the app's own SDK, under Node, against Google's emulators.

    the firebase JS SDK ──► Google's functions, auth and Firestore emulators, and our Storage
      tests/client                  │
                                    └──► OpenAI stand-in ──webhook──► the functions emulator

The protocols are those of FlutterFire. Google's Storage emulator needs a download at its first start, so Storage is the
local cloud's, which speaks the same protocol under the same rules. The local cloud as a whole serves the same app, too.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from functions.edge.http_errors import CODES
from localcloud.control import ControlServer
from localcloud.firebase_suite import FirebaseSuite
from localcloud.firestore import find_official
from localcloud.functions import triggers_of
from localcloud.functions_process import FunctionsStartError
from localcloud.project import REGION
from scripts import firebase_cli
from scripts.drawings import drawn_photos
from scripts.ecolane_cloud import PROJECT, ROOT, deploy_params, ecolane_cloud
from scripts.sample_calls import sample_calls
from scripts.sample_shop import open_shop

BATCH_MINUTES = 0.02  # how long the stand-in takes for a batch: about a second
_ERRORS_SHOWN = 10
_OF_OTHERS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "FIRESTORE", "FIRESTORE_EMULATOR_HOST")
"""Variables of the shell that would send the test elsewhere: to a model that costs money, to a project's data."""


def client_test(
    if_missing: Annotated[str, typer.Option(help="what to do where something is missing: fail, or skip")] = "fail",
) -> None:
    """Install what the test needs from npm, start the emulators, run the test."""
    if if_missing not in {"fail", "skip"}:
        _end(f"--if-missing is fail or skip, not {if_missing!r}", 2)
    missing = whats_missing()
    if missing is not None and if_missing == "skip":
        _end(f"skipped: {missing}", 0)
    if missing is not None:
        _end(missing, 2)
    console = Console(stderr=True)
    try:
        with console.status("Installing the SDK and the Firebase CLI from npm"):
            firebase_cli.install()
        with ExitStack() as stack:
            with console.status("Starting Google's emulators"):
                facts, log = start(stack)
            status = _run_node(facts)
            if status:
                print(f"\nWhat the functions logged as errors:\n{_errors(log)}", file=sys.stderr)
    except firebase_cli.NpmUnreachableError as error:
        _end(f"skipped: {error}" if if_missing == "skip" else str(error), 0 if if_missing == "skip" else 2)
    except (FunctionsStartError, RuntimeError) as error:
        _end(str(error), 1)
    raise typer.Exit(status)


def whats_missing() -> str | None:
    """Return what this machine lacks and what to do about it, in one line; None if the test can run."""
    missing = firebase_cli.whats_missing()
    if missing is not None:
        return missing
    official, how = find_official()
    if official is None:
        return (
            f"Google's Firestore emulator is needed: {how.rstrip('.')}; install Java 21 and run"
            " 'npx firebase-tools setup:emulators:firestore', or 'gcloud components install cloud-firestore-emulator'"
        )
    return None


def start(stack: ExitStack) -> tuple[dict[str, Any], Path]:
    """Start everything, to be stopped with `stack`; return what the test has to know, and the functions' log.

    Raises FunctionsStartError, FirestoreChoiceError or RuntimeError with what does not start, and why.
    """
    facts, log = _start_official(stack)
    facts["local"] = _start_local_cloud(stack)
    facts["photos"] = stack.enter_context(tempfile.TemporaryDirectory(prefix="ecolane-photos-"))
    for name, photo in drawn_photos().items():
        (Path(facts["photos"]) / name).write_bytes(photo)
    facts["declared"] = declared()
    facts["samples"] = sample_calls("{uid}")
    facts["reasons"] = {error.reason: code.value for error, code in CODES.items()}
    return facts, log


def _start_official(stack: ExitStack) -> tuple[dict[str, Any], Path]:
    """Start what `make dev SUITE=official` starts; return where its parts are, and the functions' log."""
    shop = deploy_params(SELLS="on", STRIPE_BASE_URL="http://127.0.0.1:1", STRIPE_API_KEY="stand-in")  # nobody answers
    cloud = stack.enter_context(
        ecolane_cloud(
            suite="official",
            firestore="official",
            standin={"batch_minutes": BATCH_MINUTES},
            stripe_webhook=None,
            **dict(zip(("params", "secrets"), shop, strict=True)),
        )
    )
    assert cloud.openai is not None  # noqa: S101  (no key is in the environment, see _OF_OTHERS)
    # A deploy on a bad day: neither Auth nor Firestore answers.
    params = deploy_params(OPENAI_BASE_URL=cloud.openai_base_url, OPENAI_API_KEY="stand-in")
    nowhere = dict.fromkeys(("FIRESTORE_EMULATOR_HOST", "FIREBASE_AUTH_EMULATOR_HOST"), "127.0.0.1:1")
    around = {"STORAGE_EMULATOR_HOST": cloud.storage_host, **nowhere}
    cut_off = FirebaseSuite(firebase_cli.CLI, ROOT, around, params, project=PROJECT, ports={"functions": 0})
    stack.callback(cut_off.stop)
    cut_off.start()
    facts = {
        "project": PROJECT,
        "region": REGION,
        "bucket": cloud.bucket,
        "functions": _address(cloud.functions_url),
        "cutOff": cut_off.hosts["functions"],
        "cutOffSettings": str(cut_off.settings_file),
        "auth": cloud.auth_host,
        "firestore": cloud.firestore.host,
        "storage": _address(cloud.storage_host),
        "openai": cloud.openai.admin_url,
        "discovered": [[trigger.name, trigger.kind, trigger.schedule] for trigger in cloud.triggers()],
    }
    return facts, cloud.logs


def _start_local_cloud(stack: ExitStack) -> dict[str, str]:
    """Start what `make dev` starts; return where its parts are."""
    local = stack.enter_context(ecolane_cloud(firestore="embedded"))
    open_shop(local)
    control = ControlServer(local)
    stack.callback(control.stop)
    control.start()
    return {
        "functions": _address(local.functions_url),
        "auth": local.auth_host,
        "firestore": local.firestore.app_host,
        "storage": _address(local.storage_host),
        "bucket": local.bucket,
        "control": control.url,
    }


def _address(url: str) -> str:
    return url.removeprefix("http://")


def declared() -> list[list[str | None]]:
    """Return every function that main.py declares: name, kind and schedule."""
    sys.path.insert(0, str(ROOT))
    rows = triggers_of(importlib.import_module("main"))
    return [[row["name"], row["trigger"], row.get("schedule")] for row in rows]


def _run_node(facts: dict[str, Any]) -> int:
    environment = {**os.environ, "ECOLANE_CLIENT_TEST": json.dumps(facts)}
    node = [
        "node",
        "--test",
        "--test-reporter=spec",
        "--test-concurrency=1",
        *sorted(file.name for file in firebase_cli.CLIENT.glob("*.test.mjs")),
    ]
    return subprocess.run(node, cwd=firebase_cli.CLIENT, env=environment, check=False).returncode  # noqa: S603


def _errors(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    found = [line for line in lines if '"severity": "ERROR"' in line or "Traceback" in line]
    return "\n".join(found[-_ERRORS_SHOWN:]) or "none"


def _end(reason: str, status: int) -> None:
    print(f"make test-client: {reason}", file=sys.stderr)
    raise typer.Exit(status)


if __name__ == "__main__":
    for name in _OF_OTHERS:
        os.environ.pop(name, None)
    typer.run(client_test)
