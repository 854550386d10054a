"""Which column means what: by its name, or where there is no header by its cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backtesting.errors import UnknownNameError, shown
from backtesting.price_files.arrow import pa
from backtesting.price_files.errors import UnreadableFileError
from backtesting.price_files.hints import Hints
from backtesting.price_files.layouts import Layout, layout_of
from backtesting.price_files.meanings import PRICES, TICK_VOLUMES, Meaning, key, rank
from backtesting.price_files.numbers import BadCellError, is_number, numbers
from backtesting.price_files.stamps import form_of_cell, is_clock, is_epoch, is_stamp, unit_of
from backtesting.price_files.tables import Table, Top, texts

UNIT_WORDS = {"seconds": "s", "milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns"}
EPOCH_FIGURES = (10, 13, 16, 19)
AGREEING_ROWS = 0.95
LISTED = 20


@dataclass(frozen=True, slots=True)
class Columns:
    """The place of each meaning in a table, the layout it is known by, and the choices made."""

    places: Mapping[Meaning, int]
    layout: Layout
    ticker: str | None
    notes: tuple[str, ...]


def columns_of(table: Table, hints: Hints) -> Columns:
    """Decide what the columns mean; UnreadableFileError says which of them are missing or could mean two things."""
    top = table.top
    ticker = _level(table, hints)
    eligible = [place for place, of in enumerate(top.tickers) if of in ("", ticker or "")]
    places = _by_name(top, eligible) if top.headed else _by_kind(top)
    places |= _by_hint(top, hints)
    layout = layout_of(_signature(top, eligible), headed=top.headed)
    missing = [meaning for meaning in (Meaning.TIME, *PRICES) if meaning not in places]
    if missing:
        raise UnreadableFileError(_lacking(table, missing, places))
    if not top.headed and not hints.columns:
        _check_order(table, places)
    return Columns(places, layout, ticker, _notes(top, places))


def _level(table: Table, hints: Hints) -> str | None:
    """Return the ticker whose columns count, where the header has a line of tickers."""
    tickers = sorted({each for each in table.top.tickers if each})
    if len(tickers) <= 1:
        return next(iter(tickers), None)
    return pick(table, tickers, hints.symbol)


def pick(table: Table, tickers: list[str], symbol: str | None) -> str:
    """Return the ticker that is asked for; UnreadableFileError lists them where it is none or nothing is asked."""
    for ticker in tickers:
        if symbol and ticker.lower() == symbol.lower():
            return ticker
    listed = ", ".join(tickers[:LISTED]) + (f" and {len(tickers) - LISTED} more" if len(tickers) > LISTED else "")
    asked = f"{shown(symbol)} is none of them" if symbol else "say which symbol"
    raise UnreadableFileError(f"{table.name}: holds several tickers, {listed}; {asked}")


def _by_name(top: Top, eligible: list[int]) -> dict[Meaning, int]:
    found = {}
    for meaning in Meaning:
        ranked = [(known, place) for place in eligible if (known := rank(top.names[place], meaning)) is not None]
        if fitting := [place for _, place in sorted(ranked) if _fits(top.columns[place], meaning)]:
            found[meaning] = fitting[0]
    unnamed = [place for place in eligible if _unnamed_stamps(top, place)]
    if unnamed:
        found.setdefault(Meaning.TIME, unnamed[0])
    if found.get(Meaning.TIME) == found.get(Meaning.CLOCK) or not _days_only(top, found):
        found.pop(Meaning.CLOCK, None)
    return _with_real_volume(top, found)


def _fits(column: pa.Array, meaning: Meaning) -> bool:
    """Whether the cells can mean this; prices may be anything, for a bad cell is named later."""
    if meaning is Meaning.TIME:
        return is_time(column)
    if meaning is Meaning.CLOCK:
        cells = texts(column)
        return bool(cells) and all(map(is_clock, cells))
    if meaning in (Meaning.TICKER, Meaning.PERIOD):
        return not pa.types.is_floating(column.type)
    return True


def is_time(column: pa.Array) -> bool:
    """Whether the cells are dates, times or counts since 1970."""
    if pa.types.is_temporal(column.type) and not pa.types.is_time(column.type):
        return True
    cells = texts(column)
    stamps = sum(map(is_stamp, cells))
    return stamps > 0 and stamps >= len(cells) / 2


def _unnamed_stamps(top: Top, place: int) -> bool:
    name = key(top.names[place])
    return (not name or name.startswith(("unnamed", "level"))) and is_time(top.columns[place])


def _days_only(top: Top, found: Mapping[Meaning, int]) -> bool:
    """Whether the date column has no time of day of its own."""
    if Meaning.TIME not in found:
        return False
    column = top.columns[found[Meaning.TIME]]
    if pa.types.is_timestamp(column.type):
        return False
    cells = texts(column)
    return not is_epoch(cells) and not any(":" in cell for cell in cells)


def _with_real_volume(top: Top, found: dict[Meaning, int]) -> dict[Meaning, int]:
    """MetaTrader's real volume is zero where the broker knows only ticks; then the ticks are the volume."""
    ticks = [place for place, name in enumerate(top.names) if key(name) in TICK_VOLUMES]
    if ticks and Meaning.VOLUME in found and set(texts(top.columns[found[Meaning.VOLUME]])) <= {"0", "0.0"}:
        found[Meaning.VOLUME] = ticks[0]
    return found


