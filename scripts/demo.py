"""The main job, end to end, on this machine: photos in, both lanes, results, wallet, money saved."""

import re
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from localcloud.callables import CallableError
from localcloud.cloud import LocalCloud, SignedIn, custom_token
from localcloud.firestore_choice import FirestoreChoiceError
from localcloud.functions_process import FunctionsStartError
from scripts.dev import operators_page
from scripts.drawings import drawn_photos
from scripts.ecolane_cloud import ecolane_cloud

INSTANT_PHOTOS = 3
"""New users are advised to take the instant lane for their first three photos, and the batch lane after that."""

PHOTOS_MAX = 150  # what a full wallet of 200 tokens pays for, with some room
WAIT_MAX = timedelta(hours=26)
REAL_WAIT_SECONDS = 20 * 60
TICK = timedelta(minutes=5)
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}

console = Console()


@dataclass
class Photo:
    """One photo of the demo, and what became of it."""

    name: str
    data: bytes
    lane: str
    job: dict[str, Any]


def main(
    photos: Annotated[Path | None, typer.Option(help="A folder of photos; without it a few are drawn.")] = None,
    picture: Annotated[Path | None, typer.Option(help="An SVG file for what is printed, like docs/demo.svg.")] = None,
    *,
    open_pages: Annotated[bool, typer.Option("--open", help="Serve the pages afterwards, until Ctrl-C.")] = False,
    outage: Annotated[bool, typer.Option(help="Let OpenAI refuse instant photos: another provider answers.")] = False,
) -> None:
    """Run the demo and print what the user and the operator see."""
    console.record = picture is not None
    try:
        found = _load(photos)
        with ecolane_cloud(anthropic=outage) as cloud:
            if outage:
                _begin_outage(cloud)
            user = _run(cloud, found)
            if picture is not None:
                picture.write_text(_svg(), encoding="utf-8")
            if open_pages:
                _serve(cloud, user)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    except (DemoError, FirestoreChoiceError, FunctionsStartError, OSError) as problem:
        console.print(f"[red]demo:[/] {problem}")
        sys.exit(1)


class DemoError(Exception):
    """The demo cannot run. One line says what to do."""


def _load(folder: Path | None) -> list[Photo]:
    if folder is None:
        data = drawn_photos()
    elif not folder.is_dir():
        raise DemoError(f"{folder} is no folder; give one that holds .jpg, .png or .webp files")
    else:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
        data = {path.name: path.read_bytes() for path in paths}
    if not data:
        raise DemoError(f"{folder} holds no .jpg, .png or .webp file")
    if len(data) > PHOTOS_MAX:
        raise DemoError(f"{folder} holds {len(data)} photos; the demo takes at most {PHOTOS_MAX}")
    return [
        Photo(name, content, "instant" if number < INSTANT_PHOTOS else "batch", {})
        for number, (name, content) in enumerate(data.items())
    ]


