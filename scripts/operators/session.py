"""What every command of an operator shares: its options, the way to the project, the question before a change."""

import getpass
import inspect
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, wraps
from pathlib import Path
from typing import Annotated, Any, Concatenate, NoReturn, ParamSpec, TypeVar

import firebase_admin
import typer
from firebase_admin.exceptions import FirebaseError
from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from functions.adapters import storage
from functions.adapters.bounded_http import provider_http
from functions.adapters.firestore import DamagedDocumentError, connected
from functions.core.model.image_tokens import UnknownImageTokensError
from functions.core.model.usage import UnknownPriceError
from functions.core.shared.errors import EcolaneError
from functions.core.shared.plain_text import cleaned, visible
from functions.core.shared.records import problems
from functions.deploy.params import ConfigurationError, load_settings
from functions.edge.callables import connect_firebase
from functions.wiring import Clock, Deps
from scripts.operators.bucket import OperatorFiles
from scripts.operators.printing import TO_MEND, changes_table, damaged_line, print_json, screen
from scripts.operators.repairs_by_hand import AuditEntry
from scripts.operators.store import OperatorStore
from scripts.operators.stripe_by_hand import OperatorStripe

Project = Annotated[
    str, typer.Option(envvar=["GCLOUD_PROJECT", "GOOGLE_CLOUD_PROJECT"], help="Firebase project.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
By = Annotated[
    str, typer.Option("--by", envvar="ECOLANE_OPERATOR", help="Who you are, for the audit.", show_default="login name")
]
Uid = Annotated[str, typer.Argument(help="The user's uid in Firebase Auth.")]

WHY_CHARACTERS_MAX = 200


def _reason(text: str) -> str:
    if not 1 <= len(text.strip()) <= WHY_CHARACTERS_MAX:
        raise typer.BadParameter(f"say why, in at most {WHY_CHARACTERS_MAX} characters")
    return text.strip()


Why = Annotated[
    str, typer.Option("--why", callback=_reason, help="The reason, for the audit. The user sees the reason of a grant.")
]

_PARAMS = {
    *("DAILY_BUDGET_USD_MAX", "ENFORCE_APP_CHECK", "FLAGS", "REMOTE_CONFIG"),
    *("OPENAI_MODEL", "OPENAI_BASE_URL", "ANTHROPIC_MODEL", "ANTHROPIC_BASE_URL"),
    *("AZURE_MODEL", "AZURE_DEPLOYMENT", "AZURE_BASE_URL", "AZURE_ZONE"),
}
"""Params of the deploy that answers here depend on; `firebase deploy` keeps them in .env files."""

_ROOT = Path(__file__).resolve().parents[2]


class RefusedError(Exception):
    """A command cannot do what was asked. The message is one line that says why."""


class OperatorDeps(Deps):
    """A process's dependencies, with what only operators do."""

    @cached_property
    def store(self) -> OperatorStore:
        return OperatorStore(connected(self.settings.project))

    @cached_property
    def files(self) -> OperatorFiles:
        sign = storage.emulated_url if self.settings.emulated else storage.signed_url
        return OperatorFiles(storage.connected(self.settings.project), self.settings.bucket, sign)

    @cached_property
    def stripe(self) -> OperatorStripe:
        if not self.settings.stripe_api_key:
            raise RefusedError("STRIPE_API_KEY is not set: give this shell a key of Stripe's")
        return OperatorStripe(provider_http(), self.settings.stripe_base_url, self.settings.stripe_api_key)


@dataclass(frozen=True)
class Operation:
    """One run of a command: its project, the time when it began, and the options that commands share."""

    deps: OperatorDeps
    project: str
    as_json: bool
    now: datetime
    yes: bool = False
    by: str = ""
    why: str = "by hand"

    @property
    def store(self) -> OperatorStore:
        return self.deps.store

    def show(self, data: Any, answer: str | Callable[[Console], None]) -> None:
        """Print an answer: `data` as JSON, or `answer` for people, a sentence or a function that prints."""
        if self.as_json:
            print_json(data)
        elif isinstance(answer, str):
            screen().print(escape(cleaned(answer)), soft_wrap=True)
        else:
            answer(screen())

    def ask(self, changed: Sequence[Mapping[str, Any]], title: str, *, follows: Sequence[str] = ()) -> None:
        """Show what would change and what follows from it, and ask. Ends the command unless the operator agrees."""
        console = screen(as_json=self.as_json)
        where = place(self.project, os.environ.get("FIRESTORE_EMULATOR_HOST"))
        console.print(escape(f"{where}: {cleaned(title)}"), style="bold", soft_wrap=True)
        console.print(changes_table(changed))
        for sentence in follows:
            console.print(escape(sentence), soft_wrap=True)
        if self.yes:
            return
        try:
            agreed = typer.confirm("Do it?", err=self.as_json)
        except typer.Abort:
            agreed = False
        if not agreed:
            fail("admin", "nothing was changed")

    def audit(
        self, action: str, target: str, changed: Sequence[Mapping[str, Any]] = (), *, audit_id: str = ""
    ) -> AuditEntry:
        """Return the audit entry of a change. `audit_id` names a change that happens once; without it the id is new."""
        return AuditEntry(
            audit_id=audit_id or f"{action}:{uuid.uuid4().hex}",
            action=action,
            target=target,
            by=self.by,
            why=self.why,
            at=self.now,
            changed=tuple(dict(each) for each in changed),
        )


P = ParamSpec("P")
S = TypeVar("S")


def command(
    opening: Callable[..., AbstractContextManager[S]],
) -> Callable[[Callable[Concatenate[S, P], None]], Callable[..., None]]:
    """Make a command of a function whose first parameter is what `opening` yields. The command takes the function's
    other parameters, then those of `opening`."""
    shared = inspect.signature(opening, eval_str=True).parameters

    def decorate(body: Callable[Concatenate[S, P], None]) -> Callable[..., None]:
        _, *own = inspect.signature(body, eval_str=True).parameters.values()

        @wraps(body)
        def run(**given: Any) -> None:
            with opening(**{name: given.pop(name) for name in shared}) as opened:
                body(opened, **given)  # type: ignore[call-arg]  # typer gives what the signature below says

        parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*own, *shared.values())]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        return run

    return decorate


