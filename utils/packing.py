"""Calls that travel without some of their values, which go another way and are put back in their places."""

import pickle
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any, TypeVar

Kind = TypeVar("Kind")


class _Packer(pickle.Pickler):
    def __init__(self, file: BytesIO, kind: type[Any]) -> None:
        super().__init__(file, protocol=5)
        self._kind = kind
        self.found: list[Any] = []

    def persistent_id(self, obj: Any) -> int | None:
        """Leave out what is of the kind."""
        if not isinstance(obj, self._kind):
            return None
        if obj not in self.found:
            self.found.append(obj)
        return self.found.index(obj)


class _Unpacker(pickle.Unpickler):
    def __init__(self, file: BytesIO, values: Sequence[Any]) -> None:
        super().__init__(file)
        self._values = values

    def persistent_load(self, pid: Any) -> Any:
        """Put a value back."""
        return self._values[pid]


def packed(call: Callable[[], Any], kind: type[Kind]) -> tuple[bytes, list[Kind]]:
    """Return the call without the objects of that kind, and these, each once."""
    file = BytesIO()
    packer = _Packer(file, kind)
    packer.dump(call)
    return file.getvalue(), packer.found


def called(call: bytes, values: Sequence[Any]) -> Any:
    """Call what was packed, with other values in the places of those that were left out."""
    return _Unpacker(BytesIO(call), values).load()()
