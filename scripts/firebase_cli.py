"""The Firebase CLI and the app's SDK, as tests/client locks them: what they need, and their installation."""

import json
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CLIENT = ROOT / "tests" / "client"
CLI = CLIENT / "node_modules" / ".bin" / "firebase"
NODE_MAJOR_MIN = 20
_NO_NETWORK = re.compile(r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT)\b")
_INSTALL = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]


class NpmUnreachableError(RuntimeError):
    """npm's registry does not answer, and the packages are not here yet."""


def whats_missing() -> str | None:
    """Return what this machine lacks for the CLI and what to do about it, in one line; None if it can run."""
    node = shutil.which("node")
    printed = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout if node else ""  # noqa: S603
    version = re.match(r"v(\d+)", printed)
    if version is None or int(version[1]) < NODE_MAJOR_MIN or shutil.which("npm") is None:
        return f"Node {NODE_MAJOR_MIN} or newer with npm is needed (found: {printed.strip() or 'none'}); install it"
    runtime = json.loads((ROOT / "firebase.json").read_text(encoding="utf-8"))["functions"][0]["runtime"]
    python = f"python{runtime[6]}.{runtime[7:]}"
    if not (ROOT / "venv" / "bin" / python).exists():
        return f"the Firebase CLI wants {python} in venv/: run make clean, then make install PYTHON={python}"
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
