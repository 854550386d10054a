"""Windows of a walk-forward, against properties that any of them must have, and small ones counted by hand."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtesting.errors import InvalidInputError
from backtesting.types import NS_PER_DAY, Integers
from backtesting.walk_forward.windows import Scheme, Span, Windows, windows_of

SCHEMES = st.builds(
    Scheme,
    train_sessions=st.integers(2, 40),
    test_sessions=st.integers(2, 20),
    anchored=st.booleans(),
    purge_bars=st.integers(0, 30),
    embargo_bars=st.integers(0, 10),
)
BARS_OF_SESSIONS = st.lists(st.integers(1, 7), min_size=60, max_size=150)


def sessions_of(bars: list[int]) -> Integers:
    """Return the labels of days from 1970 on with so many bars each."""
    return np.repeat(np.arange(len(bars), dtype=np.int64) * NS_PER_DAY, bars)


def told(windows: Windows) -> list[tuple[Span, Span]]:
    return [(each.train, each.test) for each in windows.each]


@given(bars=BARS_OF_SESSIONS, scheme=SCHEMES)
def test_test_spans_follow_one_another_and_no_train_span_reaches_into_its_own_or_the_gap(
    bars: list[int], scheme: Scheme
) -> None:
    try:
        windows = windows_of(sessions_of(bars), scheme)
    except InvalidInputError:
        return
    bars_before = np.cumsum([0, *bars])

    tested = [session for each in windows.each for session in range(each.test.first, each.test.behind)]
    assert tested == list(range(tested[0], tested[-1] + 1)), "each session once, in order"
    assert len(bars) - tested[-1] - 1 == windows.unused < scheme.test_sessions
    for each in windows.each:
        assert len(each.test) == scheme.test_sessions
        assert bars_before[each.test.first] - bars_before[each.train.behind] >= scheme.purge_bars
        assert bars_before[each.trade_from] - bars_before[each.test.first] >= scheme.embargo_bars
        assert each.test.first <= each.trade_from < each.test.behind
        assert each.train.first == 0 if scheme.anchored else len(each.train) == scheme.train_sessions
        assert len(each.train) >= scheme.train_sessions


@given(bars=BARS_OF_SESSIONS, scheme=SCHEMES)
def test_no_more_sessions_are_left_out_than_a_gap_needs(bars: list[int], scheme: Scheme) -> None:
    try:
        windows = windows_of(sessions_of(bars), scheme)
    except InvalidInputError:
        return
    bars_before = np.cumsum([0, *bars])

    for each in windows.each:
        assert bars_before[each.test.first] - bars_before[each.train.behind + 1] < max(scheme.purge_bars, 1)
        if each.trade_from > each.test.first:
            assert bars_before[each.trade_from - 1] - bars_before[each.test.first] < scheme.embargo_bars


def test_rolling_windows_move_on_by_the_length_of_a_test() -> None:
    windows = windows_of(sessions_of([1] * 12), Scheme(train_sessions=5, test_sessions=3))

    assert told(windows) == [(Span(0, 5), Span(5, 8)), (Span(3, 8), Span(8, 11))]
    assert windows.unused == 1
    assert windows.days(Span(5, 8)) == (date(1970, 1, 6), date(1970, 1, 8))


def test_anchored_windows_train_on_everything_before() -> None:
    windows = windows_of(sessions_of([1] * 12), Scheme(train_sessions=5, test_sessions=3, anchored=True))

    assert told(windows) == [(Span(0, 5), Span(5, 8)), (Span(0, 8), Span(8, 11))]


def test_a_purge_in_bars_takes_whole_sessions_from_between() -> None:
    # 4 bars a session: 5 bars reach into a second one
    windows = windows_of(sessions_of([4] * 12), Scheme(train_sessions=5, test_sessions=3, purge_bars=5))

    assert told(windows) == [(Span(0, 5), Span(7, 10))]


def test_an_embargo_in_bars_keeps_whole_sessions_of_the_test_in_cash() -> None:
    windows = windows_of(sessions_of([4] * 12), Scheme(train_sessions=5, test_sessions=3, embargo_bars=5))

    assert [each.trade_from for each in windows.each] == [7, 10]
    assert told(windows) == [(Span(0, 5), Span(5, 8)), (Span(3, 8), Span(8, 11))]


def test_a_period_too_short_is_refused_with_what_would_fit() -> None:
    with pytest.raises(InvalidInputError) as refused:
        windows_of(sessions_of([1] * 100), Scheme(train_sessions=90, test_sessions=20, purge_bars=3))

    assert "has 100 sessions, and the first window needs 113: 90 to train, 20 to test, 3 between" in str(refused.value)
    assert "train_sessions 77 would just do" in str(refused.value)
    assert len(windows_of(sessions_of([1] * 100), Scheme(train_sessions=77, test_sessions=20, purge_bars=3)).each) == 1


def test_a_period_shorter_than_a_test_span_is_refused_without_advice_that_cannot_help() -> None:
    with pytest.raises(InvalidInputError, match=r"8 sessions.*20 to test; choose a longer period"):
        windows_of(sessions_of([1] * 8), Scheme(train_sessions=90, test_sessions=20))


def test_an_embargo_as_long_as_a_test_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="embargo_bars: 12 leave nothing to trade of a test span of 12 bars"):
        windows_of(sessions_of([4] * 12), Scheme(train_sessions=5, test_sessions=3, embargo_bars=12))
