"""Prepares every picture in some folders, and damages of each, and prints what became of them as one JSON object.

    venv/bin/python -m tests.photo_corpus FOLDER ... --damages 20 --seed 1

Keys: `files` that were tried; `outcomes`, how often each; `wrong`, those that are neither a usable JPEG nor refused
for a known reason, with their seed; `slowest_seconds` of CPU and `slowest`; `peak_mb` of memory beyond what the process
began with.
"""

import argparse
import json
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from PIL import Image

from functions.adapters.images import prepare
from functions.core.jobs.uploads import IMAGE_BYTES_MAX
from functions.core.shared.errors import InvalidImage
from tests.photo_files import damage

SUFFIXES = {
    ".jpg",
    ".jpeg",
    ".png",
    ".apng",
    ".webp",
    ".gif",
    ".bmp",
    ".tif",
    ".tiff",
    ".mpo",
    ".heic",
    ".avif",
    ".ico",
}
SIDE_MAX = 512


def pictures(folders: list[Path], most: int) -> list[Path]:
    """Return the pictures below these folders; if there are more than so many, some of each part."""
    found = sorted(
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and path.stat().st_size <= IMAGE_BYTES_MAX
    )
    return found[:: -(-len(found) // most)] if found else []


def tries(data: bytes, damages: int, seed: str) -> Iterator[tuple[str, bytes]]:
    """Yield a file as it is, and damaged, each with what it takes to damage it so again."""
    yield "", data
    for number in range(damages):
        yield f"{seed}:{number}", damage(data, random.Random(f"{seed}:{number}"))  # noqa: S311 (repeatable, not secret)


def outcome(data: bytes) -> str:
    """Return `taken`, or the problem for which it is refused."""
    try:
        jpeg = prepare(data, SIDE_MAX, 80)
    except InvalidImage as refusal:
        return refusal.problem.value
    with Image.open(BytesIO(jpeg)) as image:
        image.load()
        good = (image.format, image.mode) == ("JPEG", "RGB") and max(image.size) <= SIDE_MAX and not image.getexif()
    if not good:
        raise AssertionError("what comes out is not what is promised")
    return "taken"


def peak_mb() -> int:
    """Return the most memory that this process has had."""
    return int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))[0]) // 1024


def main() -> None:
    """Try them all."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("folders", nargs="+", type=Path)
    asked.add_argument("--damages", type=int, default=20)
    asked.add_argument("--seed", default="1")
    asked.add_argument("--most", type=int, default=10**6)
    args = asked.parse_args()
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []
    slowest, before = (0.0, ""), peak_mb()
    for path in pictures(args.folders, args.most):
        for damaged_by, data in tries(path.read_bytes(), args.damages, f"{args.seed}:{path.name}"):
            began = time.process_time()
            try:
                outcomes[outcome(data)] += 1
            except Exception as error:  # noqa: BLE001 (whatever it is, it is what is looked for)
                wrong.append(f"{path} {damaged_by} {error!r}")
            slowest = max(slowest, (time.process_time() - began, f"{path} {damaged_by}"))
    told = {
        "files": sum(outcomes.values()) + len(wrong),
        "outcomes": dict(outcomes.most_common()),
        "wrong": wrong,
        "slowest_seconds": round(slowest[0], 3),
        "slowest": slowest[1],
        "peak_mb": peak_mb() - before,
    }
    print(json.dumps(told))  # noqa: T201 (a command prints)


if __name__ == "__main__":
    main()
