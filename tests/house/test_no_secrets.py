"""No key, token or password is in the repository, nor was ever. Needs no network, so it runs with every test."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import default_settings, transient_settings

ROOT = Path(__file__).resolve().parents[2]

LOUD = {"KeywordDetector", "IPPublicDetector"}
"""Detectors that take any variable called `secret`, and any address, for one."""

ALSO = {
    "Google API key": re.compile(r"AIza[0-9A-Za-z_-]{35}"),
    "Google OAuth secret": re.compile(r"GOCSPX-[0-9A-Za-z_-]{28}"),
    "Google access token": re.compile(r"ya29\.[0-9A-Za-z_-]{30,}"),
    "OpenAI key": re.compile(r"sk-(?:proj-|svcacct-|admin-)?[0-9A-Za-z_-]{40,}"),
    "webhook secret": re.compile(r"whsec_[0-9A-Za-z+/=]{24,}"),
    "FCM server key": re.compile(r"AAAA[0-9A-Za-z_-]{7}:[0-9A-Za-z_-]{140}"),
}
"""Those of the services in use that the scanner does not know, or knows only in other forms."""

NOT_OURS = {"requirements.txt", "requirements-local.txt", "requirements-dev.txt", "package-lock.json"}
"""Locks: nothing but hashes of files."""

PACKED = "web/vendor/"
"""What others have published, as their packages have it: test_vendor.py holds it to its checksums."""


SEEN_TO_BE_NONE = {
    "photo_files.py": r'^    "(89504e47|8383938b)',  # a picture
    "test_admin_program.py": "OPENAI_MODEL=gpt-5-nano",
    "test_logs.py": "TRACE, SPAN =",  # of the standard's own example
    "test_openai.py": "sk-proj-a1b2",  # what a provider may say in place of a code
    "test_prompts.py": "WORDINGS =|009984fe",  # hashes
    "test_uploads.py": "ba7816bf",  # the digest of "abc"
}
"""Lines of earlier commits that look like secrets and carry no mark, by file: what they have in them."""


def git(*arguments: str) -> str:
    """Return what Git says of this checkout."""
    program = shutil.which("git")
    if program is None or not (ROOT / ".git").exists():
        pytest.skip("this is no Git checkout: nothing tells what belongs to the repository")
    ran = subprocess.run([program, *arguments], cwd=ROOT, capture_output=True, check=True)  # noqa: S603
    return ran.stdout.decode(errors="replace")


def tracked() -> list[Path]:
    """Return the text files that Git knows, and those that it would take up."""
    names = git("ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    files = [ROOT / name for name in names if name and not name.startswith(PACKED)]
    return [file for file in files if file.is_file() and file.name not in NOT_OURS]


def removed() -> dict[str, list[str]]:
    """Return by file the lines that a commit has once added and that are there no more."""
    added: dict[str, dict[str, None]] = {}
    lines: dict[str, None] = {}
    history = ["log", "--patch", "--unified=0", "--no-color", "--no-renames", "--format=", "--output-indicator-new=>"]
    for line in git(*history).split("\n"):
        if line.startswith("+++ "):
            lines = added.setdefault(line.removeprefix("+++ ").removeprefix("b/"), {})
        elif line.startswith(">"):
            lines[line[1:]] = None
    there = {name: (ROOT / name).read_text("utf-8", "replace") for name in added if (ROOT / name).is_file()}
    gone = {name: set(lines) - set(there.get(name, "").split("\n")) for name, lines in added.items()}
    return {
        name: [line for line in added[name] if line in lines]
        for name, lines in gone.items()
        if lines and Path(name).name not in NOT_OURS and not name.startswith(PACKED)
    }


def secrets_in(file: Path) -> Iterator[str]:
    """Yield what looks like a secret: the line and the kind, not the secret."""
    with default_settings() as known:
        plugins = [plugin for plugin in known.json()["plugins_used"] if plugin["name"] not in LOUD]
        filters = list(known.json()["filters_used"])
    with transient_settings({"plugins_used": plugins, "filters_used": filters}):
        found = SecretsCollection()
        found.scan_file(str(file))
    for _, secret in found:
        yield f"{file.name}:{secret.line_number} {secret.type}"
    for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        for kind, pattern in ALSO.items():
            if pattern.search(line) and "pragma: allowlist secret" not in line:
                yield f"{file.name}:{number} {kind}"


def test_no_secret_is_in_the_repository() -> None:
    """What looks like one and is none carries `pragma: allowlist secret` on its line, with the reason."""
    assert [found for file in tracked() for found in secrets_in(file)] == []


def test_no_secret_was_ever_committed(tmp_path: Path) -> None:
    """What was taken out again is in the history all the same: whoever clones the repository has it."""
    found = []
    for number, (name, lines) in enumerate(removed().items()):
        known = SEEN_TO_BE_NONE.get(Path(name).name)
        file = tmp_path / str(number) / Path(name).name
        file.parent.mkdir()
        file.write_text("\n".join(line for line in lines if not (known and re.search(known, line))), encoding="utf-8")
        found += [f"{name} (once): {secret}" for secret in secrets_in(file)]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "key = 'AIza" + "SyD4" * 9 + "'",
        "OPENAI_API_KEY=sk-proj-" + "aB3" * 20,
        "OPENAI_WEBHOOK_SECRET=whsec_" + "aB3d" * 8,
        "-----BEGIN " + "PRIVATE KEY-----",
        "aws = 'AKIA" + "IOSFODNN7EXAMPLQ'",
        "token: gh" + "p_" + "aB3d" * 9,
        "jwt = 'eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U'",
        "client_secret: GOC" + "SPX-" + "aB3d" * 7,
        "x = 'https://user:" + "hunter2secret@db.example.org/'",
        "salt = '" + "".join(f"{number * 37 % 251:02x}" for number in range(16)) + "'",
    ],
)
def test_the_scan_knows_a_secret_when_it_sees_one(tmp_path: Path, line: str) -> None:
    """Keys of the services in use, private keys, tokens, passwords in addresses, and what is random."""
    file = tmp_path / "settings.py"
    file.write_text(f"a = 1\n{line}\n", encoding="utf-8")
    assert [found.split()[0] for found in secrets_in(file)][:1] == ["settings.py:2"]
