"""Which targets a changed document concerns: the way from a commit to those who listen.

Targets are found by what they compare by equality, as documents are in an index: of a thousand listeners to
`jobs where uid == ...` a commit wakes the few whose `uid` the document has or had. While nobody listens to a database,
its commits know nothing of this.
"""

from collections import Counter

from .history import StoredDocument
from .ordered_index import FieldPath, prefixes
from .protos import DocumentPb
from .store import Database, Scope, scopes_of
from .targets import Place, Target

Form = tuple[tuple[FieldPath, ...], FieldPath | None]
"""The fields that a query compares by equality, and the array it looks into."""


class Watchers:
    """The targets of one database. Not thread-safe: used under the engine's mutex."""

    def __init__(self, database: Database) -> None:
        self.database = database
        # Dictionaries serve as sets that keep their order: who is woken first must not depend on hashes.
        self._targets: dict[Place | str, dict[Target, None]] = {}
        self._forms: dict[Scope, Counter[Form]] = {}

    def __bool__(self) -> bool:
        return bool(self._targets)

    def add(self, target: Target) -> None:
        """Tell a target of changes from now on."""
        for place in dict.fromkeys(target.places):
            self._targets.setdefault(place, {})[target] = None
            if isinstance(place, Place):
                self._forms.setdefault(place.scope, Counter())[place.equal, place.contains] += 1
        self.database.on_change = self._note

    def remove(self, target: Target) -> None:
        """Leave a target alone from now on."""
        for place in dict.fromkeys(target.places):
            del self._targets[place][target]
            if not self._targets[place]:
                del self._targets[place]
            if isinstance(place, Place):
                forms = self._forms[place.scope]
                forms[place.equal, place.contains] -= 1
                self._forms[place.scope] = +forms  # without those that nobody uses
                if not self._forms[place.scope]:
                    del self._forms[place.scope]
        if not self._targets:
            self.database.on_change = None

    def move(self, database: Database) -> None:
        """Watch what has replaced the database, where every document may be another."""
        self.database = database
        for target in {target: None for targets in self._targets.values() for target in targets}:
            database.on_change = self._note
            target.note_all()

    def _note(self, path: str, old: StoredDocument | None, new: DocumentPb | None) -> None:
        concerned = dict(self._targets.get(path, {}))
        before: DocumentPb | None = None
        for scope in scopes_of(path):
            for equal, contains in self._forms.get(scope, ()):
                if before is None and old is not None:
                    before = old.parse()
                for document in (before, new):
                    if document is not None:
                        for values in prefixes(equal, contains, path, document):
                            concerned.update(self._targets.get(Place(scope, equal, contains, values), {}))
        for target in concerned:
            target.note(path)
