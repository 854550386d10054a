"""What can go wrong in a way the caller can mend: the docstring says what happened, the message what would be right."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Self

from backtesting.wording import also, choices, names_at, wanted

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

SHOWN_CHARACTERS = 60
LISTED_NAMES = 60
# pydantic's paths name the branch of a union it took, which the caller never wrote
DISTANCES = ("stop_loss", "take_profit", "trailing_stop")
SIZINGS = ("percent_equity", "fixed_cash", "fixed_units", "vol_target", "risk_per_trade", "kelly")
UNION_BRANCHES = frozenset(
    [("costs", "preset"), ("costs", "rates")]
    + [(distance, branch) for distance in DISTANCES for branch in ("fraction", "multiple")]
    + [("sizing", method) for method in SIZINGS]
)
BRANCHES_OF_VALUES = frozenset({"a list", "a range"})  # of any parameter of a search space
TOLD_PROBLEMS, KEPT_PROBLEMS = 10, 100
SHORTEST_ABBREVIATION = 3


class BacktestError(Exception):
    """Base of every expected failure; its text is safe to show and names the remedy.

    `field` is the input at fault, `run_id` the failed run it was stored as, where there is one.
    """

    code: ClassVar[str] = "backtest_error"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.run_id: str | None = None


class UnknownNameError(BacktestError):
    """A strategy, symbol, metric or other name is not among the known ones."""

    code = "unknown_name"

    def called(self, field: str) -> Self:
        """Return the same about the argument as its caller knows it."""
        return type(self)(f"{field}: {str(self).removeprefix(f'{self.field}: ')}", field=field)

    @classmethod
    def among(cls, noun: str, name: str, known: Iterable[str], *, field: str) -> Self:
        """Build the error that offers the nearest known name and lists the others."""
        names = sorted(known)
        listed = ", ".join(names[:LISTED_NAMES]) if names else "none"
        if len(names) > LISTED_NAMES:
            listed += f" and {len(names) - LISTED_NAMES} more"
        return cls(f"{field}: unknown {noun} {shown(name)}{did_you_mean(name, names)}; known: {listed}", field=field)


class RunNotFoundError(BacktestError):
    """No stored run of this user has the given id."""

    code = "run_not_found"


class JobLostError(BacktestError):
    """Work was cancelled or taken over by another process, so its results may not be written any more."""

    code = "job_lost"


class JobFailedError(BacktestError):
    """Work cannot be completed, however often it is tried."""

    code = "job_failed"


class RunEndedError(BacktestError):
    """A run was cancelled, or took more time or memory than one may."""

    code = "run_ended"


class LimitExceededError(BacktestError):
    """More was asked for than this server takes on."""

    code = "limit_exceeded"


class InvalidDatesError(BacktestError):
    """The asked-for period is reversed or outside the stored bars."""

    code = "invalid_dates"


class NoBarsError(BacktestError):
    """The period holds too few bars to decide and fill anything."""

    code = "not_enough_bars"


class BadBarsError(BacktestError):
    """Stored bars break a rule of the contract (T5)."""

    code = "bad_bars"


class SimulationError(BacktestError):
    """The engine refused or failed to simulate the request."""

    code = "simulation_failed"


class LookAheadError(BacktestError):
    """A strategy decides by bars that are yet to come."""

    code = "look_ahead"


class DefectError(BacktestError):
    """Something this program did wrong; the details are in its log alone."""

    code = "internal_error"


class DatabaseUnavailableError(BacktestError):
    """PostgreSQL cannot be started or reached."""

    code = "database_unavailable"


class ExecutorUnavailableError(BacktestError):
    """Nobody can be reached who would do the tasks of long work."""

    code = "executor_unavailable"


class SchemaVersionError(BacktestError):
    """The database's schema is not the one this program was written for."""

    code = "schema_version"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input: where it is, and what would be right."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidInputError(BacktestError):
    """One or more fields of an input are wrong; `problems` holds them all."""

    code = "invalid_input"

    def __init__(self, problems: Sequence[Problem]) -> None:
        told = "; ".join(map(str, problems[:TOLD_PROBLEMS]))
        more = f"; and {len(problems) - TOLD_PROBLEMS} more" if len(problems) > TOLD_PROBLEMS else ""
        super().__init__(told + more, field=problems[0].path or None)
        self.problems = tuple(problems[:KEPT_PROBLEMS])

    @classmethod
    def of(cls, error: "ValidationError", *, known: Iterable[str] = (), under: str = "") -> Self:
        """Translate pydantic's report; `known` are the fields or their names, `under` the path that leads to them."""
        details = error.errors(include_url=False)[:KEPT_PROBLEMS]
        return cls([_problem(detail, known, under) for detail in details])


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ` - did you mean 'x'?` for the nearest known name, or nothing when none is near."""
    near = nearest(name, known)
    return f" - did you mean {near!r}?" if near else ""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that this one is, misspells, abbreviates or extends, whatever its case."""
    spelled = {_tidy(each): each for each in known}
    tidy = _tidy(name[:SHOWN_CHARACTERS])
    if not tidy:
        return None
    if len(tidy) < SHORTEST_ABBREVIATION:
        return spelled.get(tidy)
    related = [each for each in spelled if each.startswith(tidy) or tidy.startswith(each)]
    near = next(iter(get_close_matches(tidy, spelled, n=1) or related), None)
    return spelled[near] if near else None


def _tidy(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def shown(value: object) -> str:
    """Return the value as it may stand in a message: quoted, on one line, never long."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write out integers of more than 4,300 digits
        return f"a {type(value).__name__} too long to show"
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}... ({len(text)} characters)"


def _step(part: str | int) -> str:
    """Return one part of a path as it may stand in a message: printable, never long."""
    text = str(part)[:SHOWN_CHARACTERS]
    return text if text.isprintable() else repr(text)


def _problem(detail: "ErrorDetails", known: Iterable[str], under: str) -> Problem:
    """Say one pydantic complaint in a sentence: what was given and what is wanted."""
    where = [
        _step(part)
        for before, part in pairwise(("", *detail["loc"]))
        if (before, part) not in UNION_BRANCHES and part not in BRANCHES_OF_VALUES
    ]
    path = ".".join([under, *where] if under else where)
    match detail["type"]:
        case "missing":
            return Problem(path, "is required")
        case "extra_forbidden" | "unexpected_keyword_argument":
            names = sorted(names_at(known, where[:-1]) if isinstance(known, Mapping) else known)
            listed = f" (known: {', '.join(names)})" if names else ""
            return Problem(path, f"unknown field{did_you_mean(where[-1], names)}{listed}")
        case "value_error":
            return Problem(path, str(detail["ctx"]["error"]))
        case "union_tag_not_found":
            return Problem(f"{path}.{_tag(detail)}", "is required")
    if chosen := choices(detail):
        return _unknown_choice(detail, path, chosen)
    return Problem(path, f"{wanted(detail, path.rpartition('.')[2])}, got {shown(detail['input'])}")


def _unknown_choice(detail: "ErrorDetails", path: str, names: Sequence[str]) -> Problem:
    """Say that a value is none of those it may be; of an object told apart by a tag, it is the tag."""
    given, tagged = detail["input"], detail["type"] == "union_tag_invalid"
    if tagged:
        path, given = f"{path}.{_tag(detail)}", detail["ctx"]["tag"]
    near = did_you_mean(given, names) if isinstance(given, str) else ""
    return Problem(path, f"unknown value {shown(given)}{near}; known: {', '.join(map(repr, names))}{also(path)}")


def _tag(detail: "ErrorDetails") -> str:
    return str(detail["ctx"]["discriminator"]).strip("'")
