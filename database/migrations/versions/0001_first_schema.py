"""The first schema: market data, strategies, runs with their results and trades, and the wall between users."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

OF_USERS = ("backtest_runs", "backtest_results", "backtest_trades")
CONSISTENT_BAR = (
    "isfinite(ts) and open > 0 and low > 0 and low <= least(open, close) * 1.000000001"
    " and high >= greatest(open, close) * 0.999999999 and high < 'Infinity'"
    " and volume >= 0 and volume < 'Infinity' and adj_close > 0 and adj_close < 'Infinity'"
)
OWN_ROWS = "user_id = current_setting('app.user_id', true)"
# A stored run never changes, so the server may neither update nor delete one.
GRANTS = (
    "grant usage on schema market to bt_app, bt_loader",
    "grant select on market.assets, market.market_data to bt_app",
    "grant select, insert, update, delete on market.assets, market.market_data to bt_loader",
    "grant usage on schema app to bt_app",
    "grant select on app.alembic_version to bt_app",
    "grant select, insert, update on app.trading_strategies to bt_app",
    "grant select, insert on app.backtest_runs, app.backtest_results, app.backtest_trades to bt_app",
)


def upgrade() -> None:
    """Make the tables, let each role do its work, and each user see and write its own rows only."""
    create_tables()
    for table in OF_USERS:
        op.execute(f"alter table app.{table} enable row level security")
        op.execute(f"alter table app.{table} force row level security")
        op.execute(f"create policy own_rows on app.{table} using ({OWN_ROWS})")
    for grant in GRANTS:
        op.execute(grant)


def create_tables() -> None:
    """Make every table."""
    op.create_table(
        "trading_strategies",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("strategy_type", sa.Text(), nullable=False),
        sa.Column("parameters_schema", JSONB(), nullable=False),
        sa.Column("default_parameters", JSONB(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trading_strategies")),
        schema="app",
    )
    op.create_table(
        "assets",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("asset_class", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("exchange", sa.Text(), nullable=True),
        sa.CheckConstraint("symbol = upper(symbol)", name=op.f("ck_assets_upper_case")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assets")),
        sa.UniqueConstraint("symbol", name=op.f("uq_assets_symbol")),
        schema="market",
    )
    op.create_table(
        "backtest_runs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), server_default=sa.text("current_setting('app.user_id')"), nullable=False),
        sa.Column("kind", sa.Text(), server_default=sa.text("'backtest'"), nullable=False),
        sa.Column("strategy_id", sa.Text(), nullable=False),
        sa.Column("asset", sa.Text(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("start_date", sa.Date(), nullable=False),
        sa.Column("end_date", sa.Date(), nullable=False),
        sa.Column("initial_capital", sa.Double(), nullable=False),
        sa.Column("parameters", JSONB(), nullable=False),
        sa.Column("costs", JSONB(), nullable=False),
        sa.Column("fill", sa.Text(), nullable=False),
        sa.Column("adjustment", sa.Text(), nullable=True),
        sa.Column("request", JSONB(), nullable=False, comment="the request with every default filled in"),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(status = 'failed') = (error is not null)", name=op.f("ck_backtest_runs_reason_of_failure")
        ),
        sa.CheckConstraint(
            "(status in ('completed', 'failed')) = (completed_at is not null)", name=op.f("ck_backtest_runs_end_of_run")
        ),
        sa.CheckConstraint(
            "status in ('pending', 'running', 'completed', 'failed')", name=op.f("ck_backtest_runs_status")
        ),
        sa.ForeignKeyConstraint(
            ["strategy_id"], ["app.trading_strategies.id"], name=op.f("fk_backtest_runs_trading_strategies")
        ),
        sa.PrimaryKeyConstraint("user_id", "id", name=op.f("pk_backtest_runs")),
        schema="app",
    )
    op.create_index(
        op.f("ix_backtest_runs_user_id_created_at"),
        "backtest_runs",
        ["user_id", "created_at"],
        unique=False,
        schema="app",
    )
    op.create_table(
        "market_data",
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("tf", sa.SmallInteger(), nullable=False, comment="minutes of a bar"),
        sa.Column("ts", sa.DateTime(timezone=True), nullable=False, comment="start of the bar"),
        sa.Column("open", sa.Double(), nullable=False),
        sa.Column("high", sa.Double(), nullable=False),
        sa.Column("low", sa.Double(), nullable=False),
        sa.Column("close", sa.Double(), nullable=False),
        sa.Column("volume", sa.Double(), nullable=False),
        sa.Column("adj_close", sa.Double(), nullable=True, comment="adjusted by the source for splits and dividends"),
        sa.CheckConstraint(
            CONSISTENT_BAR,
            name=op.f("ck_market_data_consistent"),
        ),
        sa.ForeignKeyConstraint(["asset_id"], ["market.assets.id"], name=op.f("fk_market_data_assets")),
        sa.PrimaryKeyConstraint("asset_id", "tf", "ts", name=op.f("pk_market_data")),
        schema="market",
    )
    op.create_table(
        "backtest_results",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), server_default=sa.text("current_setting('app.user_id')"), nullable=False),
        sa.Column("final_capital", sa.Double(), nullable=False),
        sa.Column("total_return", sa.Double(), nullable=False),
        sa.Column("sharpe_ratio", sa.Double(), nullable=True),
        sa.Column("max_drawdown", sa.Double(), nullable=True),
        sa.Column("win_rate", sa.Double(), nullable=True),
        sa.Column("total_trades", sa.BigInteger(), nullable=False),
        sa.Column("winning_trades", sa.BigInteger(), nullable=False),
        sa.Column("losing_trades", sa.BigInteger(), nullable=False),
        sa.Column("avg_win", sa.Double(), nullable=True),
        sa.Column("avg_loss", sa.Double(), nullable=True),
        sa.Column("profit_factor", sa.Double(), nullable=True),
        sa.Column("metrics", JSONB(), nullable=False),
        sa.Column("undefined", JSONB(), nullable=False, comment="the reason of each metric that is null"),
        sa.Column("flags", JSONB(), nullable=False),
        sa.Column("counters", JSONB(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("data_hash", sa.Text(), nullable=False),
        sa.Column("config_hash", sa.Text(), nullable=False),
        sa.Column("provenance", JSONB(), nullable=False),
        sa.Column(
            "equity_curve", sa.LargeBinary(), nullable=False, comment="zlib: steps of int64 ns UTC, then float64 money"
        ),
        sa.ForeignKeyConstraint(
            ["user_id", "run_id"],
            ["app.backtest_runs.user_id", "app.backtest_runs.id"],
            name=op.f("fk_backtest_results_backtest_runs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", "run_id", name=op.f("pk_backtest_results")),
        schema="app",
    )
    op.create_table(
        "backtest_trades",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), server_default=sa.text("current_setting('app.user_id')"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("entry_date", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entry_price", sa.Double(), nullable=False),
        sa.Column("exit_date", sa.DateTime(timezone=True), nullable=True),
        sa.Column("exit_price", sa.Double(), nullable=True),
        sa.Column("quantity", sa.Double(), nullable=False),
        sa.Column("fees", sa.Double(), nullable=False),
        sa.Column("pnl", sa.Double(), nullable=False),
        sa.Column("pnl_percent", sa.Double(), nullable=False),
        sa.Column("exit_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(status = 'open') = (exit_date is null)", name=op.f("ck_backtest_trades_open_without_exit")
        ),
        sa.CheckConstraint("status in ('open', 'closed')", name=op.f("ck_backtest_trades_status")),
        sa.ForeignKeyConstraint(
            ["user_id", "run_id"],
            ["app.backtest_runs.user_id", "app.backtest_runs.id"],
            name=op.f("fk_backtest_trades_backtest_runs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", "run_id", "number", name=op.f("pk_backtest_trades")),
        schema="app",
    )