@contextmanager
def looking(project: Project, as_json: AsJson = False) -> Iterator[Operation]:
    """Open a command that changes nothing."""
    with one_line("admin", f"Firestore of {project}"):
        deps = connect(project)
        yield Operation(deps, project, as_json, deps.clock())


@contextmanager
def changing(project: Project, by: By = "", yes: Yes = False, as_json: AsJson = False) -> Iterator[Operation]:
    """Open a command that changes something, on record."""
    with looking(project, as_json) as operation:
        yield replace(operation, yes=yes, by=by or getpass.getuser())


@contextmanager
def changing_for(
    project: Project, why: Why, by: By = "", yes: Yes = False, as_json: AsJson = False
) -> Iterator[Operation]:
    """Open a command that changes something for a reason, on record."""
    with changing(project, by, yes, as_json) as operation:
        yield replace(operation, why=why)


def connect(project: str) -> OperatorDeps:
    """Return the dependencies of a process of this project: the functions' own, with the operator's credentials."""
    os.environ["GCLOUD_PROJECT"] = project
    for name, value in deployed_params(project).items():
        os.environ.setdefault(name, value)
    settings = load_settings()
    if settings.remote_config:
        connect_firebase()  # its template is fetched through the Admin SDK
    return OperatorDeps(settings, _clock())


def deployed_params(project: str) -> dict[str, str]:
    """Read the params that were deployed, from the files in which the Firebase CLI keeps them; a project's own win."""
    found: dict[str, str] = {}
    for path in (_ROOT / ".env", _ROOT / f".env.{project}"):
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
        found |= {name.strip(): value.strip().strip("\"'") for name, value in pairs if name.strip() in _PARAMS}
    return found


def _clock() -> Clock:
    """Return the clock: that of a local cloud whose clock was moved, else the machine's."""
    moved = os.environ.get("LOCALCLOUD_CLOCK")
    if moved and Path(moved).exists():
        from localcloud.clock import MovableClock  # noqa: PLC0415  (there is none in production)

        return MovableClock(Path(moved))
    return lambda: datetime.now(UTC)


@contextmanager
def one_line(program: str, service: str, *refusals: type[Exception]) -> Iterator[None]:
    """Turn an error into one line that names the program, and exit status 1. An API's error names the service, too.
    `refusals` are errors whose own text is that line."""
    try:
        yield
    except (exceptions.GoogleAPICallError, exceptions.RetryError) as error:
        fail(program, f"{service}: {_first_line(getattr(error, 'message', '') or error)}")
    except GoogleAuthError as error:
        fail(program, f"no Google credentials: {_first_line(error)} Try: gcloud auth application-default login")
    except (RefusedError, ConfigurationError, UnknownPriceError, UnknownImageTokensError) as error:
        fail(program, _first_line(error.args[0]))
    except refusals as error:
        fail(program, _first_line(error.args[0]))
    except EcolaneError as error:
        fail(program, error.message)
    except DamagedDocumentError as error:
        fail(program, damaged_line(error.damaged))
    except ValidationError as error:
        fail(program, f"a document is damaged: {'; '.join(': '.join(each) for each in problems(error)[:1])}. {TO_MEND}")


def _first_line(text: object) -> str:
    return (str(text).splitlines() or [type(text).__name__])[0]


def fail(program: str, reason: str) -> NoReturn:
    """End the command with one line on standard error, and exit status 1."""
    print(visible(f"{program}: {reason}"), file=sys.stderr)
    raise typer.Exit(1)


@contextmanager
def authenticated(project: str) -> Iterator[firebase_admin.App]:
    """Connect to the project's Firebase Auth."""
    app = firebase_admin.initialize_app(options={"projectId": project}, name="operators")
    try:
        yield app
    except (FirebaseError, ValueError) as error:
        raise RefusedError(f"Firebase Auth of {project}: {error}") from error
    finally:
        firebase_admin.delete_app(app)


def place(project: str, emulator: str | None) -> str:
    """Return where a command acts: in which project, and whether that is an emulator's."""
    return f"Emulator at {emulator}, project {project}" if emulator else f"Project {project}"


def document_id(text: str) -> str:
    """Return an id that is safe in a path. Raises RefusedError if it is none."""
    if not text or "/" in text or text in {".", ".."} or len(text) > 1_500:
        raise RefusedError(f"{text!r} is no id")
    return text
