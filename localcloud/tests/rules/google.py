"""Google's rules engine, out of the jar of its Firestore emulator, for comparisons with ours."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from localcloud.firestore import OfficialInstall, find_official

PROGRAM = Path(__file__).with_name("GoogleRules.java")


class Question(NamedTuple):
    """A request, and the rules that decide on it. `request` and `resource` are JSON."""

    rules: str
    service: str
    method: str
    path: str
    request: Any
    resource: Any = None


class GoogleRules:
    """The engine as a process that answers one question after another."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, question: Question) -> str:
        """Return `allowed`, `denied`, `error` if no condition holds and one has no value, or `refused` for the file.

        It is `crashed` where Google's compiler ends with an exception.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question._asdict()) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        assert answer, "Google's engine has ended"
        return answer


def found() -> OfficialInstall:
    """Find the jar and a JDK, which has the compiler; skip where one of them is missing, saying which."""
    install, reason = find_official()
    if install is None or install.jar is None:
        pytest.skip(reason)
    command = [str(install.java), "--list-modules"]
    modules = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 (Java as found)
    if "jdk.compiler" not in modules:
        pytest.skip(f"{install.java} is a runtime without a compiler, which a JDK has")
    return install


@contextmanager
def google_rules() -> Iterator[GoogleRules]:
    """Run Google's engine."""
    install = found()
    command = [str(install.java), "-XX:TieredStopAtLevel=1", "-cp", str(install.jar), str(PROGRAM)]
    with subprocess.Popen(  # noqa: S603 (Java as found)
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield GoogleRules(process)
        finally:
            process.kill()
