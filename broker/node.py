"""A private RabbitMQ node under `state_dir`: own ports, own cookie, no root, nothing of the machine's touched.

Owns the server process, its files and its epmd. Never declares a queue, and never stops a process
that it neither started nor can prove to be its own.
"""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

from broker.credentials import BROKER_USER, Credentials, amqp_url, password_hash, write_private
from broker.management import Management
from schemas.errors import NotAuthorised, NotFound, TransportError, Unreachable

# Debian's program without the wrapper that wants root; then what other systems install.
_SERVERS = (
    "/usr/lib/rabbitmq/bin/rabbitmq-server",
    "/opt/homebrew/sbin/rabbitmq-server",
    "/usr/local/sbin/rabbitmq-server",
)
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0
_ANSWER_S = 5.0
# Below those that systems give to outgoing connections and to whoever asks for any: one of these could be gone
# by the time that the node listens, or while it is down between two runs.
_PORTS = range(20_000, 32_768)


@dataclass(frozen=True, slots=True)
class Ports:
    """What the node listens on, all on 127.0.0.1."""

    amqp: int
    management: int
    distribution: int
    epmd: int
    amqps: int = 0
    """0: no TLS."""


def find_server(configured: str = "") -> str:
    """Return the rabbitmq-server program.

    Raises:
        NotFound: there is none; the text says what to install.
    """
    if configured:
        if shutil.which(configured) is None:
            raise NotFound(f"there is no program {configured}, named as [rabbitmq] server")
        return configured
    on_path = shutil.which("rabbitmq-server")
    # Debian's wrapper in sbin insists on root or the rabbitmq user and on fixed folders.
    candidates = [*_SERVERS, *([on_path] if on_path and on_path != "/usr/sbin/rabbitmq-server" else [])]
    for candidate in candidates:
        if os.access(candidate, os.X_OK):
            return candidate
    raise NotFound(
        "no RabbitMQ is installed. On Debian or Ubuntu: apt-get install rabbitmq-server; on macOS: brew install "
        "rabbitmq. Or name one that runs already: CBM_RABBITMQ__URL=amqp://user:password@host/"
    )


def free_ports(count: int, but: Collection[int] = ()) -> list[int]:
    """Return TCP ports of 127.0.0.1 that nobody listens on just now, and that no system hands out by itself.

    Raises:
        Unreachable: there are not so many.
    """
    drawn = random.SystemRandom().sample(_PORTS, len(_PORTS))
    found = list(islice((port for port in drawn if port not in but and _is_free(port)), count))
    if len(found) < count:
        raise Unreachable(f"no TCP ports of 127.0.0.1 from {_PORTS[0]} to {_PORTS[-1]} are free")
    return found


