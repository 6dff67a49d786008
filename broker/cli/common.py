"""What all commands share: where the configuration is, how results and errors are shown, exit statuses.

Owns stdout (data only) and stderr (notes and progress). Never does a command's work.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from broker import settings as configuration
from broker.client import connect
from broker.logs import configure, log
from broker.provision import agency_address
from broker.settings import Settings
from schemas.codes import AGENCY_PATTERN
from schemas.errors import CbmError, ConfigError, Fault, NotFound

errors = Console(stderr=True, highlight=False)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="The configuration file; else $CBM_CONFIG, else ./cbm.toml.", metavar="FILE"),
]
AsOption = Annotated[str, typer.Option("--as", help="The agency on whose behalf, e.g. kr.customs.", metavar="AGENCY")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON lines, also on a terminal.")]
# Hidden: processes that `cbm up` starts end when it does, even when it is killed.
SupervisedOption = Annotated[bool, typer.Option("--until-stdin-closes", hidden=True)]


def config_path(option: Path | None) -> Path:
    """Return the path of cbm.toml."""
    return option or Path(os.environ.get("CBM_CONFIG", "cbm.toml"))


def load(option: Path | None) -> Settings:
    """Read the configuration; see `settings.load` for what is raised."""
    return configuration.load(config_path(option))


def note(text: str) -> None:
    """Say something to people, on stderr."""
    errors.print(text, markup=False, soft_wrap=True)


def out(line: str | bytes) -> None:
    """Write one line of data to stdout, at once."""
    data = line.encode() if isinstance(line, str) else line
    write(data + b"\n")


def write(data: bytes) -> None:
    """Write data to stdout as they are, at once.

    Raises:
        typer.Exit: whoever read it has enough of it; that is no error.
    """
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Nothing more may be written, not even what is buffered at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


def show(
    rows: Sequence[dict[str, Any]],
    columns: Mapping[str, str],
    *,
    as_json: bool,
    title: str = "",
    told: Callable[[dict[str, Any]], dict[str, Any]] = lambda row: row,
) -> None:
    """Show rows: a table of `columns` (key -> heading) on a terminal, JSON lines with every key elsewhere.

    `told` is how a row is put to people.
    """
    if as_json or not sys.stdout.isatty():
        for row in rows:
            out(json.dumps(row, default=_plain))
        return
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for heading in columns.values():
        table.add_column(heading, overflow="fold")
    for row in map(told, rows):
        table.add_row(*(_cell(row.get(key)) for key in columns))
    Console(highlight=False).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "\n".join(f"{key}: {_cell(inner).replace(chr(10), ', ')}" for key, inner in value.items()) or "-"
    if isinstance(value, list | tuple):
        return "\n".join(_cell(inner) for inner in value) or "-"
    return _plain(value) if isinstance(value, datetime) else str(value)


def _plain(value: Any) -> str:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else str(value)


def agency_client(settings_option: Path | None, agency: str) -> Callable[[], Any]:
    """Return what opens a client as an agency: by CBM_URL, else by the credentials beside the configuration.

    Raises:
        ConfigError, NotFound: neither leads to an address.
    """
    url = agency_url(settings_option, agency)
    return lambda: connect(url)


def agency_url(settings_option: Path | None, agency: str) -> str:
    """Return an agency's AMQP URL, password or certificate included; the same sources and errors as `agency_client`."""
    check_agency(agency)
    if url := os.environ.get("CBM_URL"):
        return url
    settings = load(settings_option)
    if settings.find_agency(agency) is None:
        raise NotFound(f"there is no agency {agency} in {config_path(settings_option)}")
    return agency_address(settings, agency)


def check_agency(agency: str) -> None:
    """Refuse what cannot be an agency id, as a usage error."""
    if re.fullmatch(AGENCY_PATTERN, agency) is None:
        raise typer.BadParameter(f"{agency!r} is no agency id: two letters, a dot, a name, in lower case")


def read_input(file: Path | None) -> bytes:
    """Read a file, or stdin for `-` or nothing.

    Raises:
        NotFound: there is no such file.
    """
    if file is None or str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise NotFound(f"{file}: {error.strerror}") from None


def moment(text: str) -> datetime:
    """Read `1h`, `30m`, `2d`, `45s` as that long ago, or an RFC 3339 time."""
    if match := re.fullmatch(r"(\d+)([smhd])", text):
        unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[match[2]]
        return datetime.now(UTC) - timedelta(**{unit: int(match[1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise typer.BadParameter(f"{text!r} is neither an age such as 1h nor a time such as 2026-01-31T08:00:00Z")
    return found


def print_faults(faults: Iterable[Fault]) -> None:
    """Show faults, one a line: place, rule, code."""
    for fault in faults:
        note(f"  {fault.pointer or '/'}: {fault.detail} [{fault.code}]")


async def until_signal(stop: Callable[[], None], *, supervised: bool) -> None:
    """Call `stop` at the first SIGTERM or SIGINT, or when stdin ends under `cbm up`. Never returns by itself."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    if supervised:
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

        async def watch() -> None:
            await reader.read()
            asked.set()

        watching = asyncio.create_task(watch())
        await asked.wait()
        watching.cancel()
    else:
        await asked.wait()
    stop()


@contextlib.contextmanager
def end_logged() -> Iterator[None]:
    """Log why a process that runs for good ends; around all it does, reading its configuration included."""
    configure()
    try:
        yield
    except ConfigError as error:
        log.error("config.invalid", faults=[fault.as_json() for fault in error.faults])
        raise
    except CbmError as error:
        log.error("process.failed", reason=str(error), status=error.exit_status)
        raise
    except Exception:
        log.exception("process.crashed")
        raise


def run_async(main: Coroutine[Any, Any, None]) -> None:
    """Run a command's coroutine."""
    asyncio.run(main)
