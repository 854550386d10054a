"""Acting on what happens, without waiting for it."""

from collections.abc import Callable
from threading import Thread


def when(happens: Callable[[], object], act: Callable[[], object]) -> None:
    """Wait in a thread for what happens, then act."""

    def wait() -> None:
        happens()
        act()

    Thread(target=wait, name="watch", daemon=True).start()
