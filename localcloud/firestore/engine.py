"""What all calls share: the databases with their transactions and locks, the clock, the bill and the index rules."""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from localcloud.clock import utc_now

from .bill import Bill
from .errors import unauthenticated
from .history import History
from .indexes import IndexRules
from .locks import Owner
from .paths import check_database
from .protos import Message
from .security import Asking, Security
from .store import Database, Ticker
from .transactions import Timing, Transaction, Transactions
from .watchers import Watchers


class Session:
    """One database with its open transactions. Its past begins after the tick `empty_since`."""

    def __init__(self, name: str, timing: Timing, seconds: Callable[[], float], empty_since: int) -> None:
        self.database = Database(name, History(empty_since))
        self.transactions = Transactions(self.database, timing, seconds)
        self.watchers = Watchers(self.database)


@dataclass(frozen=True, slots=True)
class Caller:
    """An app's user, to whom security rules apply. A server client is None instead: it may do everything."""

    token: Mapping[str, Any] | None = None  # the claims of the ID token; None while nobody is signed in


@dataclass(eq=False, slots=True)
class Call:
    """One RPC being served, over all the times it is blocked and run again."""

    rpc: str
    caller: Caller | None = None  # None for a server client
    patient: bool = True  # False once it has waited for long enough
    transaction: Transaction | None = None  # begun by this call
    owner: Owner | None = None  # of a commit outside of any transaction
    session: Session | None = None
    done: list[Message] = field(default_factory=list)  # results of a batch's writes that are already applied


class Engine:
    """The state of a server. Everything but the bill is used under `mutex`."""

    def __init__(
        self,
        *,
        rules: IndexRules,
        security: Security | None = None,
        clock: Callable[[], datetime] = utc_now,
        timing: Timing | None = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.mutex = threading.Lock()
        self.rules = rules
        self.security = security or Security()
        self.bill = Bill()
        self.timing = timing or Timing()
        self.seconds = seconds
        self.tick = Ticker(clock)
        self.sessions: dict[str, Session] = {}
        self.run = secrets.token_bytes(8)  # in tokens, so that those of an earlier run are not mistaken for ours
        self.started = self.tick.now()
        self._cleared = 0

    def session(self, database: str) -> Session:
        """Return the session of a database, which exists from its first use on; any project and database id will do.

        Raises:
            FirestoreError: INVALID_ARGUMENT when `database` is not a database's full name.
        """
        found = self.sessions.get(database)
        if found is None:
            check_database(database)
            found = self.sessions[database] = Session(database, self.timing, self.seconds, self._cleared)
        return found

    def asking(self, session: Session, call: Call, at: int | None = None) -> Asking | None:
        """Return the app whose call has to be checked against the security rules; None for a server client.

        `at` is the tick that the call reads at, if it does so in the past.

        Raises:
            FirestoreError: UNAUTHENTICATED when the app's token is one of another project.
        """
        if call.caller is None:
            return None
        token, project = call.caller.token, session.database.name.split("/")[1]
        if token is not None and token.get("aud") != project:
            raise unauthenticated(f"its token is for the project {token.get('aud')}, the request for {project}")
        return Asking(token, session.database, self.tick(), self.bill, call.rpc, at)

    def clear(self) -> None:
        """Drop all databases and their past; open transactions end, and who waited for them goes on."""
        for session in self.sessions.values():
            session.transactions.end_all()
        watched = {name: session.watchers for name, session in self.sessions.items()}
        self.sessions.clear()
        self._cleared = self.tick()
        for name, watchers in watched.items():
            if watchers:
                session = self.session(name)
                session.watchers = watchers
                watchers.move(session.database)

    def clear_database(self, database: str) -> None:
        """Drop a database and its past, as `clear` does with all. Takes the mutex."""
        with self.mutex:
            others = {name: session for name, session in self.sessions.items() if name != database}
            if len(others) < len(self.sessions):
                self.sessions = {database: self.sessions[database]}
                self.clear()
                self.sessions |= others
