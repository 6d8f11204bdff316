"""`localcloud up`: the project in the current directory, kept running in real time until Ctrl-C.

It prints where everything is and how to talk to it. A project whose own command starts the cloud its own way calls
`main` with its settings, and with `more` to print.
"""

import argparse
import re
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from localcloud.cloud import CloudSettings, LocalCloud, Ports
from localcloud.control import ControlServer
from localcloud.firestore_choice import KINDS, FirestoreChoiceError
from localcloud.functions_process import FunctionsStartError
from localcloud.openai.azure import deployment
from localcloud.project import ProjectError, load_hook
from localcloud.serving import PortTakenError, free_port
from localcloud.suite_cloud import SUITES, cloud_of

# Those of the Firebase suite where it has one, so that an app set up for that finds us too.
USUAL_PORTS = {
    "functions": 5001,
    "firestore": 8080,
    "storage": 9199,
    "auth": 9099,
    "openai": 9198,
    "anthropic": 9197,
    "azure": 9194,
    "stripe": 9196,
    "revenuecat": 9195,
    "hosting": 5000,
    "control": 4001,
}
_HOOKS = ("answers",)

Sections = Mapping[str, list[str]]
"""Lines to copy, by title."""


def _nothing(_: LocalCloud, __: ExitStack) -> Sections:
    return {}


def main(
    prog: str,
    settings: Callable[..., CloudSettings] = CloudSettings.of,
    words: Sequence[str] | None = None,
    more: Callable[[LocalCloud, ExitStack], Sections] = _nothing,
    link: Callable[[LocalCloud], str] | None = None,
) -> int:
    """Run until Ctrl-C, and return the exit status: 0, or 2 for what cannot be started, with one line that says why.

    Args:
        prog: what the user has typed, for the help and that line.
        settings: makes the settings of the fields of CloudSettings that the command line names.
        words: the command line, by default the program's own.
        more: called with the running cloud, before cron; returns what else to print. What it enters on the stack ends
            with the cloud.
        link: returns the address to open first. With it that is all that is printed, unless the command line says
            `--verbose`.
    """
    parser = _parser(prog)
    if link is not None:
        parser.add_argument("--verbose", action="store_true", help="print where everything is, and what to copy")
    chosen = vars(parser.parse_args(words))
    verbose = chosen.pop("verbose", True)
    for stop in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, signal.default_int_handler)
    picture = chosen.pop("picture")
    asked = {part: chosen.pop(f"{part}_port") for part in USUAL_PORTS}
    try:
        changes = {name: load_hook(value) if name in _HOOKS else value for name, value in chosen.items() if value}
        changes |= {"azure": dict(changes["azure"])} if "azure" in changes else {}
        found = settings(**changes)
        usual = {**USUAL_PORTS, **found.usual_ports}
        ports = {part: _port(usual[part], port) for part, port in asked.items()}
        control_port = ports.pop("control")
        _run(cloud_of(replace(found, ports=Ports(**ports))), control_port, more, link, verbose=verbose, picture=picture)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    except (PortTakenError, FirestoreChoiceError, FunctionsStartError, ProjectError) as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 2
    return 0


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Run the Firebase project in the current directory on this machine until Ctrl-C.",
        epilog="A part takes its port of firebase.json or its usual one, or a free one where another program has that. "
        "A port that is asked for is taken or refused.",
    )
    parser.add_argument("--project", help="the project's id; by default that of .firebaserc, or demo-local")
    parser.add_argument("--region", help="of all functions; it is a part of their addresses (us-central1)")
    parser.add_argument("--firestore", help=f"{', '.join(KINDS)}; by default the environment's FIRESTORE")
    parser.add_argument("--suite", help=f"Google's emulators: {SUITES[0]} starts them, {SUITES[1]} joins them")
    parser.add_argument("--clock-hook", metavar="MODULE:FUNCTION", help="called with the moved clock in the functions")
    parser.add_argument("--rules", type=Path, metavar="FILE", help="of Firestore, instead of those of firebase.json")
    parser.add_argument("--storage-rules", type=Path, metavar="FILE", help="of Storage, likewise")
    parser.add_argument("--answers", metavar="MODULE:FUNCTION", help="what the stand-ins say of a picture")
    parser.add_argument("--openai-webhook", metavar="NAME", help="the function that OpenAI's events go to")
    for name, service in (("stripe", "Stripe"), ("revenuecat", "RevenueCat")):
        told = f"start a stand-in for {service}, whose events go to this function"
        parser.add_argument(f"--{name}-webhook", metavar="NAME", help=told)
    parser.add_argument("--no-openai", dest="openai", action="store_const", const="none", help="start no stand-in")
    parser.add_argument("--anthropic", action="store_true", help="start a stand-in for Anthropic, too")
    parser.add_argument(
        "--azure", type=deployment, action="append", metavar="NAME=MODEL:SKU", help="of Azure OpenAI; may be repeated"
    )
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw what is printed into an SVG file, and stop")
    for part, port in USUAL_PORTS.items():
        parser.add_argument(f"--{part}-port", type=int, metavar="PORT", help=f"usually {port}")
    return parser


def _port(usual: int, asked: int | None) -> int:
    """Return the port for a part: the one asked for, else its usual one if that is free, else 0 for any."""
    if asked is not None:
        return free_port(asked)
    try:
        return free_port(usual)
    except PortTakenError:
        return 0


