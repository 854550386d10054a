"""Help without a word of the domain: checks that are told, things that are waited for, a bar that is shown."""

from threading import Event

import pytest

from tests.fixtures.patience import until
from utils.checks import Check, run_checks
from utils.progress import ProgressBar
from utils.watch import when


def refuse(error: Exception) -> str:
    raise error


def test_every_check_is_told_and_all_are_well() -> None:
    told: list[str] = []

    assert run_checks([Check("one", lambda: "is there"), Check("two", lambda: "42 ms")], told.append)

    assert told == ["ok    one: is there", "ok    two: 42 ms"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(OSError("no such file"), "no such file"), (KeyError(), "KeyError"), (ValueError(""), "ValueError")],
)
def test_a_check_that_fails_is_told_with_its_reason_and_the_next_are_looked_at(error: Exception, reason: str) -> None:
    told: list[str] = []

    assert not run_checks([Check("one", lambda: refuse(error)), Check("two", lambda: "is there")], told.append)

    assert told == [f"FAIL  one: {reason}", "ok    two: is there"]


def test_no_checks_are_all_well() -> None:
    assert run_checks([], pytest.fail)


def test_what_is_to_be_done_is_done_once_it_happens_and_nobody_waits() -> None:
    happened, done = Event(), Event()

    when(happened.wait, done.set)

    assert not done.is_set()
    happened.set()
    until(done.is_set, 10)


def test_without_a_terminal_no_bar_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar() as bar:
        bar.show(0.5, "half of it")
        with bar.hidden():
            print("a line")  # noqa: T201 - what the bar makes room for

    assert capsys.readouterr() == ("a line\n", "")