class Meter:
    """Counts the Firestore operations of the functions' own work, and leaves out what the demo reads to show it."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._bill = cloud.firestore.embedded.bill if cloud.firestore.kind == "embedded" else None
        self.calls: Counter[str] = Counter()
        self.crons: Counter[str] = Counter()

    @contextmanager
    def counting(self, operations: Counter[str]) -> Iterator[None]:
        """Add what is billed inside this block to one of the counters."""
        before = self._bill.snapshot()["totals"] if self._bill else {}
        yield
        after = self._bill.snapshot()["totals"] if self._bill else {}
        operations.update({kind: after[kind] - before[kind] for kind in after})


def _serve(cloud: LocalCloud, user: SignedIn) -> None:
    """Say where the pages are, and go on in real time until Ctrl-C."""
    cloud.cron.start()
    for who, link in {
        "the user whose photos these are": f"{cloud.page_url}/#token={custom_token(user.uid)}",
        "an operator": operators_page(cloud),
    }.items():
        console.print(f"Open as {who}: {link}", soft_wrap=True, markup=False, highlight=False)
    threading.Event().wait()


def _run(cloud: LocalCloud, photos: list[Photo]) -> SignedIn:
    provider = "a stand-in on this machine" if cloud.openai_is_standin else cloud.openai_base_url
    console.print(
        Panel.fit(
            f"Firestore: {cloud.firestore.kind} ({cloud.firestore.why})\n"
            f"Answers come from: {provider}"
            + ("\n[yellow]They are computed from the pixels, not by a model.[/]" if cloud.openai_is_standin else ""),
            title="Ecolane, on this machine",
        )
    )
    _fund(cloud, photos)
    user = cloud.sign_up()
    meter = Meter(cloud)
    columns = (TextColumn("{task.description:<32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Disabled in a recording, which would keep every frame.
    with Progress(*columns, console=console, disable=console.record) as progress:
        _send(cloud, user, photos, meter, progress)
        started = cloud.clock()
        _wait(cloud, user, photos, meter, progress)
    waited = cloud.clock() - started
    if console.record:
        console.print(progress.get_renderable())
    with meter.counting(meter.calls):
        wallet = cloud.call("get_wallet", {}, user.id_token)
    records = _stored(cloud, photos)
    console.print(_photo_table(photos, records))
    if cloud.anthropic is not None:
        console.print(_outage_panel(photos, records))
    console.print(_wallet_table(cloud, user, wallet))
    console.print(_money_panel(photos, records, meter, waited))
    unfinished = [photo.name for photo in photos if photo.job["status"] not in {"done", "failed"}]
    if unfinished:
        raise DemoError(f"{len(unfinished)} photos are still at the provider: its batches take up to 24 hours")
    return user


def _begin_outage(cloud: LocalCloud) -> None:
    """Have OpenAI refuse every instant photo, and Anthropic stand behind it, as an operator sets it."""
    if cloud.openai is None:
        raise DemoError("OUTAGE=1 breaks a stand-in: leave OPENAI_API_KEY and OPENAI_BASE_URL away")
    order = {"providers": {"order": ["openai", "anthropic"]}}
    cloud.firestore_client().document("config/runtime").set(order)
    cloud.openai.faults.add(kind="refused", status=503, endpoint="POST /v1/chat/completions", count=None)
    console.print("OpenAI refuses every instant photo (503). Config: providers.order = openai, anthropic.")


def _outage_panel(photos: list[Photo], records: dict[str, dict[str, Any]]) -> Panel:
    """Who answered the instant photos, and what each provider is paid for them."""
    lines = []
    for photo in (photo for photo in photos if photo.lane == "instant"):
        tried = records[photo.job["jobId"]].get("tried", ())
        way = " ► ".join(f"{leg['model']} {leg['came']}, {leg['micros']} µ$" for leg in tried)
        lines.append(f"{photo.name}: {way}; answered by {(photo.job.get('result') or {}).get('provider', 'nobody')}")
    return Panel.fit("\n".join(lines), title="Outage")


def _svg() -> str:
    """Draw what was printed. No font is fetched from elsewhere: the viewer's own fixed-width one will do."""
    svg = console.export_svg(title="make demo", unique_id="demo")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def _fund(cloud: LocalCloud, photos: list[Photo]) -> None:
    """As the operator, raise the welcome bonus so that one new user can pay for all of the demo's photos."""
    needed = sum(5 if photo.lane == "instant" else 1 for photo in photos)
    if needed > 10:
        cloud.firestore_client().document("config/runtime").set({"tokens": {"welcome": needed + 10}}, merge=True)
        console.print(f"The operator has set the welcome bonus to {needed + 10} tokens, for this many photos.")


def _send(cloud: LocalCloud, user: SignedIn, photos: list[Photo], meter: Meter, progress: Progress) -> None:
    """Upload every photo and classify it in its lane, as the app does."""
    bucket = cloud.storage_client().bucket(cloud.bucket)
    task = progress.add_task("Uploading and classifying", total=len(photos))
    for photo in photos:
        path = f"users/{user.uid}/uploads/{photo.name}"
        bucket.blob(path).upload_from_string(photo.data, content_type="image/jpeg")
        request = {"requestId": uuid.uuid4().hex, "imagePath": path, "mode": photo.lane}
        with meter.counting(meter.calls):
            try:
                photo.job = cloud.call("classify_image", request, user.id_token)
            except CallableError as refusal:
                raise DemoError(f"{photo.name}: {refusal.message}") from refusal
        progress.advance(task)


def _wait(cloud: LocalCloud, user: SignedIn, photos: list[Photo], meter: Meter, progress: Progress) -> None:
    """Move the cron clock until the batch is through; with a real provider, which keeps its own time, just wait."""
    queued = [photo for photo in photos if photo.lane == "batch"]
    total = len(queued)
    task = progress.add_task("Batch lane", total=total)
    deadline = cloud.clock() + (WAIT_MAX if cloud.openai_is_standin else timedelta(seconds=REAL_WAIT_SECONDS))
    while queued and cloud.clock() < deadline:
        with meter.counting(meter.crons):
            cloud.advance(TICK)
        for photo in queued:
            photo.job = cloud.call("get_job", {"jobId": photo.job["jobId"]}, user.id_token)
        queued = [photo for photo in queued if photo.job["status"] not in {"done", "failed"}]
        done, description = total - len(queued), f"Batch lane, {cloud.clock():%H:%M} UTC by cron"
        progress.update(task, completed=done, description=description)


