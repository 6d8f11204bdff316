"""`make audit`: does PyPI know a vulnerability of a version that is locked?

Asks PyPI's advisories (pip-audit) about every package of the lock. It says "clean" only if each package was looked up.
Behind a mirror without advisories, or without a network, it reports the packages that are unknown.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
LOCK = "requirements-dev.txt"  # holds what the other locks hold, at the same versions
SECONDS_MAX = 300
VULNERABLE, UNKNOWN = 1, 2


def audit(
    if_missing: Annotated[str, typer.Option(help="what to do where PyPI does not say: fail, or skip")] = "fail",
) -> None:
    """Look up every locked package. Exit status 1 for a known vulnerability, 2 if a package could not be looked up."""
    if if_missing not in {"fail", "skip"}:
        _end(f"--if-missing is fail or skip, not {if_missing!r}", UNKNOWN)
    with Console(stderr=True).status("Asking PyPI about every locked package"):
        found = looked_up()
    vulnerable = {
        f"{package['name']} {package['version']}: {advisory['id']}, fixed in {advisory['fix_versions'] or 'none'}"
        for package in found
        for advisory in package.get("vulns", [])
    }
    if vulnerable:
        _end("\n".join([*sorted(vulnerable), "Upgrade: make lock PACKAGE=name"]), VULNERABLE)
    names = {package["name"] for package in found}
    unknown = {package["name"]: package["skip_reason"] for package in found if "skip_reason" in package}
    if unknown or not names:
        problem = f"not audited: PyPI's advisories were not available for {len(unknown)} of {len(names)} packages"
        problem += "".join(f"; {why}" for why in [*unknown.values()][:1])
        _end(f"{'skipped: ' if if_missing == 'skip' else ''}{problem}", 0 if if_missing == "skip" else UNKNOWN)
    _end(f"clean: no known vulnerability in {len(names)} packages", 0)


def looked_up() -> list[dict[str, Any]]:
    """Return pip-audit's findings for each locked package, or one finding with the reason if it failed."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--requirement",
        str(ROOT / LOCK),
        "--require-hashes",
        "--disable-pip",
    ]
    command += ["--vulnerability-service", "pypi", "--format", "json", "--progress-spinner", "off"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS_MAX)  # noqa: S603
    try:
        dependencies: list[dict[str, Any]] = json.loads(ran.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return [{"name": LOCK, "skip_reason": (ran.stderr.strip().splitlines() or ["pip-audit says nothing"])[-1]}]
    return dependencies


def _end(text: str, status: int) -> NoReturn:
    print(text, file=sys.stderr if status else sys.stdout)
    raise SystemExit(status)


if __name__ == "__main__":
    typer.run(audit)
