"""`make test-client`: the app's own SDK, under Node, against Google's emulators.

    the firebase JS SDK ──► Google's functions, auth and Firestore emulators, and our Storage
      tests/client                  │
                                    └──► OpenAI stand-in ──webhook──► the functions emulator

The protocols are those of FlutterFire. Google's Storage emulator needs a download at its first start, so Storage is the
local cloud's, which speaks the same protocol under the same rules. The local cloud as a whole serves the same app, too.
"""

import base64
import importlib
import json
import os
import re
import secrets
import shutil
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
from localcloud.firebase_suite import FirebaseSuite, bucket_of
from localcloud.firestore import OfficialFirestore, find_official
from localcloud.functions import triggers_of
from localcloud.functions_process import FunctionsStartError
from localcloud.openai import OpenAIStandIn
from localcloud.project import REGION
from localcloud.storage import StorageServer
from localcloud.storage_rules import StorageSecurity
from scripts import sample_answers
from scripts.drawings import drawn_photos
from scripts.ecolane_cloud import PROJECT, ROOT, deploy_params, ecolane_cloud
from scripts.sample_calls import sample_calls

CLIENT = ROOT / "tests" / "client"
CLI = CLIENT / "node_modules" / "firebase-tools" / "lib" / "bin" / "firebase.js"
NODE_MAJOR_MIN = 20
BATCH_MINUTES = 0.02  # how long the stand-in takes for a batch: about a second
_ERRORS_SHOWN = 10
_OF_OTHERS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "FIRESTORE", "FIRESTORE_EMULATOR_HOST")
"""Variables of the shell that would send the test elsewhere: to a model that costs money, to a project's data."""
_NO_NETWORK = re.compile(r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT)\b")
_INSTALL = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]


class NpmUnreachableError(RuntimeError):
    """npm's registry does not answer, and the packages are not here yet."""


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
            install()
        with ExitStack() as stack:
            with console.status("Starting Google's emulators"):
                facts, suite = start(stack)
            status = _run_node(facts)
            if status:
                print(f"\nWhat the functions logged as errors:\n{_errors(suite.log())}", file=sys.stderr)
    except NpmUnreachableError as error:
        _end(f"skipped: {error}" if if_missing == "skip" else str(error), 0 if if_missing == "skip" else 2)
    except (FunctionsStartError, RuntimeError) as error:
        _end(str(error), 1)
    raise typer.Exit(status)


def whats_missing() -> str | None:
    """Return what this machine lacks and what to do about it, in one line; None if the test can run."""
    node = shutil.which("node")
    printed = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout if node else ""  # noqa: S603
    version = re.match(r"v(\d+)", printed)
    if version is None or int(version[1]) < NODE_MAJOR_MIN or shutil.which("npm") is None:
        return f"Node {NODE_MAJOR_MIN} or newer with npm is needed (found: {printed.strip() or 'none'}); install it"
    runtime = json.loads((ROOT / "firebase.json").read_text(encoding="utf-8"))["functions"][0]["runtime"]
    python = f"python{runtime[6]}.{runtime[7:]}"
    if not (ROOT / "venv" / "bin" / python).exists():
        return f"the Firebase CLI wants {python} in venv/: run make clean, then make install PYTHON={python}"
    install, how = find_official()
    if install is None:
        return (
            f"Google's Firestore emulator is needed: {how.rstrip('.')}; install Java 21 and run"
            " 'npx firebase-tools setup:emulators:firestore', or 'gcloud components install cloud-firestore-emulator'"
        )
    return None


def install() -> None:
    """Install the packages of tests/client, unless they are there as the lock file has them.

    Raises NpmUnreachableError or RuntimeError with what npm said.
    """
    lock, done = CLIENT / "package-lock.json", CLIENT / "node_modules" / ".installed"
    if done.exists() and done.read_bytes() == lock.read_bytes():
        return
    # Without the packages' install scripts: none is needed, and one of them downloads.
    ended = subprocess.run(_INSTALL, cwd=CLIENT, capture_output=True, text=True, check=False)  # noqa: S603
    if ended.returncode:
        failed = NpmUnreachableError if _NO_NETWORK.search(ended.stderr) else RuntimeError
        raise failed(f"npm could not install the packages of tests/client:\n{ended.stderr.strip()}")
    done.write_bytes(lock.read_bytes())


