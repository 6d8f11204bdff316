"""The objects of an account, each with all the states that it has been in: what is read may be an old one."""

import copy
import threading
from collections.abc import Callable
from typing import Any

from localcloud.stripe.errors import no_such

Object = dict[str, Any]


class Objects:
    """Every object by its id. What is returned is a copy; `put` makes a change."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Begin empty; `now` returns seconds since 1970. Whoever reads or writes them holds `lock`."""
        self.lock = threading.RLock()
        self._now = now
        self._states: dict[str, list[tuple[float, Object]]] = {}

    def put(self, each: Object) -> Object:
        """Store an object's new state, and return it."""
        self._states.setdefault(each["id"], []).append((self._now(), copy.deepcopy(each)))
        return each

    def change(self, object_id: str, **changes: Any) -> Object:
        """Change fields of an object that is there, and return it."""
        return self.put({**self.get(object_id), **changes})

    def get(self, object_id: str, kind: str = "", at: float | None = None) -> Object:
        """Return an object as it is, or as it was.

        Raises:
            ApiError: there is none of this id, or it is of another kind.
        """
        states = self._states.get(object_id, [])
        seen = [state for when, state in states if at is None or when <= at]
        if not seen or (kind and seen[-1]["object"] != kind):
            raise no_such(kind.rpartition(".")[2] or "object", object_id)
        return copy.deepcopy(seen[-1])

    def has(self, object_id: object) -> bool:
        """Tell whether this is the id of an object."""
        return isinstance(object_id, str) and object_id in self._states

    def all(self, kind: str, at: float | None = None, **fields: object) -> list[Object]:
        """Return the objects of a kind with these fields, newest first."""
        found = []
        for states in reversed(self._states.values()):
            seen = [state for when, state in states if at is None or when <= at]
            if seen and seen[-1]["object"] == kind and all(seen[-1].get(name) == each for name, each in fields.items()):
                found.append(copy.deepcopy(seen[-1]))
        return found
