"""The example port in a folder of its own, run by the installed `cbm` command as people run it.

Owns the folder and the processes: each is ended by its own id, and what a killed one left behind is found
by the folder's path. Never reaches into a process, and never imports what it runs.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests import PATIENCE

ROOT = Path(__file__).parent.parent.parent
CBM = Path(sys.executable).with_name("cbm")
EXAMPLE = ROOT / "examples" / "seaport"
CUSTOMS, QUARANTINE, BORDER = "kr.customs", "kr.quarantine", "kr.border"
AGENCIES = (CUSTOMS, QUARANTINE, BORDER)

T = TypeVar("T")


def until(condition: Callable[[], T], timeout_s: float = 20.0, what: str = "it") -> T:
    """Wait until a condition holds, and return what it returned; see `PATIENCE`."""
    deadline = time.monotonic() + timeout_s * PATIENCE
    while not (result := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout_s * PATIENCE:g} s"
        time.sleep(0.05)
    return result


def json_lines(content: bytes) -> list[dict[str, Any]]:
    """Read NDJSON; a last line that is still being written is left out."""
    return [json.loads(line) for line in content.splitlines(keepends=True) if line.endswith(b"\n") and line.strip()]


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    status: int
    out: bytes
    notes: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What it printed, as NDJSON."""
        return json_lines(self.out)


