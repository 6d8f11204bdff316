"""Run the embedded Firestore by itself, or measure it: `python -m localcloud.firestore --help`."""

import argparse
import signal
import threading
from pathlib import Path

from localcloud.clock import MovableClock, utc_now

from .bench import run_benchmark
from .server import FirestoreServer
from .transfer import export_to, import_from


def main() -> None:
    """Read the command line and serve until interrupted, or measure."""
    options = _parser().parse_args()
    if options.command == "bench":
        run_benchmark()
    else:
        _serve(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m localcloud.firestore", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("bench", help="measure the embedded Firestore and, where it is found, the official one")
    parser.add_argument("--port", type=int, default=8080, help="of everybody on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--grpc-port", type=int, default=0, help="of server clients alone, the shorter way")
    parser.add_argument("--admin-port", type=int, default=8081, help="admin HTTP port on 127.0.0.1; 0 picks a free one")
    parser.add_argument(
        "--indexes", type=Path, default=Path("firestore.indexes.json"), help="the index file to enforce"
    )
    parser.add_argument("--clock", type=Path, help="the file of a movable clock to take the time from")
    parser.add_argument("--load", type=Path, help="an export to start from")
    parser.add_argument("--save", type=Path, help="where to export to when stopped")
    return parser


def _serve(options: argparse.Namespace) -> None:
    clock = MovableClock(options.clock) if options.clock else utc_now
    server = FirestoreServer(
        options.grpc_port, options.admin_port, app_port=options.port, indexes=options.indexes, clock=clock
    )
    if options.load:
        print(f"Loaded {import_from(server.engine, options.load)} documents from {options.load}")
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    server.start()
    print(f"FIRESTORE_EMULATOR_HOST={server.app_host}  grpc={server.host}  admin={server.admin_url}", flush=True)
    stopped.wait()
    server.stop()
    if options.save:
        print(f"Saved {export_to(server.engine, options.save)} documents to {options.save}")


if __name__ == "__main__":
    main()
