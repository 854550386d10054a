"""The server's log: kept short, and read while the server starts."""

import os
import re
from pathlib import Path

ROTATED_AT_BYTES = 5_000_000
# The server goes on trying for ever after these, so it would never be ready and never end.
HOPELESS = re.compile(r"FATAL: .*(?:[Pp]ermission denied|password authentication failed)")
HOPELESS_TIMES = 3
# These pass: processes of a killed server end, a rival's start comes through, the next port is free.
PASSING = re.compile(
    r"FATAL: .*(?:pre-existing shared memory block|lock file .* already exists|could not create any TCP/IP sockets)"
)


class ServerLog:
    """What the server wrote, from the moment we began to look."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._begin = self._size()

    def open(self) -> int:
        """Open the log for a server to write to, put aside when it has grown long."""
        if self._size() > ROTATED_AT_BYTES:
            self.path.replace(self.path.with_suffix(".log.1"))
        self._begin = self._size()
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)

    @property
    def is_hopeless(self) -> bool:
        """Whether the server keeps failing in a way that waiting does not mend."""
        return len(HOPELESS.findall(self._news())) >= HOPELESS_TIMES

    @property
    def is_passing(self) -> bool:
        """Whether the server ended for a reason that goes away by itself."""
        return PASSING.search(self._news()) is not None

    def last_lines(self, count: int) -> str:
        """The newest lines, on one line."""
        return " | ".join(self._news().splitlines()[-count:]) or "nothing yet"

    def _size(self) -> int:
        """Length of the log in bytes."""
        return self.path.stat().st_size if self.path.exists() else 0

    def _news(self) -> str:
        """What was written since we began to look."""
        if not self.path.exists():
            return ""
        with self.path.open("rb") as stream:
            stream.seek(self._begin)
            return stream.read().decode("utf-8", "replace")
