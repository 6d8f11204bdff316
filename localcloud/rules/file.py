"""The rules that are in force: those of a file, read again whenever it changes."""

from pathlib import Path

from .errors import RulesError
from .ruleset import Ruleset


class RulesFile:
    """A file of rules for one service. Without one, or while it does not exist, nothing is allowed.

    Raises:
        RulesError: the file cannot be loaded.
    """

    def __init__(self, path: Path | None, service: str) -> None:
        self._path, self._service = path, service
        self._version: object = None
        self._rules = Ruleset.none()
        self._replaced: dict[str, Ruleset] = {}
        self._error: RulesError | None = None
        self.current()

    def current(self, project: str = "") -> Ruleset:
        """Return the rules of a project: those put in force for it, else the file's as it is now.

        Raises:
            RulesError: the file has changed, and cannot be loaded.
        """
        version = self._read_version()
        if version != self._version:
            self._version, self._error = version, None
            self._replaced.clear()
            try:
                there = self._path if version is not None else None
                self._rules = Ruleset.none() if there is None else Ruleset.load(there, self._service)
            except RulesError as error:
                self._error = error
        if project in self._replaced:
            return self._replaced[project]
        if self._error is not None:
            raise self._error
        return self._rules

    def replace(self, project: str, text: str, name: str) -> None:
        """Put other rules in force for a project, until the file changes; `name` is what errors call them.

        Raises:
            RulesError: the text cannot be loaded; the rules stay as they are.
        """
        self._replaced[project] = Ruleset.of(text, self._service, name)

    def _read_version(self) -> object:
        if self._path is None:
            return None
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
