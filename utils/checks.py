"""A list of named checks, each told in one line."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """A name and what it does: `look` returns what it found, or raises with the reason."""

    name: str
    look: Callable[[], str]


def run_checks(checks: Iterable[Check], tell: Callable[[str], None]) -> bool:
    """Tell each check's outcome; say whether all are well."""
    all_well = True
    for check in checks:
        try:
            tell(f"ok    {check.name}: {check.look()}")
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what the check found
            tell(f"FAIL  {check.name}: {str(error) or type(error).__name__}")
            all_well = False
    return all_well
