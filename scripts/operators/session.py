"""What every command of an operator shares: the way to the project, how answers are printed, how money is asked for."""

import getpass
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import firebase_admin
import typer
from firebase_admin.exceptions import FirebaseError
from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from pydantic import ValidationError
from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from functions.adapters.firestore import BoundedClient, DamagedDocument, DamagedDocumentError
from functions.core.model.image_tokens import UnknownImageTokensError
from functions.core.model.usage import UnknownPriceError
from functions.core.shared.errors import EcolaneError
from functions.core.shared.plain_text import cleaned, escaped_json, visible
from functions.core.shared.records import problems
from functions.deploy.params import ConfigurationError, load_settings
from functions.edge.callables import connect_firebase
from functions.wiring import Clock, Deps
from scripts.operators.store import OperatorStore

Project = Annotated[
    str, typer.Option(envvar=["GCLOUD_PROJECT", "GOOGLE_CLOUD_PROJECT"], help="Firebase project.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
By = Annotated[
    str,
    typer.Option("--by", envvar="ECOLANE_OPERATOR", help="Who you are, for the audit.", show_default="login name"),
]
WHY_CHARACTERS_MAX = 200


def _reason(text: str) -> str:
    if not 1 <= len(text.strip()) <= WHY_CHARACTERS_MAX:
        raise typer.BadParameter(f"say why, in at most {WHY_CHARACTERS_MAX} characters")
    return text.strip()


Why = Annotated[
    str, typer.Option("--why", callback=_reason, help="The reason, for the audit; users see that of a grant.")
]

_PARAMS = {"DAILY_BUDGET_USD_MAX", "ENFORCE_APP_CHECK", "OPENAI_MODEL", "OPENAI_BASE_URL", "REMOTE_CONFIG"}
"""Params of the deploy that answers here depend on; `firebase deploy` keeps them in .env files."""

_ROOT = Path(__file__).resolve().parents[2]


WIDTH_MIN = 110
"""Of a file or a pipe: what two ids and their figures take. In a terminal that is narrower, tables become lists."""


class RefusedError(Exception):
    """A command cannot do what was asked. The message is one line that says why."""


class OperatorDeps(Deps):
    """A process's dependencies, with what only operators do."""

    @cached_property
    def store(self) -> OperatorStore:
        """Firestore."""
        return OperatorStore(BoundedClient(project=self.settings.project))


def connect(project: str) -> OperatorDeps:
    """Return the dependencies of a process of this project: the functions' own, with the operator's credentials."""
    os.environ["GCLOUD_PROJECT"] = project
    for name, value in deployed_params(project).items():
        os.environ.setdefault(name, value)
    settings = load_settings()
    if settings.remote_config:
        connect_firebase()  # its template is fetched through the Admin SDK
    return OperatorDeps(settings, _clock())


def deployed_params(project: str, folder: Path = _ROOT) -> dict[str, str]:
    """Read the params that were deployed, from the files in which the Firebase CLI keeps them; a project's own win."""
    found: dict[str, str] = {}
    for path in (folder / ".env", folder / f".env.{project}"):
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
        found |= {name.strip(): value.strip().strip("\"'") for name, value in pairs if name.strip() in _PARAMS}
    return found


def _clock() -> Clock:
    """The machine's time; in a local cloud whose clock was moved, that one."""
    moved = os.environ.get("ECOLANE_CLOCK")
    if moved and Path(moved).exists():
        from localcloud.clock import MovableClock  # noqa: PLC0415  (there is none in production)

        return MovableClock(Path(moved))
    return lambda: datetime.now(UTC)


def login() -> str:
    """Return the login name, for an audit that was given no other."""
    return getpass.getuser()


@contextmanager
def connected(project: str) -> Iterator[OperatorDeps]:
    """Connect, and turn what goes wrong into one clear line and exit status 1."""
    try:
        yield connect(project)
    except (exceptions.GoogleAPICallError, exceptions.RetryError) as error:
        _fail(f"Firestore of {project}: {_first_line(getattr(error, 'message', '') or error)}")
    except GoogleAuthError as error:
        _fail(f"no Google credentials: {_first_line(error)} Try: gcloud auth application-default login")
    except (RefusedError, ConfigurationError, UnknownPriceError, UnknownImageTokensError) as error:
        _fail(_first_line(error.args[0]))
    except EcolaneError as error:
        _fail(error.message)
    except DamagedDocumentError as error:
        _fail(damaged_line(error.damaged))
    except ValidationError as error:
        _fail(f"a document is damaged: {'; '.join(': '.join(each) for each in problems(error)[:1])}. {TO_MEND}")


TO_MEND = "Correct the field in the console, or remove the document if it is of no use."


def damaged_line(damaged: DamagedDocument) -> str:
    """Return what is wrong with a document, and what to do about it, in one line."""
    users, uid, *_ = damaged.path.split("/")
    is_wallet = users == "users" and damaged.path.endswith("/wallet/main")
    return cleaned(f"{damaged}. {f'Make it anew: admin repair {uid}' if is_wallet else TO_MEND}")


def show_damaged(console: Console, found: Sequence[object]) -> None:
    """Print a line for each document of a list that cannot be read."""
    for each in getattr(found, "damaged", ()):
        console.print(f"[red]damaged[/] {escape(damaged_line(each))}")


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


def _first_line(text: object) -> str:
    return (str(text).splitlines() or [type(text).__name__])[0]


def _fail(reason: str) -> None:
    print(visible(f"admin: {reason}"), file=sys.stderr)
    raise typer.Exit(1)


class Screen(Console):
    """A terminal to which texts of others may be printed: a user's id, a provider's words. Whatever is a text comes
    through here, in a table's cell as well, and leaves behind what the terminal would obey."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Turn a text into what is printed."""
        return super().render_str(visible(text), **options)


def screen(*, as_json: bool = False) -> Console:
    """Return where to print for people: beside the JSON, if that is asked for."""
    console = Screen(highlight=False, stderr=as_json)
    if not console.is_terminal:
        console.width = max(console.width, WIDTH_MIN)
    return console


def show(data: Any, render: Callable[[Console], None], *, as_json: bool) -> None:
    """Print an answer: as JSON, or for people."""
    if as_json:
        print(escaped_json(json.dumps(data, indent=2, default=_jsonable, ensure_ascii=False)))
    else:
        render(screen())


def _jsonable(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)


class _Readable(Table):
    """A table, or where the terminal is too narrow for it, its rows one below the other, a line for each cell."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Return what is printed."""
        wide = options.update(width=1_000)
        if self.__rich_measure__(console, wide).minimum <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        for number in range(self.row_count):
            cells = Table.grid(padding=(0, 1))
            for column in self.columns:
                cells.add_row(column.header, list(column.cells)[number])
            yield cells
            yield ""


def table(*columns: str, rows: Sequence[Sequence[object]]) -> Table:
    """Return a table. A column whose name begins with `>` is set to the right, one with `~` holds text of any length
    and may be broken; ids and figures are kept whole, to be copied and compared."""
    made = _Readable(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in columns:
        justify: Literal["left", "right"] = "right" if column.startswith(">") else "left"
        made.add_column(column.lstrip(">~"), justify=justify, no_wrap=not column.startswith("~"), overflow="fold")
    for row in rows:
        made.add_row(*[escape("" if cell is None else cleaned(str(cell))) for cell in row])
    return made


def listing(pairs: Iterable[tuple[str, object]]) -> Table:
    """Return names with their values, one below the other."""
    made = Table(box=None, show_header=False)
    for name, value in pairs:
        made.add_row(escape(name), escape("" if value is None else cleaned(str(value))))
    return made


def changes_table(changed: Sequence[Mapping[str, Any]]) -> Table:
    """Return what changes, as before and after, in the colours of a diff."""
    made = _Readable("field", "before", "after", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for change in changed:
        cells = [_told(change[name]) for name in ("before", "after")]
        made.add_row(escape(str(change["field"])), f"[red]{cells[0]}[/]", f"[green]{cells[1]}[/]")
    return made


def _told(value: object) -> str:
    if value is None:
        return "(none)"
    return escape(cleaned(value if isinstance(value, str) else json.dumps(value, default=_jsonable)))


def change(field: str, before: object, after: object) -> dict[str, Any]:
    """Return one line of what changes."""
    return {"field": field, "before": before, "after": after}


def place() -> str:
    """Return where a command acts: in which project, and whether that is an emulator's."""
    project, emulator = os.environ.get("GCLOUD_PROJECT", ""), os.environ.get("FIRESTORE_EMULATOR_HOST")
    return f"Emulator at {emulator}, project {project}" if emulator else f"Project {project}"


def ask(
    changed: Sequence[Mapping[str, Any]], title: str, *, yes: bool, as_json: bool, follows: Sequence[str] = ()
) -> None:
    """Show what would change, and what follows from it, and go on only if the operator says so. Ends the command if
    not."""
    console = screen(as_json=as_json)
    console.print(escape(f"{place()}: {cleaned(title)}"), style="bold", soft_wrap=True)
    console.print(changes_table(changed))
    for sentence in follows:
        console.print(escape(sentence), soft_wrap=True)
    if yes:
        return
    try:
        agreed = typer.confirm("Do it?", err=as_json)
    except typer.Abort:
        agreed = False
    if not agreed:
        print("admin: nothing was changed", file=sys.stderr)
        raise typer.Exit(1)


def dollars(micros: int) -> str:
    """Return micro-dollars as people read them."""
    sign, amount = "-" if micros < 0 else "", abs(micros) / 1e6
    return f"{sign}${amount:,.2f}" if amount >= 1 else f"{sign}${amount:.6f}".rstrip("0").rstrip(".")


def age(moment: datetime | None, now: datetime) -> str:
    """Return how long ago a moment was, or how far it is, in the two largest units."""
    if moment is None:
        return "-"
    seconds = int((now - moment) / timedelta(seconds=1))
    parts = [(abs(seconds) // 86_400, "d"), (abs(seconds) // 3_600 % 24, "h"), (abs(seconds) // 60 % 60, "m")]
    parts.append((abs(seconds) % 60, "s"))
    first = next((n for n, (count, _) in enumerate(parts) if count), 3)
    text = " ".join(f"{count}{unit}" for count, unit in parts[first : first + 2] if count) or "0s"
    return f"in {text}" if seconds < 0 else f"{text} ago"


def when(text: str | None) -> datetime | None:
    """Read a time as the functions write it."""
    return None if text is None else datetime.fromisoformat(text)
