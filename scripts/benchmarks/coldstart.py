"""What it costs to import main.py, against the least that such a function imports; and what each function takes to its
first answer, alone in a process, with its memory then. Best of several processes."""

from typing import Any

import main
from scripts.benchmarks.processes import python
from scripts.ecolane_cloud import ecolane_cloud
from scripts.functions_alone import FirstAnswer, first_answer, sample_call

RUNS = 11
STARTS = 2
FLOOR = "import functions_framework, firebase_functions.https_fn, firebase_functions.scheduler_fn"
MEASURE = """
import json, pathlib, resource, sys, time
started = time.perf_counter()
{imports}
took = (time.perf_counter() - started) * 1000
kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
status = pathlib.Path("/proc/self/status")
if status.exists():  # on Linux the figure above begins with the parent's
    kilobytes = int(status.read_text().partition("VmHWM:")[2].split()[0])
print(json.dumps([took, kilobytes / 1024]))
"""


def run() -> dict[str, Any]:
    """Return the import times in milliseconds, their ratio, and the memory after importing main.py in megabytes; by
    function, milliseconds from the start of its process to its first answer, and megabytes then."""
    floors, mains = [], []
    for _ in range(RUNS):  # alternating, so that both meet the same noise
        floors.append(_imported(FLOOR))
        mains.append(_imported(f"{FLOOR}\nimport main"))
    main_ms, rss_mb = min(mains)
    floor_ms, _ = min(floors)
    answers = _first_answers()
    return {
        "main_import_ms": round(main_ms, 1),
        "floor_ms": round(floor_ms, 1),
        "ratio": round(main_ms / floor_ms, 3),
        "rss_mb": round(rss_mb, 1),
        "first_answer_ms": {name: round(answer.milliseconds) for name, answer in answers.items()},
        "function_rss_mb": {name: round(answer.rss_mb) for name, answer in answers.items()},
    }


def _first_answers() -> dict[str, FirstAnswer]:
    """Start each function of main.py, one after the other, and call it."""
    names = [name for name, value in vars(main).items() if hasattr(value, "__firebase_endpoint__")]
    with ecolane_cloud() as cloud:
        return {
            name: min(
                (first_answer(name, cloud.environment, sample_call(name, cloud)) for _ in range(STARTS)),
                key=lambda answer: answer.milliseconds,
            )
            for name in names
        }


def _imported(imports: str) -> tuple[float, float]:
    milliseconds, megabytes = python("-c", MEASURE.format(imports=imports))
    return milliseconds, megabytes
