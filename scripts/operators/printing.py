"""How answers of operators' commands are printed: tables, amounts, times, and JSON."""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from functions.adapters.firestore import DamagedDocument
from functions.core.shared.plain_text import cleaned, visible

WIDTH_MIN = 110
"""Of a file or a pipe: what two ids and their figures take. In a terminal that is narrower, tables become lists."""


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


def print_json(data: Any) -> None:
    """Print an answer as JSON, without what a terminal would obey."""
    print(escaped_json(json.dumps(data, indent=2, default=_jsonable, ensure_ascii=False)))


def escaped_json(text: str) -> str:
    """Return JSON with whatever a screen obeys written as an escape, and letters as they are: the same data."""
    return "".join(
        json.dumps(each)[1:-1] if unicodedata.category(each).startswith("C") and each != "\n" else each for each in text
    )


def spreadsheet_cell(value: object) -> object:
    """Return a cell of a CSV that a spreadsheet shows and does not calculate: a formula gets a ' before it."""
    if not isinstance(value, str):
        return value
    return f"'{visible(value)}" if value.lstrip(" ").startswith(_FORMULA) else visible(value)


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


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
    return {"field": field, "before": before, "after": after}


TO_MEND = "Correct the field in the console, or remove the document if it is of no use."


def damaged_line(damaged: DamagedDocument) -> str:
    """Return what is wrong with a document, and what to do about it, in one line."""
    wallet = re.fullmatch("users/(.+)/wallet/main", damaged.path)
    return cleaned(f"{damaged}. {f'Rebuild it: admin repair {wallet[1]}' if wallet else TO_MEND}")


def show_damaged(console: Console, found: Sequence[object]) -> None:
    """Print a line for each document of a list that cannot be read."""
    for each in getattr(found, "damaged", ()):
        console.print(f"[red]damaged[/] {escape(damaged_line(each))}")


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
