"""That trades have a run is checked once a statement, not once a trade, and long curves may be compressed by zstd."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

REQUIRE_RUNS = """
create function app.require_runs() returns trigger language plpgsql as $$ begin
  if exists (select from (select distinct user_id, run_id from added) a where not exists
      (select from app.backtest_runs r where r.user_id = a.user_id and r.id = a.run_id)) then
    raise foreign_key_violation using
      message = format('insert on table "%s" violates foreign key constraint: there is no such run', tg_table_name);
  end if;
  return null;
end $$"""
FORGET_TRADES = """
create function app.forget_trades() returns trigger language plpgsql as $$ begin
  delete from app.backtest_trades t where t.user_id = old.user_id and t.run_id = old.id;
  return null;
end $$"""
REQUIRE = """create trigger require_runs after insert on app.backtest_trades
  referencing new table as added for each statement execute function app.require_runs()"""
FORGET = """create trigger forget_trades after delete on app.backtest_runs
  for each row execute function app.forget_trades()"""


def upgrade() -> None:
    """Put triggers in the place of the foreign key."""
    op.drop_constraint(op.f("fk_backtest_trades_backtest_runs"), "backtest_trades", schema="app", type_="foreignkey")
    for statement in (REQUIRE_RUNS, FORGET_TRADES, REQUIRE, FORGET):
        op.execute(statement)
    comment = "zlib or zstd: steps of int64 ns UTC, then float64 money"
    op.alter_column("backtest_results", "equity_curve", comment=comment, schema="app")
