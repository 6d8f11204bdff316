"""What it costs to import main.py, against the least that any function of this kind imports. Best of several
processes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RUNS = 7
FLOOR = "import functions_framework, firebase_functions.https_fn, firebase_functions.scheduler_fn"
MEASURE = """
import json, resource, sys, time
started = time.perf_counter()
{imports}
print(json.dumps([(time.perf_counter() - started) * 1000, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def run() -> dict[str, Any]:
    """Return the import times in milliseconds, their ratio, and the memory after importing main.py in megabytes."""
    floor, main = [], []
    for _ in range(RUNS):  # alternating, so that both meet the same noise
        floor.append(_imported(FLOOR))
        main.append(_imported(f"{FLOOR}\nimport main"))
    main_ms, rss_mb = min(main)
    floor_ms, _ = min(floor)
    return {
        "main_import_ms": round(main_ms, 1),
        "floor_ms": round(floor_ms, 1),
        "ratio": round(main_ms / floor_ms, 3),
        "rss_mb": round(rss_mb, 1),
    }


def _imported(imports: str) -> tuple[float, float]:
    command = [sys.executable, "-c", MEASURE.format(imports=imports)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603  (our own text)
    milliseconds, megabytes = json.loads(done.stdout.splitlines()[-1])
    return milliseconds, megabytes
