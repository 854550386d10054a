"""A list of named checks, each told in one line."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """A name and what it does: `look` returns what it found, or raises one of `failures` with the reason."""

    name: str
    look: Callable[[], str]


def run_checks(checks: Iterable[Check], failures: tuple[type[Exception], ...], tell: Callable[[str], None]) -> bool:
    """Tell each check's outcome; say whether all are well."""
    all_well = True
    for check in checks:
        try:
            tell(f"ok    {check.name}: {check.look()}")
        except failures as error:
            tell(f"FAIL  {check.name}: {error}")
            all_well = False
    return all_well
