"""Values that many tasks read: handed to the other processes once instead of with every task."""

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

Value = TypeVar("Value")
Value_co = TypeVar("Value_co", covariant=True)


class Shared(Protocol[Value_co]):
    """A small handle that travels with tasks in the place of a value."""

    def get(self) -> Value_co:
        """Return the value, in whatever process; asked again there, most often the same object."""
        ...


@runtime_checkable
class Sharing(Protocol):
    """What an executor does whose tasks run in other processes."""

    @property
    def processes(self) -> int:
        """How many tasks run at the same time."""
        ...

    def share(self, value: Value) -> Shared[Value]:
        """Return a handle of the value for tasks of this executor; it holds as long as the handle is held."""
        ...


@dataclass(frozen=True, slots=True)
class Held(Generic[Value]):
    """The value itself, for tasks that run beside us."""

    value: Value

    def get(self) -> Value:
        """Return the value."""
        return self.value
