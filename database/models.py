"""The tables: the only place that spells columns.

Market data is shared and read-only to the server's role. Every table of runs carries `user_id`, filled in by the
connection's own setting and guarded by forced row security (`migrations`), so no query names a user and none forgets.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

NAMES = {
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
}
metadata = MetaData(naming_convention=NAMES)

CONSISTENT_BAR = (
    "isfinite(ts) and open > 0 and low > 0 and low <= least(open, close) * 1.000000001"
    " and high >= greatest(open, close) * 0.999999999 and high < 'Infinity'"
    " and volume >= 0 and volume < 'Infinity' and adj_close > 0 and adj_close < 'Infinity'"
)
WARNS = """report @? '$.findings[*] ? (@.severity == "warning")'"""
CURRENT_USER = text("current_setting('app.user_id')")


def _owner() -> Column[str]:
    return Column("user_id", Text, nullable=False, server_default=CURRENT_USER)


assets = Table(
    "assets",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("symbol", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("asset_class", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("exchange", Text),
    Column("reasons", JSONB),
    Column("tick_size", Double, comment="smallest step of a price"),
    Column("lot_size", Double, comment="smallest step of a quantity"),
    CheckConstraint("symbol = upper(symbol)", name="upper_case"),
    CheckConstraint("tick_size > 0 and lot_size > 0", name="steps"),
    schema="market",
)

market_data = Table(
    "market_data",
    metadata,
    # no foreign key: checking it a row at a time would take longer than the copy itself, and assets are never deleted
    Column("asset_id", Integer, nullable=False),
    Column("tf", SmallInteger, nullable=False, comment="minutes of a bar"),
    Column("ts", DateTime(timezone=True), nullable=False, comment="start of the bar"),
    Column("open", Double, nullable=False),
    Column("high", Double, nullable=False),
    Column("low", Double, nullable=False),
    Column("close", Double, nullable=False),
    Column("volume", Double, nullable=False),
    Column("adj_close", Double, comment="adjusted by the source for splits and dividends"),
    PrimaryKeyConstraint("asset_id", "tf", "ts"),
    CheckConstraint(CONSISTENT_BAR, name="consistent"),
    schema="market",
)

series = Table(
    "series",
    metadata,
    Column("asset_id", Integer, ForeignKey(assets.c.id), nullable=False),
    Column("tf", SmallInteger, nullable=False, comment="minutes of a bar"),
    Column("version", Uuid, nullable=False),
    PrimaryKeyConstraint("asset_id", "tf"),
    schema="market",
)

imports = Table(
    "imports",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("asset_id", Integer, ForeignKey(assets.c.id), nullable=False),
    Column("tf", SmallInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("imported_at", DateTime(timezone=True), nullable=False),
    Column("inserted", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("report", JSONB, nullable=False),
    Column("first", DateTime(timezone=True)),
    Column("last", DateTime(timezone=True)),
    Index(None, "asset_id", "tf"),
    Index("ix_imports_warning", "asset_id", "tf", postgresql_where=text(WARNS)),
    schema="market",
)

trading_strategies = Table(
    "trading_strategies",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("strategy_type", Text, nullable=False),
    Column("parameters_schema", JSONB, nullable=False),
    Column("default_parameters", JSONB, nullable=False),
    Column("is_active", Boolean, nullable=False),
    schema="app",
)

backtest_runs = Table(
    "backtest_runs",
    metadata,
    Column("id", Text, nullable=False),
    _owner(),
    Column("kind", Text, nullable=False, server_default=text("'backtest'")),
    Column("strategy_id", Text, ForeignKey(trading_strategies.c.id), nullable=False),
    Column("asset", Text, nullable=False),
    Column("timeframe", Text, nullable=False),
    Column("start_date", Date, nullable=False),
    Column("end_date", Date, nullable=False),
    Column("initial_capital", Double, nullable=False),
    Column("parameters", JSONB, nullable=False),
    Column("costs", JSONB, nullable=False),
    Column("fill", Text, nullable=False),
    Column("adjustment", Text),
    Column("request", JSONB, nullable=False, comment="the request with every default filled in"),
    Column("status", Text, nullable=False),
    Column("error", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("completed_at", DateTime(timezone=True)),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    PrimaryKeyConstraint("user_id", "id"),
    CheckConstraint("status in ('pending', 'running', 'completed', 'failed')", name="status"),
    CheckConstraint("(status = 'failed') = (error is not null)", name="reason_of_failure"),
    CheckConstraint("(status in ('completed', 'failed')) = (completed_at is not null)", name="end_of_run"),
    Index(None, "user_id", "created_at"),
    Index(None, "user_id", "strategy_id", "created_at"),
    Index(None, "user_id", "asset", "created_at"),
    Index("ix_backtest_runs_without_result", "user_id", "created_at", postgresql_where=text("status <> 'completed'")),
    schema="app",
)


def _of_run() -> ForeignKeyConstraint:
    """Refer to a run of the same user: foreign keys are checked without row security."""
    return ForeignKeyConstraint(
        ["user_id", "run_id"], [backtest_runs.c.user_id, backtest_runs.c.id], ondelete="CASCADE"
    )


# what runs are ranked by in no time, however many there are
SORTABLE = ("total_return", "sharpe_ratio", "max_drawdown", "win_rate", "profit_factor", "total_trades")

backtest_results = Table(
    "backtest_results",
    metadata,
    Column("run_id", Text, nullable=False),
    _owner(),
    Column("final_capital", Double, nullable=False),
    Column("total_return", Double, nullable=False),
    Column("sharpe_ratio", Double),
    Column("max_drawdown", Double),
    Column("win_rate", Double),
    Column("total_trades", BigInteger, nullable=False),
    Column("winning_trades", BigInteger, nullable=False),
    Column("losing_trades", BigInteger, nullable=False),
    Column("avg_win", Double),
    Column("avg_loss", Double),
    Column("profit_factor", Double),
    Column("metrics", JSONB, nullable=False),
    Column("undefined", JSONB, nullable=False, comment="the reason of each metric that is null"),
    Column("flags", JSONB, nullable=False),
    Column("counters", JSONB, nullable=False),
    Column("contract_version", Text, nullable=False),
    Column("data_hash", Text, nullable=False),
    Column("config_hash", Text, nullable=False),
    Column("provenance", JSONB, nullable=False),
    Column("diagnostics", JSONB(none_as_null=True), comment="null where the run was not reviewed"),
    Column(
        "equity_curve", LargeBinary, nullable=False, comment="zlib or zstd: steps of int64 ns UTC, then float64 money"
    ),
    Column("benchmark_curve", LargeBinary, comment="the same of buy and hold; null in runs from before it was stored"),
    PrimaryKeyConstraint("user_id", "run_id"),
    Index(None, "user_id", "config_hash"),
    *(Index(f"ix_backtest_results_{name}", "user_id", text(f"{name} desc nulls last")) for name in SORTABLE),
    _of_run(),
    schema="app",
)

backtest_trades = Table(
    "backtest_trades",
    metadata,
    # that there is the run is checked by a trigger once a statement: a foreign key would check it once a trade, which
    # takes longer than storing the trades
    Column("run_id", Text, nullable=False),
    _owner(),
    Column("number", Integer, nullable=False),
    Column("direction", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("entry_date", DateTime(timezone=True), nullable=False),
    Column("entry_price", Double, nullable=False),
    Column("exit_date", DateTime(timezone=True)),
    Column("exit_price", Double),
    Column("quantity", Double, nullable=False),
    Column("fees", Double, nullable=False),
    Column("pnl", Double, nullable=False),
    Column("pnl_percent", Double, nullable=False),
    Column("exit_reason", Text),
    Column("decision_date", DateTime(timezone=True), comment="bar whose close decided the entry"),
    Column("mae", Double, comment="worst excursion from the entry price, a fraction <= 0"),
    Column("mfe", Double, comment="best excursion from the entry price, a fraction >= 0"),
    Column("slippage", Double),
    Column("borrow", Double),
    PrimaryKeyConstraint("user_id", "run_id", "number"),
    CheckConstraint("status in ('open', 'closed')", name="status"),
    CheckConstraint("(status = 'open') = (exit_date is null)", name="open_without_exit"),
    schema="app",
)

OPEN_JOB = "status in ('pending', 'running')"
NOW = text("clock_timestamp()")

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, nullable=False),
    _owner(),
    Column("number", BigInteger, Identity(always=True), comment="order of submission"),
    Column("kind", Text, nullable=False),
    Column("request", JSONB, nullable=False),
    Column("status", Text, nullable=False, server_default=text("'pending'")),
    Column("attempt", Integer, nullable=False, server_default=text("0"), comment="fence: only grows"),
    Column("strikes", Integer, nullable=False, server_default=text("0"), comment="claims since the last chunk"),
    Column("owner", Uuid),
    Column("lease_until", DateTime(timezone=True)),
    Column("done", Integer, nullable=False, server_default=text("0")),
    Column("total", Integer),
    Column("stage", Text, nullable=False, server_default=text("''")),
    Column("best", JSONB),
    Column("done_before", Integer, nullable=False, server_default=text("0"), comment="`done` at the claim"),
    Column("result", JSONB),
    Column("error", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=NOW),
    Column("claimed_at", DateTime(timezone=True)),
    Column("finished_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("user_id", "id"),
    CheckConstraint("status in ('pending', 'running', 'completed', 'failed', 'cancelled')", name="status"),
    CheckConstraint(f"({OPEN_JOB}) = (finished_at is null)", name="end_of_job"),
    CheckConstraint("(status = 'failed') = (error is not null)", name="reason_of_failure"),
    CheckConstraint("(status = 'running') = (lease_until is not null)", name="lease"),
    Index("ix_jobs_open", "user_id", "number", postgresql_where=text(OPEN_JOB)),
    schema="app",
)

job_chunks = Table(
    "job_chunks",
    metadata,
    Column("job_id", Text, nullable=False),
    _owner(),
    Column("chunk", Integer, nullable=False),
    Column("result", JSONB, nullable=False),
    PrimaryKeyConstraint("user_id", "job_id", "chunk"),
    ForeignKeyConstraint(["user_id", "job_id"], [jobs.c.user_id, jobs.c.id], ondelete="CASCADE"),
    schema="app",
)

trials = Table(
    "trials",
    metadata,
    Column("data_hash", Text, nullable=False),
    Column("config_hash", Text, nullable=False),
    _owner(),
    Column("strategy_id", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("timeframe", Text, nullable=False),
    Column("start_date", Date, nullable=False),
    Column("end_date", Date, nullable=False),
    Column("sessions", Integer, nullable=False),
    Column("sharpe", Double, comment="per session"),
    Column("skewness", Double),
    Column("kurtosis", Double, comment="not excess"),
    Column("source_id", Text, nullable=False, comment="the run or job that tried it"),
    Column("configurations", Integer, nullable=False, server_default=text("1"), comment="sets of a search at once"),
    Column("defined", Integer, nullable=False, server_default=text("1"), comment="those with a Sharpe ratio"),
    Column("spread", Double, nullable=False, server_default=text("0"), comment="squared distances from `sharpe`"),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=NOW),
    PrimaryKeyConstraint("user_id", "data_hash", "config_hash"),
    Index(None, "user_id", "symbol", "timeframe"),
    schema="app",
)
