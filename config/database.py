"""How a PostgreSQL is reached: as which role, for which user, through which pool."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import sqlalchemy as sa
from psycopg.pq import Conninfo
from sqlalchemy import URL, Dialect, Engine

DRIVER = "postgresql+psycopg"
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 60
SETTINGS = (
    "timezone=UTC",
    f"statement_timeout={STATEMENT_SECONDS}s",
    # a plan is otherwise kept that was made when the tables were empty: reading all, and all again for each row
    "plan_cache_mode=force_custom_plan",
)
PORTS = range(1, 65536)
BAD_PORT = "has a port that is no number up to 65535: write postgresql://user@host:5432/database"
WHERE = ("host", "port", "dbname", "service")  # what of a query is worth showing
POOL: dict[str, Any] = {"pool_size": 5, "max_overflow": 5, "pool_recycle": 1800}


class ExternalPostgres:
    """The user's own server: one login, which takes on the role each connection needs, and one that prepares it."""

    is_ours = False

    def __init__(self, url: str, admin_url: str | None = None) -> None:
        self._url = parse_url(url)
        self._admin_url = parse_url(admin_url, "DATABASE_ADMIN_URL") if admin_url else self._url

    @property
    def place(self) -> str:
        """The URL without its password, which may also stand behind the question mark."""
        shown = {name: value for name, value in self._url.query.items() if name in WHERE}
        return self._url.set(drivername="postgresql", query=shown).render_as_string(hide_password=True)

    @property
    def login(self) -> str | None:
        """The login of DATABASE_URL."""
        return self._url.username

    def start(self) -> None:
        """Leave the server to whoever runs it."""

    def close(self) -> None:
        """Leave the server to whoever runs it."""

    def url(self, role: str) -> URL:
        """Return the address with `role` set from the start of each connection."""
        return with_option(self._url, f"role={role}")

    def admin_url(self) -> URL:
        """Return the address of the login itself."""
        return self._admin_url

    def password(self, role: str) -> None:
        """Return None: our roles do not log in here."""


def parse_url(text: str, setting: str = "DATABASE_URL") -> URL:
    """Read a URL, for psycopg; ValueError says what is wrong with the setting, without the password."""
    try:
        url = sa.make_url(text)
    except sa.exc.ArgumentError:
        raise ValueError(f"{setting} is not a URL: write postgresql://user:password@host:5432/database") from None
    except ValueError:
        raise ValueError(f"{setting} {BAD_PORT}") from None
    if url.drivername.split("+")[0] not in ("postgres", "postgresql"):
        raise ValueError(f"{setting} names {url.drivername}: only postgresql:// is supported")
    if url.port is not None and url.port not in PORTS:
        raise ValueError(f"{setting} {BAD_PORT}")
    if "@" in (url.host or ""):
        raise ValueError(f"{setting} has an @ in its password: write postgresql:// with %40 in its place")
    defaults = {option.keyword.decode(): (option.val or b"").decode() for option in Conninfo.get_defaults()}
    if unknown := ", ".join(sorted(set(url.query) - set(defaults))):
        raise ValueError(f"{setting} has options that PostgreSQL does not know, {unknown}: write postgresql:// without")
    return _completed(url.set(drivername=DRIVER), defaults)


def _completed(url: URL, defaults: Mapping[str, str]) -> URL:
    """Say whose login it is and how long to wait for a connection, where the URL leaves that to the driver."""
    user = url.query.get("user") or url.username or defaults["user"]
    limits = {"connect_timeout": str(CONNECT_SECONDS)} | dict(url.query)
    return url.set(username=str(user), query=limits).difference_update_query(["user"])


def with_option(url: URL, setting: str) -> URL:
    """Add a server setting that holds from the first moment of a connection and survives every rollback."""
    escaped = setting.replace("\\", "\\\\").replace(" ", "\\ ")
    before = url.query.get("options", "")
    return url.update_query_dict({"options": f"{before} -c {escaped}".strip()})


class LazyEngine:
    """A pool that connects at its first use; every connection speaks for one user, in UTC.

    Each new connection asks `open_url` where to go: a server of ours may have moved, or has to be started again. With
    `ping` an idle connection is tried before its use; without, whoever uses a dead one repeats the work.
    """

    def __init__(self, open_url: Callable[[], URL], user_id: str, *, ping: bool = True) -> None:
        self._open_url = open_url
        self._settings = (f"app.user_id={user_id}", *SETTINGS)
        strict_json = partial(json.dumps, allow_nan=False)
        self._engine = sa.create_engine(f"{DRIVER}://", json_serializer=strict_json, pool_pre_ping=ping, **POOL)
        sa.event.listen(self._engine, "do_connect", self._connect)

    def __call__(self) -> Engine:
        """Return the pool."""
        return self._engine

    def close(self) -> None:
        """Close the pool's connections."""
        self._engine.dispose()

    def _connect(self, dialect: Dialect, *_: Any) -> Any:
        url = self._open_url()
        for setting in self._settings:
            url = with_option(url, setting)
        arguments, parameters = dialect.create_connect_args(url)
        return dialect.connect(*arguments, **parameters)
