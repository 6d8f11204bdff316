"""`make dev`: the local cloud, kept running in real time until Ctrl-C, with everything needed to talk to it."""

import json
import shlex
import signal
import sys
import threading
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from localcloud.cloud import CloudSettings, LocalCloud, Ports
from localcloud.cloud_scheduler_api import SchedulerServer
from localcloud.control import ControlServer
from localcloud.firestore_choice import FirestoreChoiceError
from localcloud.functions_process import FunctionsStartError
from localcloud.serving import PortTakenError, free_port
from scripts.schedules import EMULATOR

# Those of the Firebase suite where it has one, so that an app set up for that finds us too.
USUAL_PORTS = {"functions": 5001, "firestore": 8080, "storage": 9199, "auth": 9099, "openai": 9198, "control": 4001}

Port = Annotated[int | None, typer.Option(min=1, max=65535, show_default=False)]


def dev(
    firestore: Annotated[
        str | None, typer.Option(envvar="FIRESTORE", help="embedded, official, or auto", show_default="auto")
    ] = None,
    functions_port: Port = None,
    firestore_port: Port = None,
    storage_port: Port = None,
    auth_port: Port = None,
    openai_port: Port = None,
    control_port: Port = None,
) -> None:
    """Keep the local cloud running until Ctrl-C.

    Each part takes its usual port, or a free one where another program has that. A port that is asked for is taken or
    refused.
    """
    asked = {
        "functions": functions_port,
        "firestore": firestore_port,
        "storage": storage_port,
        "auth": auth_port,
        "openai": openai_port,
        "control": control_port,
    }
    for stop in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, signal.default_int_handler)
    try:
        ports = {part: _port(part, port) for part, port in asked.items()}
        control_port = ports.pop("control")
        _run(CloudSettings(firestore=firestore, ports=Ports(**ports)), control_port)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    except (PortTakenError, FirestoreChoiceError, FunctionsStartError) as error:
        _fail(str(error))


def _port(part: str, asked: int | None) -> int:
    """Return the port for a part: the one asked for, else its usual one if that is free, else 0 for any."""
    if asked is not None:
        return free_port(asked)
    try:
        return free_port(USUAL_PORTS[part])
    except PortTakenError:
        return 0


def _run(settings: CloudSettings, control_port: int) -> None:
    with LocalCloud(settings) as cloud:
        control = ControlServer(cloud, control_port)
        control.start()
        scheduler = SchedulerServer()
        scheduler.start()
        cloud.cron.start()
        try:
            _show(cloud, control.url, scheduler.host)
            threading.Event().wait()
        finally:
            # From here on nothing may interrupt: the parts are being stopped.
            for again in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(again, signal.SIG_IGN)
            scheduler.stop()
            control.stop()


def _show(cloud: LocalCloud, control_url: str, scheduler: str) -> None:
    console = Console(highlight=False)
    table = Table(title="Ecolane's local cloud", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for part, where in _parts(cloud, control_url).items():
        table.add_row(part, where, style=None)
    console.print(table)
    _section(console, "Environment of a client of your own", _exports(cloud, scheduler))
    _section(console, "A fresh user's wallet", [_curl(cloud)])
    advance = f"""curl -s {control_url}/advance -d '{{"minutes": 60}}'"""
    fire = [f"""curl -s {control_url}/fire -d '{{"name": "{name}"}}'""" for name in list(cloud.cron.schedules)[:1]]
    _section(
        console, "Move the clock, run a scheduled function, look", [advance, *fire, f"curl -s {control_url}/status"]
    )
    console.print("\nCron fires in real time. Ctrl-C stops everything.")


def _parts(cloud: LocalCloud, control_url: str) -> dict[str, str]:
    openai = (
        f"{cloud.openai_base_url} ({'stand-in' if cloud.openai_is_standin else 'the real thing, which costs money'})"
    )
    return {
        "Functions": f"{cloud.functions_url}/{cloud.project}/{cloud.region}/NAME",
        "": ", ".join(trigger.name for trigger in cloud.triggers()),
        "Firestore": f"{cloud.firestore.host} ({cloud.firestore.kind}: {cloud.firestore.why})",
        "Storage": f"{cloud.storage_host} (bucket {cloud.bucket})",
        "Auth": cloud.auth_host,
        "OpenAI": openai,
        "Control": control_url,
        "Log": str(cloud.logs),
    }


def _section(console: Console, title: str, lines: list[str]) -> None:
    """Print lines to copy: never wrapped, never styled."""
    console.print(f"\n{title}:", style="bold")
    for line in lines:
        console.print(f"  {line}", soft_wrap=True, markup=False)


def _exports(cloud: LocalCloud, scheduler: str) -> list[str]:
    # A real key stays where it was: it is never printed.
    hidden = set() if cloud.openai_is_standin else {"OPENAI_API_KEY", "OPENAI_BASE_URL"}
    shown = {name: value for name, value in cloud.environment.items() if name not in hidden}
    jobs = {EMULATOR: scheduler, "SCHEDULER_SERVICE_ACCOUNT": f"scheduler@{cloud.project}.iam.gserviceaccount.com"}
    return [f"export {name}={shlex.quote(value)}" for name, value in {**shown, **jobs}.items()]


def _curl(cloud: LocalCloud) -> str:
    token = cloud.sign_up().id_token
    headers = f"-H 'Content-Type: application/json' -H 'Authorization: Bearer {token}'"
    return f"curl -s {cloud.url('get_wallet')} {headers} -d '{json.dumps({'data': {}})}'"


def _fail(reason: str) -> NoReturn:
    print(f"make dev: {reason}", file=sys.stderr)
    raise typer.Exit(2)


if __name__ == "__main__":
    typer.run(dev)