def start(stack: ExitStack) -> tuple[dict[str, Any], FirebaseSuite]:
    """Start everything, to be stopped with `stack`; return what the test has to know, and the suite.

    Raises FunctionsStartError or RuntimeError with what does not start, and why.
    """
    facts, suite = _start_official(stack)
    facts["local"] = _start_local_cloud(stack)
    facts["photos"] = stack.enter_context(tempfile.TemporaryDirectory(prefix="ecolane-photos-"))
    for name, photo in drawn_photos().items():
        (Path(facts["photos"]) / name).write_bytes(photo)
    facts["declared"] = declared()
    facts["samples"] = sample_calls("{uid}")
    facts["reasons"] = {error.reason: code.value for error, code in CODES.items()}
    return facts, suite


def _start_official(stack: ExitStack) -> tuple[dict[str, Any], FirebaseSuite]:
    """Start Google's emulators with what they need around them; return where they are, and the suite."""
    firestore = OfficialFirestore(ROOT / "firestore.rules")
    stack.callback(firestore.stop)
    firestore.start()
    bucket = bucket_of(PROJECT)
    storage = StorageServer(bucket, project=PROJECT, security=StorageSecurity(ROOT / "storage.rules"))
    stack.callback(storage.stop)
    storage.start()
    webhook_secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    openai = OpenAIStandIn(answers=sample_answers.answers, batch_minutes=BATCH_MINUTES, webhook_secret=webhook_secret)
    stack.callback(openai.stop)
    openai.start()
    around = {"FIRESTORE_EMULATOR_HOST": firestore.host, "STORAGE_EMULATOR_HOST": storage.host}
    settings, hidden = deploy_params(
        OPENAI_BASE_URL=openai.base_url, OPENAI_API_KEY="stand-in", OPENAI_WEBHOOK_SECRET=webhook_secret
    )
    suite = FirebaseSuite(CLI, ROOT, around, settings, hidden, project=PROJECT)
    # A deploy on a bad day: neither Auth nor Firestore answers.
    nowhere = dict.fromkeys(("FIRESTORE_EMULATOR_HOST", "FIREBASE_AUTH_EMULATOR_HOST"), "127.0.0.1:1")
    cut_off = FirebaseSuite(CLI, ROOT, {**around, **nowhere}, settings, hidden, auth=False, project=PROJECT)
    for one in (suite, cut_off):  # not side by side: the CLI looks for a free port and takes it a while later
        stack.callback(one.stop)
        one.start()
    openai.settings.webhook_url = f"http://{suite.functions_host}/{PROJECT}/{REGION}/openai_webhook"
    facts = {
        "project": PROJECT,
        "region": REGION,
        "bucket": bucket,
        "functions": suite.functions_host,
        "cutOff": cut_off.functions_host,
        "cutOffSettings": str(cut_off.settings_file),
        "auth": suite.auth_host,
        "firestore": firestore.host,
        "storage": _address(storage.host),
        "openai": openai.admin_url,
        "discovered": [[trigger.name, trigger.kind, trigger.schedule] for trigger in suite.triggers()],
    }
    return facts, suite


def _start_local_cloud(stack: ExitStack) -> dict[str, str]:
    """Start what `make dev FIRESTORE=official` starts; return where its parts are."""
    local = stack.enter_context(ecolane_cloud(firestore="official"))
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
        *sorted(file.name for file in CLIENT.glob("*.test.mjs")),
    ]
    return subprocess.run(node, cwd=CLIENT, env=environment, check=False).returncode  # noqa: S603


def _errors(log: str) -> str:
    found = [line for line in log.splitlines() if '"severity": "ERROR"' in line or "Traceback" in line]
    return "\n".join(found[-_ERRORS_SHOWN:]) or "none"


def _end(reason: str, status: int) -> None:
    print(f"make test-client: {reason}", file=sys.stderr)
    raise typer.Exit(status)


if __name__ == "__main__":
    for name in _OF_OTHERS:
        os.environ.pop(name, None)
    typer.run(client_test)