def _kind(column: pa.Array) -> str:
    """Return the kind of a column's cells as the layouts write it."""
    cells = texts(column)
    if not cells:
        return "n"
    if is_epoch(cells) and all(len(cell.split(".")[0]) in EPOCH_FIGURES for cell in cells):
        return UNIT_WORDS[unit_of(float(cells[0]))]
    if all(form_of_cell(cell) for cell in cells):
        kind = "second" if any(" " in cell or ":" in cell for cell in cells) else "day"
        return kind + (".dots" if "." in cells[0][:5] else ".tight" if cells[0][:8].isdigit() else "")
    if all(map(is_number, cells)):
        return "n"
    return "clock" if all(map(is_clock, cells)) else "text"


def _by_kind(top: Top) -> dict[Meaning, int]:
    """Read ticker, time, clock, open, high, low, close, volume: the order of all headerless files known."""
    kinds = [_kind(column) for column in top.columns]
    start = next((place for place, kind in enumerate(kinds) if kind not in ("n", "text")), None)
    if start is None:
        return {}
    found = {Meaning.TIME: start}
    if "text" in kinds[:start]:
        found[Meaning.TICKER] = kinds.index("text")
    first = start + 1
    if kinds[start].startswith("day") and first < len(kinds) and _is_clock_column(top.columns[first], kinds[first]):
        found[Meaning.CLOCK] = first
        first += 1
    names = (*PRICES, Meaning.VOLUME)
    return found | {meaning: first + place for place, meaning in enumerate(names) if first + place < len(kinds)}


def _is_clock_column(column: pa.Array, kind: str) -> bool:
    """Whether a column after the day is its time: `09:30`, or as many figures as 093000 has in every row."""
    cells = texts(column)
    return kind == "clock" or (all(map(is_clock, cells)) and {len(cell) for cell in cells} <= {4, 6})


def _by_hint(top: Top, hints: Hints) -> dict[Meaning, int]:
    labels = {name.lower(): place for place, name in reversed(list(enumerate(top.names)))}
    labels = {str(place + 1): place for place in range(len(top.names))} | labels
    found = {}
    for meaning, label in hints.columns.items():
        if label.lower() not in labels:
            raise UnknownNameError.among("column", label, [name for name in top.names if name], field="columns")
        found[Meaning(meaning)] = labels[label.lower()]
    return found


def _signature(top: Top, eligible: list[int]) -> list[str]:
    if not top.headed:
        return [_kind(column) for column in top.columns]
    levels = ["levels"] if any(top.tickers) else []
    return levels + [spelled for place in eligible if (spelled := key(top.names[place]))]


def _lacking(table: Table, missing: list[Meaning], places: Mapping[Meaning, int]) -> str:
    top = table.top
    known = ", ".join(f"{meaning} = {top.label(place)}" for meaning, place in places.items()) or "none"
    columns = ", ".join(name or "(no name)" for name in top.names[:LISTED])
    close_only = Meaning.CLOSE in places and len(missing) == len(PRICES) - 1
    why = "; bars need all four prices, a series of closes is not enough" if close_only else ""
    return (
        f"{table.name}: no column for {', '.join(missing)}{why}; understood: {known}; columns: {columns};"
        " say columns, for example close = 'Settle', where a name is not known"
    )


def _check_order(table: Table, places: Mapping[Meaning, int]) -> None:
    """Refuse a headerless file in which the third and fourth number are not the highest and lowest."""
    try:
        open_, high, low, close = (numbers(table.top.columns[places[meaning]], ".") for meaning in PRICES)
    except BadCellError:
        return
    agree = (np.fmax(open_, close) <= high) & (np.fmin(open_, close) >= low)
    if agree.mean() < AGREEING_ROWS:
        raise UnreadableFileError(
            f"{table.name}: has no header, and its numbers are not open, high, low, close in this order;"
            " say columns, for example high = '3'"
        )


def _notes(top: Top, places: Mapping[Meaning, int]) -> tuple[str, ...]:
    read = ", ".join(f"{meaning} = {top.label(place)}" for meaning, place in places.items())
    left = [top.label(place) for place, name in enumerate(top.names) if place not in places.values() and name]
    notes = [f"columns: {read}"]
    if left:
        notes.append(f"columns left out: {', '.join(left[:LISTED])}")
    if Meaning.VOLUME not in places:
        notes.append("volume: no such column, 0 in every row")
    return tuple(notes)
