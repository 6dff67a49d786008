"""All of cbm on one machine: the private RabbitMQ, the broker and the adapters as processes of their own.

Owns starting, restarting and stopping them in order. Never passes a message on itself.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from broker.logs import log
from broker.node import PrivateNode
from broker.provision import private_node
from broker.settings import Settings
from schemas.errors import CbmError

# A child that ends sooner than this is started again after a growing wait.
_STEADY_S = 20.0
_WAIT_MAX_S = 15.0
# Exit statuses that starting again cannot mend: usage and configuration, and for the broker not authorised.
# An agency that is refused, by a certificate that ended, say, is let in again without anybody else noticing.
_FINAL = frozenset({2})
_BROKER_FINAL = frozenset({2, 6})


@dataclass
class Child:
    """A process that is kept running."""

    name: str
    arguments: list[str]
    final: frozenset[int] = _FINAL
    process: asyncio.subprocess.Process | None = None
    task: "asyncio.Task[int | None] | None" = None
    started: float = field(default_factory=time.monotonic)


class Supervisor:
    """Runs RabbitMQ (where none is configured), the broker and one adapter for each `[[adapter]]`."""

    def __init__(self, settings: Settings, config: Path, *, logs: Path | None) -> None:
        """`logs`: a folder for the children's logs; None: they share this process's stdout."""
        self._settings = settings
        self._config = config
        self._logs = logs
        self._stopping = False
        self.node = None if settings.rabbitmq.url else private_node(settings)
        self._node_task: asyncio.Task[None] | None = None
        self._broker = Child("broker", ["serve"], _BROKER_FINAL)
        self._adapters = [Child(f"adapter.{a.agency}", ["adapter", a.agency]) for a in settings.adapter]

    async def start(self, progress: Callable[[str], None]) -> None:
        """Start RabbitMQ and the processes; `progress` is told what is being done.

        Raises:
            NotFound, Unreachable: RabbitMQ is not installed or did not start.
        """
        if self.node is not None:
            progress("starting a private RabbitMQ …")
            began = time.monotonic()
            made = await self.node.start()
            ports = self.node.ports
            took_s = round(time.monotonic() - began, 1)
            log.info("node.started" if made else "node.adopted", amqp_port=ports.amqp if ports else None, s=took_s)
            progress(f"RabbitMQ serves on 127.0.0.1:{ports.amqp if ports else '?'}")
            self._node_task = asyncio.create_task(self._keep_node(self.node), name="rabbitmq")
        progress("starting the broker and the adapters …")
        for child in (self._broker, *self._adapters):
            child.task = asyncio.create_task(self._keep(child), name=child.name)

    async def wait(self) -> int | None:
        """Wait until a child ended in a way that starting again cannot mend; returns its exit status."""
        tasks = [child.task for child in (self._broker, *self._adapters) if child.task is not None]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).result()

    async def _keep_node(self, node: PrivateNode) -> None:
        wait_s = 0.5
        while True:
            await node.ended()
            log.warning("child.ended", child="rabbitmq", wait_s=wait_s)
            await asyncio.sleep(wait_s)
            began = time.monotonic()
            try:
                await node.start()
            except CbmError as error:
                log.error("child.ended", child="rabbitmq", reason=str(error), wait_s=wait_s)
                wait_s = min(wait_s * 2, _WAIT_MAX_S)
            else:
                log.info("node.started", s=round(time.monotonic() - began, 1))
                wait_s = 0.5

    async def _keep(self, child: Child) -> int | None:
        wait_s = 0.5
        while not self._stopping:
            child.started = time.monotonic()
            status = await self._run(child)
            if self._stopping:
                return status
            if status in child.final:
                log.error("child.ended", child=child.name, status=status)
                return status
            if time.monotonic() - child.started > _STEADY_S:
                wait_s = 0.5
            log.warning("child.ended", child=child.name, status=status, wait_s=wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, _WAIT_MAX_S)
        return None

    async def _run(self, child: Child) -> int:
        with contextlib.ExitStack() as stack:
            output = errors = None
            if self._logs is not None:
                self._logs.mkdir(parents=True, exist_ok=True)
                output = stack.enter_context((self._logs / f"{child.name}.ndjson").open("ab"))
                # What is no log line, such as an interpreter's own last words, would make the log unreadable.
                errors = stack.enter_context((self._logs / f"{child.name}.err").open("ab"))
            command = [sys.executable, "-m", "broker", *child.arguments, "--config", str(self._config)]
            child.process = await asyncio.create_subprocess_exec(
                *command,
                "--until-stdin-closes",
                # The child ends when this pipe does, so none is left behind even if we are killed.
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=errors,
                # A terminal's Ctrl-C is for us; the children are stopped in order.
                start_new_session=True,
            )
        log.info("child.started", child=child.name, pid=child.process.pid)
        return await child.process.wait()

    async def stop(self, progress: Callable[[str], None]) -> None:
        """Stop the adapters, then the broker, which drains, then the private RabbitMQ."""
        self._stopping = True
        progress("stopping the adapters …")
        await asyncio.gather(*(self._end(child) for child in self._adapters))
        progress("the broker finishes what is under way …")
        await self._end(self._broker)
        if self._node_task is not None:
            self._node_task.cancel()
            await asyncio.gather(self._node_task, return_exceptions=True)
        if self.node is not None:
            progress("stopping RabbitMQ …")
            await self.node.stop()
            log.info("node.stopped")

    async def _end(self, child: Child) -> None:
        process = child.process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(self._settings.limits.drain_s + 10):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        if child.task is not None:
            child.task.cancel()
            await asyncio.gather(child.task, return_exceptions=True)
