"""What the pages take from npm is as it was packed, and small enough for a telephone."""

import hashlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VENDOR = ROOT / "web" / "vendor"
SUMS = {name: digest for digest, name in map(str.split, (VENDOR / "SHA256SUMS").read_text().splitlines())}
PACKAGES = json.loads((ROOT / "scripts" / "vendor" / "package.json").read_text())["dependencies"]


@pytest.mark.parametrize("name", SUMS)
def test_a_packed_file_is_what_make_vendor_has_made(name: str) -> None:
    """Nobody has edited it by hand: run `make vendor`, and commit what comes."""
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == SUMS[name]


def test_nothing_else_is_packed() -> None:
    """Every file is on the list."""
    assert {path.name for path in VENDOR.iterdir()} == SUMS.keys() | {"SHA256SUMS"}


def test_the_packages_are_pinned_and_named_with_their_licences() -> None:
    """Each version is an exact one, stands in the packed files, and its licence beside them."""
    licences, packed = (VENDOR / "LICENSES.txt").read_text(), (VENDOR / "firebase.js").read_text()[:200]
    for name, version in PACKAGES.items():
        assert version.replace(".", "").isdigit()
        assert name == "esbuild" or (f"{name} {version}:" in licences and f"{name} {version}" in packed)