def _run(
    cloud: LocalCloud,
    control_port: int,
    more: Callable[[LocalCloud, ExitStack], Sections],
    link: Callable[[LocalCloud], str] | None,
    *,
    verbose: bool,
    picture: Path | None,
) -> None:
    with ExitStack() as stack:
        with Console(stderr=True).status(
            "Starting; Google's emulators take a while" if cloud.settings.suite else "Starting"
        ):
            stack.enter_context(cloud)
        # When this is called, nothing may interrupt any more: the parts are being stopped.
        stack.callback(_ignore_signals)
        control = ControlServer(cloud, control_port)
        control.start()
        stack.callback(control.stop)
        sections = more(cloud, stack)
        cloud.cron.start()
        console = Console(highlight=False, record=picture is not None)
        if verbose:
            _show(console, cloud, control.url, sections)
        if link is not None:
            console.print(f"Open {link(cloud)}", soft_wrap=True, markup=False)
        if picture is not None:
            svg = console.export_svg(title=f"localcloud up in {cloud.settings.source.parent.name}/", unique_id="up")
            # No font is fetched from elsewhere: the viewer's own fixed-width one will do.
            svg = svg.replace(cloud.environment.get("OPENAI_WEBHOOK_SECRET", "whsec_"), "whsec_")
            picture.write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), encoding="utf-8")
            return
        threading.Event().wait()


def _ignore_signals() -> None:
    for again in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(again, signal.SIG_IGN)


def _show(console: Console, cloud: LocalCloud, control_url: str, more: Sections) -> None:
    table = Table(title=f"{cloud.project} on this machine", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for part, where in _parts(cloud, control_url).items():
        table.add_row(part, where)
    console.print(table)
    fire = [f"""curl -s {control_url}/fire -d '{{"name": "{name}"}}'""" for name in list(cloud.cron.schedules)[:1]]
    environment = {**cloud.environment, "FIRESTORE_EMULATOR_HOST": cloud.firestore.app_host}
    buttons = {"Run a scheduled function, look": [*fire, f"curl -s {control_url}/status"]}
    if cloud.settings.suite is None:
        advance = f"""curl -s {control_url}/advance -d '{{"minutes": 60}}'"""
        buttons = {"Move the clock, run a scheduled function, look": [advance, *buttons.popitem()[1]]}
    sections = {
        "Environment of a client of your own": _exports(environment, secret=cloud.openai is None),
        **more,
        **buttons,
    }
    for title, lines in sections.items():
        console.print(f"\n{title}:", style="bold")
        for line in lines:  # to copy: never wrapped, never styled
            console.print(f"  {line}", soft_wrap=True, markup=False)
    everything = "this, and the suite goes on" if cloud.settings.suite == "running" else "everything"
    console.print(f"\nCron fires in real time. Ctrl-C stops {everything}.")


def _parts(cloud: LocalCloud, control_url: str) -> dict[str, str]:
    settings, by = cloud.settings, cloud.served_by
    stand_in = "stand-in" if cloud.openai_is_standin else "the real thing, which costs money"
    rules, storage_rules = map(_rules, (settings.rules, settings.storage_rules))
    storage = f"; {by['storage']}" if "storage" in by else ""
    clock = settings.clock_hook or "the functions keep the machine's time: no --clock-hook"
    pages = {"Pages": cloud.page_url} if cloud.page_url else {}
    others = {
        "Anthropic": cloud.anthropic,
        "Azure": cloud.azure,
        "Stripe": cloud.stripe,
        "RevenueCat": cloud.revenuecat,
    }
    stand_ins = {name: f"{each.base_url} (stand-in)" for name, each in others.items() if each is not None}
    return {
        **pages,
        "Functions": f"{cloud.functions_url}/{cloud.project}/{cloud.region}/NAME{_by(by, 'functions')}",
        "": ", ".join(trigger.name for trigger in cloud.triggers()),
        "Firestore": f"{cloud.firestore.app_host} ({cloud.firestore.kind}: {cloud.firestore.why}; {rules})",
        "Storage": f"{cloud.storage_host} (bucket {cloud.bucket}; {storage_rules}{storage})",
        "Auth": f"{cloud.auth_host}{_by(by, 'auth')}",
        "Crons": f"{', '.join(cloud.cron.schedules) or 'none'}{_by(by, 'crons')}",
        "OpenAI": f"{cloud.openai_base_url} ({by.get('openai', stand_in)})" if cloud.openai_base_url else "none",
        **stand_ins,
        "Moved clock": by.get("clock", f"{cloud.clock.path} ({clock})"),
        "Control": control_url,
        "Log": by.get("log", str(cloud.logs)),
    }


def _rules(file: Path | None) -> str:
    return "no rules for apps" if file is None else f"apps under {file.name}"


def _by(served_by: Mapping[str, str], part: str) -> str:
    return f" ({served_by[part]})" if part in served_by else ""


def _exports(environment: Mapping[str, Any], *, secret: bool) -> list[str]:
    # A real key stays where it was: it is never printed.
    hidden = {"OPENAI_API_KEY", "OPENAI_BASE_URL"} if secret else set()
    return [f"export {name}={shlex.quote(value)}" for name, value in environment.items() if name not in hidden]
