"""One clock for every process of the local cloud, which can be moved forward.

A project that never asks the machine for the time is handed a clock. Here the clock is the machine's plus an offset
that lives in a small shared file, so that the functions, the OpenAI stand-in and the cron clock agree at once when
it moves.
"""

import mmap
import struct
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

FILE_VARIABLE = "LOCALCLOUD_CLOCK"  # in whose environment the parts of a local cloud find the file
_OFFSET = struct.Struct("<d")  # seconds; eight aligned bytes, so a reader never sees half a write


Clock = Callable[[], datetime]
"""Returns the time now, aware and in UTC."""


def utc_now() -> datetime:
    """Return the machine's time."""
    return datetime.now(UTC)


class MovableClock:
    """The machine's time plus an offset. Call it for the time now: an aware datetime in UTC."""

    def __init__(self, path: Path | None = None) -> None:
        """Open the clock kept in `path`, or start a new one there (in a temporary file when no path is given)."""
        if path is None:
            with tempfile.NamedTemporaryFile(prefix="localcloud-clock-", delete=False) as new:
                path = Path(new.name)
        if not path.exists() or path.stat().st_size < _OFFSET.size:
            path.write_bytes(_OFFSET.pack(0.0))
        self.path = path
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _OFFSET.size)

    def __call__(self) -> datetime:
        """Return the moved time now."""
        return utc_now() + self.offset

    @property
    def offset(self) -> timedelta:
        """How far this clock is ahead of the machine's."""
        return timedelta(seconds=_OFFSET.unpack_from(self._shared)[0])

    def move_to(self, moment: datetime) -> None:
        """Move forward so that the time now is `moment`.

        Raises:
            ValueError: `moment` lies in this clock's past; leases and slots rest on time that does not go back.
        """
        now = self()
        if moment < now:
            shown, wanted = (f"{time:%Y-%m-%d %H:%M:%S}" for time in (now, moment))
            raise ValueError(f"the clock shows {shown} and does not go back to {wanted}")
        _OFFSET.pack_into(self._shared, 0, (moment - utc_now()).total_seconds())

    def advance(self, step: timedelta) -> None:
        """Move forward by `step`."""
        self.move_to(self() + step)

    def close(self) -> None:
        """Let go of the file and remove it."""
        self._shared.close()
        self.path.unlink(missing_ok=True)