class Running:
    """A command that goes on until it is told to stop."""

    def __init__(
        self, command: list[str], environment: dict[str, str], folder: Path, name: str, cwd: Path | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.out, self.err = folder / f"{name}.out", folder / f"{name}.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self._process = subprocess.Popen(
                command,
                env=environment,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    @property
    def text(self) -> str:
        """What it said to people so far."""
        return self.err.read_text(errors="replace")

    @property
    def story(self) -> list[str]:
        """The lines it printed so far."""
        return self.out.read_text(errors="replace").splitlines()

    def logged(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """The lines of its log (on stdout) of an event, with these fields."""
        lines = json_lines(self.out.read_bytes())
        return [one for one in lines if one["event"] == event and fields.items() <= one.items()]

    def says(self, words: str, timeout_s: float = 60.0) -> None:
        """Wait until it says something on stderr."""

        def said() -> bool:
            assert not self.ended or words in self.text, f"ended with {self._process.returncode}: {self.text}"
            return words in self.text

        until(said, timeout_s, f"{words!r}")

    def wait(self, timeout_s: float = 30.0) -> int:
        """Wait until it ends by itself, and return the exit status."""
        return self._process.wait(timeout_s * PATIENCE)

    def end(self, number: signal.Signals = signal.SIGINT, timeout_s: float = 60.0) -> int:
        """Send a signal, wait for the end, return the exit status."""
        if not self.ended:
            self._process.send_signal(number)
        return self._process.wait(timeout_s * PATIENCE)


class Seaport:
    """The example network: `cbm.toml` as it stands in `examples/seaport`, with what a test changes of it."""

    def __init__(self, folder: Path, *, extra: str = "", changes: Mapping[str, str] | None = None) -> None:
        """`changes` replaces text of the example file, `extra` is added to its end."""
        self.folder = folder
        self.config, self.state = folder / "cbm.toml", folder / "var"
        folder.mkdir(parents=True, exist_ok=True)
        text = (EXAMPLE / "cbm.toml").read_text()
        server = os.environ.get("CBM_TEST_RABBITMQ_SERVER")
        if server:
            text = text.replace("[rabbitmq]\n", f"[rabbitmq]\nserver = {json.dumps(server)}\n", 1)
        for old, new in (changes or {}).items():
            assert old in text, f"the example no longer says {old!r}"
            text = text.replace(old, new)
        self.config.write_text(text + extra)
        found = re.search(r'"sqlite:///(.*)"', text)
        self.ledger_file = Path(found[1]) if found else self.state / "ledger.sqlite"
        self._running: list[Running] = []
        self.log: Running | None = None
        """`cbm up` with its logs, where a fixture started it."""

    def environment(self, **extra: str) -> dict[str, str]:
        """The caller's environment without what would configure cbm, and with this port's file."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CBM_")}
        return kept | {"CBM_CONFIG": str(self.config)} | extra

    def run(
        self, *arguments: str | Path, stdin: bytes = b"", timeout_s: float = 60.0, env: Mapping[str, str] | None = None
    ) -> Done:
        """Run a command to its end."""
        command = [str(CBM), *map(str, arguments)]
        environment = self.environment(**(env or {}))
        done = subprocess.run(
            command,
            input=stdin,
            env=environment,
            capture_output=True,
            timeout=timeout_s * PATIENCE,
            cwd=self.folder,
            check=False,
        )
        # Whatever the command: what is no terminal gets no colour.
        assert b"\x1b" not in done.stdout + done.stderr, done
        return Done(done.returncode, done.stdout, done.stderr.decode(errors="replace"))

    def start(self, *arguments: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Running:
        """Start a command that goes on."""
        return self.start_program([str(CBM), *map(str, arguments)], env=env, cwd=cwd)

    def start_program(
        self, command: list[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Running:
        """Start a program of somebody else's that goes on."""
        name = f"{len(self._running)}-{Path(command[0]).name}"
        running = Running(command, self.environment(**(env or {})), self.folder / "said", name, cwd)
        self._running.append(running)
        return running

    def up(self, *arguments: str | Path) -> Running:
        """Start `cbm up`, its logs on stdout; returns when the broker and all adapters serve."""
        running = self.start("up", "--logs", *arguments)

        def serves() -> bool:
            assert not running.ended, f"cbm up ended: {running.text}"
            return bool(running.logged("broker.started")) and len(running.logged("adapter.started")) >= len(AGENCIES)

        until(serves, 90, "the port serving")
        return running

    def url(self, agency: str) -> str:
        """An agency's AMQP URL."""
        done = self.run("credentials", agency)
        assert done.status == 0, done.notes
        return done.out.decode().strip()

    def of(self, agency: str) -> Path:
        """The folder that holds an agency's folders."""
        return self.state / "agencies" / agency

    def drop(self, agency: str, name: str, content: bytes) -> None:
        """Put a document into an agency's inbox as agencies do: written aside, then renamed."""
        inbox = self.of(agency) / "inbox"
        inbox.mkdir(parents=True, exist_ok=True)
        hidden = inbox / f".{name}.part"
        hidden.write_bytes(content)
        hidden.rename(inbox / name)

    def outbox(self, agency: str) -> list[str]:
        """The names of the documents that an agency received."""
        folder = self.of(agency) / "outbox"
        return sorted(p.name for p in folder.iterdir() if not p.name.startswith(".")) if folder.exists() else []

    def ledger(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the ledger as any reader of SQLite could."""
        with contextlib.closing(sqlite3.connect(f"file:{self.ledger_file}?mode=ro", uri=True)) as database:
            return database.execute(query, values).fetchall()

    def dispositions(self, id_: str) -> list[str]:
        """Every recorded end of a message."""
        return [row[0] for row in self.ledger("select disposition from disposition where id = ? order by seq", id_)]

    def processes(self) -> dict[int, str]:
        """Every process that belongs to this port: by its path in the command line or the environment."""
        mark = str(self.state).encode()
        config = str(self.config).encode()
        found: dict[int, str] = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes()
                seen = command + (entry / "environ").read_bytes()
                if command and (mark in seen or config in seen):
                    found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")[:200]
        return found

    def close(self) -> None:
        """Kill whatever still runs; the folder goes too, RabbitMQ's files are large."""
        for running in self._running:
            running.end(signal.SIGKILL)
        for _ in range(20):
            left = self.processes()
            if not left:
                break
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        shutil.rmtree(self.state, ignore_errors=True)


@contextlib.contextmanager
def port(folder: Path, **options: Any) -> Iterator[Seaport]:
    """A port that is ended and cleaned away whatever happens."""
    seaport = Seaport(folder, **options)
    try:
        yield seaport
    finally:
        seaport.close()
