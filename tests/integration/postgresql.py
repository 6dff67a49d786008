"""A private PostgreSQL in a folder of its own; where tests are root, as another user, since it refuses root."""

import asyncio
import os
import pwd
import shutil
import signal
import tempfile
from pathlib import Path

from broker.node import free_port

_USERS = ("postgres", "nobody")


def program(name: str) -> str:
    """Return a program of PostgreSQL. That none is installed fails the test: the ledger's promises hold for both."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    path = str(found[0]) if found else shutil.which(name)
    assert path is not None, f"no {name}: install PostgreSQL (Debian: apt-get install postgresql)"
    return path


class PostgreSQL:
    """One server, on a free port of 127.0.0.1. `start` and `stop` may be called again."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cbm-postgresql-"))
        self._data = self.folder / "data"
        self._port = free_port()
        self._user: pwd.struct_passwd | None = None
        if os.geteuid() == 0:
            known = {entry.pw_name: entry for entry in pwd.getpwall()}
            self._user = next(known[name] for name in _USERS if name in known)
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of its database."""
        return f"postgresql+psycopg://cbm@127.0.0.1:{self._port}/postgres"

    async def _run(self, *command: str) -> None:
        identity = {} if self._user is None else {"user": self._user.pw_uid, "group": self._user.pw_gid}
        # The server keeps what it inherits: an output that is a pipe would never end.
        with (self.folder / "commands.log").open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                extra_groups=[] if identity else None,
                **identity,  # type: ignore[arg-type]
            )
            status = await process.wait()
        assert status == 0, (self.folder / "commands.log").read_text()

    async def make(self) -> None:
        """Make the database's files; fast and unsafe on a crash of the machine, which no test makes."""
        await self._run(
            program("initdb"), "-D", str(self._data), "-U", "cbm", "--auth=trust", "--no-sync", "-E", "UTF8"
        )

    async def start(self) -> None:
        """Start the server; returns when it serves."""
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        log = str(self.folder / "server.log")
        await self._run(program("pg_ctl"), "-D", str(self._data), "-o", options, "-l", log, "-w", "-t", "60", "start")

    async def stop(self) -> None:
        """Stop the server, ending the connections there are."""
        await self._run(program("pg_ctl"), "-D", str(self._data), "-m", "fast", "-w", "-t", "60", "stop")

    def destroy(self) -> None:
        """End the server by its own process id, if it runs, and remove its files."""
        try:
            pid = int((self._data / "postmaster.pid").read_text().splitlines()[0])
            os.kill(pid, signal.SIGQUIT)
        except (OSError, ValueError, IndexError):
            pass
        shutil.rmtree(self.folder, ignore_errors=True)
