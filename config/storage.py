"""Where data lies: the stores of the settings' database, and the folders of the user's files."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from backtesting.data_import import DataImporter, load_samples
from backtesting.data_sources import SAMPLES
from backtesting.errors import DatabaseUnavailableError
from backtesting.sessions import calendar_files
from config.database import ExternalPostgres, LazyEngine
from config.settings import APP_NAME, Settings, forget_libpq_settings
from database import roles
from database.embedded.server import EmbeddedPostgres, default_home
from database.schema import Server
from database.stores import Stores
from mcp_server.data_folders import DataFolders
from utils.logger import tell

IMPORT_FOLDER = "import"


def made(make: Callable[[], Stores]) -> Stores:
    """Make the stores; DatabaseUnavailableError where a setting cannot be meant."""
    try:
        return make()
    except ValueError as error:
        raise DatabaseUnavailableError(str(error)) from error


def make_stores(settings: Settings) -> Stores:
    """Return the stores of the settings' database, unopened; ValueError names the setting that is wrong."""
    server: Server
    home = data_home(settings)
    if settings.database_url:
        admin = settings.database_admin_url
        server = ExternalPostgres(settings.database_url.get_secret_value(), admin.get_secret_value() if admin else None)
    else:
        forget_libpq_settings()
        server = EmbeddedPostgres(home, bin_dir=settings.pg_bindir, run_as=settings.pg_user, report=tell)

    def pool(role: str) -> LazyEngine:
        # the server's own units of work are repeated after a lost connection, imports are not
        return LazyEngine(partial(server.url, role), settings.user_id, ping=role != roles.APP)

    calendar_files.keep_in(home / "calendars")
    return Stores(server, pool, home / "cache")


def make_data_folders(settings: Settings) -> DataFolders:
    """Return what tools may read of the user's files; by default a folder of its own beside the database's files.

    The data directory itself holds passwords and PostgreSQL's own files, so it stays closed but for that folder.
    """
    home = data_home(settings)
    default = home / IMPORT_FOLDER
    if not settings.data_folders:
        with suppress(OSError):  # where the directory is not there, nobody has put files into it
            default.mkdir(mode=0o700, exist_ok=True)
    return DataFolders(settings.data_folders or (default,), closed=home)


def data_home(settings: Settings) -> Path:
    """Return where this user's data lies: the embedded database and what is written for the user."""
    return (settings.data_dir or default_home(APP_NAME)).expanduser().resolve()


def add_samples(stores: Stores) -> None:
    """Import the sample files whose symbols are not stored."""
    stored = stores.bars.symbols()
    if not {sample.asset.symbol for sample in SAMPLES} <= set(stored):
        load_samples(DataImporter(stores.bars, stores.importing), stored)
