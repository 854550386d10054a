"""How stored runs are searched: in time that does not grow with their number, where an index leads to them."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Select

from backtesting.types import NEWEST, RunFilter, RunStatus
from database.models import SORTABLE, backtest_results, backtest_runs

SUMMARY_COLUMNS = ("metrics", "undefined", "flags", "counters", "provenance", "diagnostics")
RESULT_OF_RUN = backtest_results.c.run_id == backtest_runs.c.id
SELECTED = sa.select(backtest_runs, *(backtest_results.c[name] for name in SUMMARY_COLUMNS))
WITH_SUMMARY = SELECTED.outerjoin(backtest_results, RESULT_OF_RUN)
COUNTED = 1_000  # beyond a page: counting a million takes longer than finding it
WITHOUT_RESULT = backtest_runs.c.status != RunStatus.COMPLETED.value


def page_of(wanted: RunFilter) -> Select[Any]:
    """Return the query of a page: the newest first, or those of the highest metric and after them those without it."""
    if wanted.sort_by == NEWEST:
        newest = WITH_SUMMARY.where(*_conditions(wanted)).order_by(*_newest(backtest_runs.c))
        return newest.offset(wanted.offset).limit(wanted.limit)
    reach, rank = wanted.offset + wanted.limit, _metric(wanted.sort_by)
    ranked = SELECTED.add_columns(rank.label("rank")).join(backtest_results, RESULT_OF_RUN)
    ranked = ranked.where(*_conditions(wanted)).order_by(rank.desc().nulls_last(), *_newest(backtest_runs.c))
    others = WITH_SUMMARY.add_columns(sa.null().cast(sa.Double)).where(WITHOUT_RESULT, *_conditions(wanted))
    others = others.order_by(*_newest(backtest_runs.c))
    found = sa.union_all(ranked.limit(reach), others.limit(reach)).subquery()
    order = [found.c.rank.desc().nulls_last(), *_newest(found.c)]
    return sa.select(found).order_by(*order).offset(wanted.offset).limit(wanted.limit)


def count_of(wanted: RunFilter) -> Select[Any]:
    """Return the query of how many runs there are, `counted(wanted)` and one at most."""
    some = sa.select(backtest_runs.c.id).where(*_conditions(wanted)).limit(counted(wanted) + 1)
    return sa.select(sa.func.count()).select_from(some.subquery())


def counted(wanted: RunFilter) -> int:
    """Return up to how many runs are counted: some beyond the page."""
    return wanted.offset + wanted.limit + COUNTED


def _conditions(wanted: RunFilter) -> list[ColumnElement[bool]]:
    table = backtest_runs.c
    columns: list[tuple[Any, ColumnElement[Any]]] = [
        (wanted.strategy_id, table.strategy_id),
        (wanted.symbol, table.asset),
        (wanted.status, table.status),
    ]
    conditions = [column == value for value, column in columns if value is not None]
    if wanted.id_part is not None:
        conditions.append(table.id.contains(wanted.id_part, autoescape=True))
    if wanted.tag is not None:
        conditions.append(table.tags.contains([wanted.tag]))
    if wanted.since is not None:
        conditions.append(table.created_at >= wanted.since)
    return conditions


def _newest(columns: Any) -> list[ColumnElement[Any]]:
    return [columns.created_at.desc(), columns.id]


def _metric(key: str) -> ColumnElement[Any]:
    """Return where a metric is stored: in a column of its own, which has an index, or among the others."""
    return backtest_results.c[key] if key in SORTABLE else backtest_results.c.metrics[key].astext.cast(sa.Double)