def free_port() -> int:
    """Return one such port."""
    return free_ports(1)[0]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class PrivateNode:
    """One RabbitMQ node in a folder of its own. `start` and `stop` may be called again.

    With `tls_names` it listens with TLS too, under these names, and takes client certificates for users.
    """

    def __init__(
        self,
        state_dir: Path,
        vhost: str = "cbm",
        server: str = "",
        *,
        schedulers: int = 0,
        tls_names: Sequence[str] = (),
    ) -> None:
        self.folder = state_dir / "rabbitmq"
        self.vhost = vhost
        self._server = server
        self._schedulers = schedulers
        self._tls_names = tuple(tls_names)
        self._credentials = Credentials(state_dir)
        self._process: asyncio.subprocess.Process | None = None
        self._epmd: asyncio.subprocess.Process | None = None
        self.ports: Ports | None = self._known_ports()

    def _known_ports(self) -> Ports | None:
        try:
            return Ports(**json.loads((self.folder / "ports.json").read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    @property
    def url(self) -> str:
        """The broker's own AMQP URL.

        Raises:
            NotFound: the node was never started.
        """
        if self.ports is None:
            raise NotFound(f"no private RabbitMQ was started under {self.folder.parent} yet; cbm up does it")
        password = self._credentials.get(BROKER_USER)
        return amqp_url(BROKER_USER, password, "127.0.0.1", self.ports.amqp, self.vhost)

    @property
    def management(self) -> Management:
        """The node's management API, as the broker's user."""
        if self.ports is None:
            raise NotFound("the private RabbitMQ was never started")
        url = f"http://127.0.0.1:{self.ports.management}"
        return Management(url, BROKER_USER, self._credentials.get(BROKER_USER))

    async def start(self) -> bool:
        """Start the node; returns when it serves. False: one of ours already did, and was left as it is.

        Raises:
            NotFound: RabbitMQ is not installed.
            Unreachable: it did not come up; the text names the log and quotes its last lines.
        """
        program = find_server(self._server)
        if await self._answers():
            return False
        if self.ports is None or not self._ports_are_free():
            self.ports = Ports(*free_ports(4))
        if bool(self.ports.amqps) is not bool(self._tls_names):
            others = asdict(self.ports).values()
            self.ports = replace(self.ports, amqps=free_ports(1, others)[0] if self._tls_names else 0)
        self._write_files()
        await self._start_epmd()
        log = (self.folder / "server.log").open("ab")
        try:
            self._process = await asyncio.create_subprocess_exec(
                program,
                env=self._environment(),
                cwd=self.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        finally:
            log.close()
        await self._until_ready()
        return True

    def _ports_are_free(self) -> bool:
        """Whether nobody but our own epmd, which may have outlived its node, listens on our ports."""
        assert self.ports is not None
        wanted = asdict(self.ports)
        if self._epmd_runs():
            del wanted["epmd"]
        return all(_is_free(port) for port in wanted.values() if port)

    def _epmd_runs(self) -> bool:
        if self._epmd is not None and self._epmd.returncode is None:
            return True
        return _own_process(self.folder / "epmd.pid", "epmd") is not None

    async def ended(self) -> None:
        """Wait until the node's process is gone, whoever started it."""
        if self._process is not None:
            await self._process.wait()
            return
        while self.server_pid is not None:  # noqa: ASYNC110 (the process is not our child)
            await asyncio.sleep(0.5)

    async def _until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while not await self._answers():
            if self._process.returncode is not None or time.monotonic() > deadline:
                ended = self._process.returncode
                await self.stop()
                state = f"ended with status {ended}" if ended is not None else f"was not ready in {START_TIMEOUT_S} s"
                raise Unreachable(f"RabbitMQ {state}; {self.folder / 'server.log'} ends:\n{self._last_lines()}")
            await asyncio.sleep(0.1)

    def _last_lines(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self.folder / "server.log").read_text(errors="replace").splitlines()
            return "\n".join(line for line in lines[-40:] if line.strip())[-2000:]
        return ""

    async def _answers(self) -> bool:
        """Whether a node with our ports, our user and our password serves, plugins included."""
        if self.ports is None or _is_free(self.ports.amqp):
            return False
        try:
            # Whoever else has our port may take a connection and never answer.
            await replace(self.management, timeout_s=_ANSWER_S).get(f"vhosts/{self.vhost}")
        except (TransportError, NotAuthorised, NotFound):
            return False
        return True

    def _write_files(self) -> None:
        assert self.ports is not None
        for name in ("home", "log", "mnesia", "generated", "plugins"):
            (self.folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        cookie = self.folder / "home" / ".erlang.cookie"
        if not cookie.exists():
            write_private(cookie, self._credentials.get_or_make("erlang-cookie"))
            cookie.chmod(0o400)
        password = self._credentials.get_or_make(BROKER_USER)
        user = {
            "name": BROKER_USER,
            "password_hash": password_hash(password),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": "administrator",
        }
        permission = {"user": BROKER_USER, "vhost": self.vhost, "configure": ".*", "write": ".*", "read": ".*"}
        definitions = {"users": [user], "vhosts": [{"name": self.vhost}], "permissions": [permission]}
        write_private(self.folder / "definitions.json", json.dumps(definitions))
        plugins = "rabbitmq_management" + (",rabbitmq_auth_mechanism_ssl" if self._tls_names else "")
        (self.folder / "enabled_plugins").write_text(f"[{plugins}].\n")
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{self.ports.amqp}\n"
            "management.tcp.ip = 127.0.0.1\n"
            f"management.tcp.port = {self.ports.management}\n"
            f"load_definitions = {self.folder / 'definitions.json'}\n"
            # Below this RabbitMQ stops taking messages in, and says so, before the disk is full.
            "disk_free_limit.absolute = 256MB\n"
            # Twice the contract's limit: what is a little too large is refused with a receipt, what is far too
            # large by RabbitMQ itself, before it takes memory.
            "max_message_size = 2097152\n"
            "log.console = false\nlog.file = rabbit.log\nlog.file.rotation.size = 10485760\n"
            "log.file.rotation.count = 5\nlog.file.level = info\n" + self._tls_configuration()
        )
        (self.folder / "advanced.config").write_text(self._tls_options())
        used = {name: port for name, port in asdict(self.ports).items() if port}
        (self.folder / "ports.json").write_text(json.dumps(used))

    def _tls_configuration(self) -> str:
        """Return the listener that asks for a client certificate, whose common name is the user."""
        assert self.ports is not None
        if not self._tls_names:
            return ""
        return (
            f"listeners.ssl.default = 127.0.0.1:{self.ports.amqps}\n"
            "ssl_cert_login_from = common_name\n"
            "auth_mechanisms.1 = EXTERNAL\nauth_mechanisms.2 = PLAIN\nauth_mechanisms.3 = AMQPLAIN\n"
        )

    def _tls_options(self) -> str:
        """Return the listener's options, as Erlang terms: rabbitmq.conf has no words for withdrawn certificates."""
        if not self._tls_names:
            return "[].\n"
        # Here, because most starts need no certificates and cryptography is slow to load.
        from broker.authority import Authority

        authority = Authority(self.folder.parent)
        bundle = authority.server(self._tls_names)
        # A resumed session would skip the look at the certificate.
        return (
            f"[{{rabbit, [{{ssl_options, [{{cacertfile, {_erlang(bundle.authority)}}},\n"
            f" {{certfile, {_erlang(bundle.certificate)}}}, {{keyfile, {_erlang(bundle.key)}}},\n"
            " {verify, verify_peer}, {fail_if_no_peer_cert, true}, {reuse_sessions, false},\n"
            " {versions, ['tlsv1.3', 'tlsv1.2']}, {crl_check, peer},\n"
            f" {{crl_cache, {{ssl_crl_hash_dir, {{internal, [{{dir, {_erlang(authority.crl_folder)}}}]}}}}}}]}}]}}].\n"
        )

    def _environment(self) -> dict[str, str]:
        assert self.ports is not None
        # Nothing of the caller's is passed on but what a program needs: no secret can leak to the server.
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
        schedulers = f"+S {self._schedulers}:{self._schedulers} " if self._schedulers else ""
        return kept | {
            "HOME": str(self.folder / "home"),
            # The data belong to the name: it must outlive a change of ports. With an epmd of its own none clashes.
            "RABBITMQ_NODENAME": "cbm@localhost",
            "RABBITMQ_NODE_PORT": str(self.ports.amqp),
            "RABBITMQ_DIST_PORT": str(self.ports.distribution),
            "ERL_EPMD_PORT": str(self.ports.epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_MNESIA_DIR": str(self.folder / "mnesia" / "node"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_PLUGINS_EXPAND_DIR": str(self.folder / "plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder / "generated"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": schedulers + "-kernel inet_dist_use_interface {127,0,0,1}",
        }

    async def _start_epmd(self) -> None:
        """Run the port mapper ourselves, so that it can be stopped by its own process id."""
        assert self.ports is not None
        program = shutil.which("epmd")
        if program is None or self._epmd_runs():
            return
        self._epmd = await asyncio.create_subprocess_exec(
            program,
            "-port",
            str(self.ports.epmd),
            "-address",
            "127.0.0.1",
            env={"HOME": str(self.folder / "home")},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        (self.folder / "epmd.pid").write_text(str(self._epmd.pid))
        for _ in range(50):
            if not _is_free(self.ports.epmd):
                return
            await asyncio.sleep(0.05)

    @property
    def server_pid(self) -> int | None:
        """The process id of the Erlang machine, where it runs and is ours."""
        return _own_process(self.folder / "pid", str(self.folder))

    async def kill(self) -> None:
        """Kill the node as a crash would (for tests of crashes)."""
        if (pid := self.server_pid) is not None:
            os.kill(pid, signal.SIGKILL)
            await _dead(pid, STOP_TIMEOUT_S)
        if self._process is not None:
            await self._process.wait()
        await self._stop_epmd()

    async def stop(self) -> None:
        """Stop the node in order, then by force; and its epmd."""
        if (pid := self.server_pid) is not None:
            os.kill(pid, signal.SIGTERM)
            if not await _dead(pid, STOP_TIMEOUT_S):
                os.kill(pid, signal.SIGKILL)
                await _dead(pid, STOP_TIMEOUT_S)
        if self._process is not None:
            try:
                async with asyncio.timeout(5):
                    await self._process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                await self._process.wait()
            self._process = None
        await self._stop_epmd()

    async def _stop_epmd(self) -> None:
        if self._epmd is not None:
            with contextlib.suppress(ProcessLookupError):
                self._epmd.terminate()
            await self._epmd.wait()
            self._epmd = None
        elif (pid := _own_process(self.folder / "epmd.pid", "epmd")) is not None:
            os.kill(pid, signal.SIGTERM)
            # A start soon after would find its port taken, choose others, and leave all clients behind.
            await _dead(pid, STOP_TIMEOUT_S)
        (self.folder / "epmd.pid").unlink(missing_ok=True)


def _erlang(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


async def _dead(pid: int, timeout_s: float) -> bool:
    """Wait until a process that may be no child of ours is gone; False if it is still there."""
    deadline = time.monotonic() + timeout_s
    while _alive(pid):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)  # no event tells of it
    return True


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError):
        # A zombie is dead; only its parent has not looked yet.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def _own_process(pid_file: Path, mark: str) -> int | None:
    """Return the process id in a file if that process runs and its command line or environment names `mark`."""
    try:
        pid = int(pid_file.read_text())
    except (FileNotFoundError, ValueError):
        return None
    if not _alive(pid):
        return None
    process = Path(f"/proc/{pid}")
    if not process.exists():
        return pid
    try:
        seen = process.joinpath("cmdline").read_bytes() + process.joinpath("environ").read_bytes()
    except OSError:
        return None
    return pid if mark.encode() in seen else None