def _stored(cloud: LocalCloud, photos: list[Photo]) -> dict[str, dict[str, Any]]:
    """Read the jobs as the operator sees them: the app is not shown what a job cost."""
    client = cloud.firestore_client()
    refs = [client.document(f"aiJobs/{photo.job['jobId']}") for photo in photos]
    return {snapshot.id: snapshot.to_dict() or {} for snapshot in client.get_all(refs)}


def _photo_table(photos: list[Photo], records: dict[str, dict[str, Any]]) -> Table:
    columns = (Column("Photo", no_wrap=True, max_width=16), Column("Lane", min_width=7), "Item")
    figures = [Column(each, justify="right", min_width=len(each)) for each in ("Sure", "Tokens", "AI cost")]
    table = Table(*columns, Column("Category", min_width=15), *figures, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.title, table.caption = "Photos", "AI cost in millionths of a dollar"
    for photo in photos:
        result = photo.job.get("result") or {}
        if result:
            share = ("[yellow]? [/]" if result["needsReview"] else "") + f"{result['confidence']:.0%}"
            shown = (result["itemName"], result["category"], share)
        else:
            why = (photo.job.get("error") or {}).get("code", "")
            shown = (f"[red]{photo.job['status']}[/]", why, "")
        cost = records[photo.job["jobId"]]["costMicros"]
        table.add_row(photo.name, photo.lane, *shown, str(photo.job["tokensCost"]), str(cost))
    return table


def _wallet_table(cloud: LocalCloud, user: SignedIn, wallet: dict[str, Any]) -> Table:
    entries = cloud.firestore_client().collection("users", user.uid, "ledger").order_by("seq").stream()
    ledger = [entry.to_dict() or {} for entry in entries]
    table = Table(
        "When (UTC)",
        "Why",
        *(Column(each, justify="right") for each in ("Tokens", "Balance")),
        title=f"Wallet: {wallet['balance']} tokens ({wallet['totalEarned']} earned, {wallet['totalSpent']} spent)",
        caption=f"{len(ledger)} ledger entries; their sum is {sum(entry['delta'] for entry in ledger)}",
    )
    for number, entry in enumerate(ledger):
        if len(ledger) > 10 and 5 <= number < len(ledger) - 4:
            if number == 5:
                table.add_row("…", f"{len(ledger) - 9} more", "", "")
            continue
        table.add_row(f"{entry['ts']:%H:%M:%S}", entry["reason"], f"{entry['delta']:+d}", str(entry["balanceAfter"]))
    return table


def _money_panel(photos: list[Photo], records: dict[str, dict[str, Any]], meter: Meter, waited: timedelta) -> Panel:
    """What the operator pays, against the same photos in the instant lane, where an answer costs twice as much."""
    costs = {photo.name: records[photo.job["jobId"]]["costMicros"] for photo in photos}
    paid = sum(costs.values())
    all_instant = sum(costs[photo.name] * (2 if photo.lane == "batch" else 1) for photo in photos)
    saved = 1 - paid / all_instant if all_instant else 0
    lines = [
        f"AI bill: [bold]{_dollars(paid)}[/] for {len(photos)} photos; all instant: {_dollars(all_instant)}; "
        f"saved [bold green]{saved:.0%}[/]",
        f"The batch lane took {waited.total_seconds() / 60:.0f} minutes by the cron clock.",
    ]
    if meter.calls:
        for who, operations in (("the app's calls", meter.calls), ("the crons meanwhile", meter.crons)):
            reads, writes, deletes = (operations[kind] for kind in ("reads", "writes", "deletes"))
            lines.append(f"Firestore, {who}: {reads} reads, {writes} writes, {deletes} deletes")
    else:
        lines.append("Firestore: the official emulator keeps no bill; run with FIRESTORE=embedded to see one.")
    return Panel.fit("\n".join(lines), title="Money")


def _dollars(micros: int) -> str:
    return f"${micros / 1_000_000:.6f}"


if __name__ == "__main__":
    typer.run(main)
