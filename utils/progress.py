"""A progress bar on stderr where that is a terminal; elsewhere nothing."""

from contextlib import AbstractContextManager
from typing import Any, Self

SHAPE = "{percentage:3.0f}% |{bar:30}| {desc}, {elapsed} so far"
SHORTEST_PAUSE = 0.1


class ProgressBar:
    """Shows how far a work is, and is gone when it is done."""

    def __init__(self) -> None:
        from tqdm import tqdm  # noqa: PLC0415 - few commands show one

        self._bar: Any = tqdm(total=1.0, disable=None, leave=False, mininterval=SHORTEST_PAUSE, bar_format=SHAPE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, share: float, what: str) -> None:
        """Show the part that is done, from 0 to 1, and what is being done."""
        self._bar.set_description_str(what, refresh=False)
        self._bar.update(share - self._bar.n)

    def hidden(self) -> AbstractContextManager[None]:
        """Take the bar away while something else is written."""
        hidden: AbstractContextManager[None] = self._bar.external_write_mode()
        return hidden
