"""`make pictures`: the pages as README shows them, in the machine's browser, with days played first."""

import sys
from itertools import product
from typing import Literal

from localcloud.cloud import custom_token
from scripts.browsers import NoBrowserError, browser
from scripts.dev import operators_page, play_days
from scripts.ecolane_cloud import ROOT, ecolane_cloud
from scripts.played_days import VISITOR

DAYS = 60
FOLDER = ROOT / "docs"
SIZES = {"operator": (1120, 640), "user": (390, 640)}
"""Width and height of each page, in pixels: a desk's, and a telephone's."""

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_SETTLED_MS = 3_000  # live figures and photos have come: what listens is never idle


def main() -> None:
    """Draw both pages, each in light and dark, into `FOLDER`. Raises NoBrowserError."""
    with browser() as started, ecolane_cloud(openai="standin", firestore="embedded") as cloud:
        play_days(cloud, DAYS)
        links = {"operator": operators_page(cloud), "user": f"{cloud.page_url}/#token={custom_token(VISITOR)}"}
        for name, scheme in product(SIZES, SCHEMES):
            width, height = SIZES[name]
            page = started.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(links[name])
            page.wait_for_timeout(_SETTLED_MS)
            file = FOLDER / f"{name}-{scheme}.png"
            page.screenshot(path=file)
            page.close()
            print(file.relative_to(ROOT))


if __name__ == "__main__":
    try:
        main()
    except NoBrowserError as missing:
        sys.exit(f"make pictures: {missing}")
