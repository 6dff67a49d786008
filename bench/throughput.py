"""The bench's command: `python -m bench.throughput`. Runs every contender side by side and prints the tables.

Owns the private RabbitMQ, the contenders' processes and the order of rounds. Stops all it started.
"""

import argparse
import asyncio
import json
import os
import platform
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench import latency
from bench.contenders import CONTENDERS
from bench.job import Job, Measured
from bench.world import BODY_BYTES, RECEIVERS, World, WrongResult, quiet_logs
from broker.amqp import Session
from broker.node import PrivateNode

_ROUND_S = 300.0
_STOP_S = 20.0


@dataclass
class Rounds:
    """What one contender measured with one number of recipients."""

    rates: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    server_us: list[float] = field(default_factory=list)
    peak_mib: float = 0.0


class Bench:
    """One run over one private node."""

    def __init__(self, node: PrivateNode, folder: Path) -> None:
        self._node = node
        self._folder = folder
        self._worlds = 0

    @asynccontextmanager
    async def world(self, contender: str, recipients: int, messages: int) -> AsyncIterator[World]:
        """A fresh virtual host, dropped at the end."""
        self._worlds += 1
        name = f"bench{self._worlds}"
        folder = self._folder / name
        job = Job(contender, str(self._folder), name, str(folder), RECEIVERS[:recipients], messages)
        world = World(self._node, folder, job)
        await world.build()
        try:
            yield world
        finally:
            await world.drop()
            shutil.rmtree(folder, ignore_errors=True)

    @asynccontextmanager
    async def contender(self, world: World) -> AsyncIterator[asyncio.subprocess.Process]:
        """The contender's process; ended when its stdin closes, at the latest by its own id."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bench.contenders",
            f"{world.job.folder}/job.json",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdin is not None
        try:
            yield process
        finally:
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), _STOP_S)
            except (TimeoutError, asyncio.CancelledError):
                if process.returncode is None:
                    process.kill()
                await process.wait()

    async def throughput(self, contender: str, recipients: int, messages: int, into: Rounds) -> None:
        """Let a contender empty a full queue, and check what it did."""
        async with self.world(contender, recipients, messages) as world:
            await world.fill()
            server_s = self._server_cpu_s()
            async with self.contender(world) as process:
                assert process.stdout is not None
                try:
                    line = await asyncio.wait_for(process.stdout.read(), _ROUND_S)
                except TimeoutError:
                    raise WrongResult(f"{contender} was not done within {_ROUND_S:.0f} s") from None
            if process.returncode != 0 or not line:
                raise WrongResult(f"{contender} ended with status {process.returncode}")
            server_s = self._server_cpu_s() - server_s
            await world.check()
        measured = Measured(**json.loads(line))
        into.rates.append(messages / measured.seconds)
        into.cpu_us.append(measured.cpu_s / messages * 1e6)
        into.server_us.append(server_s / messages * 1e6)
        into.peak_mib = max(into.peak_mib, measured.peak_bytes / 2**20)

    async def latency(self, contender: str, messages: int) -> list[float]:
        """Let a contender serve at rest; returns milliseconds."""
        async with self.world(contender, 1, 0) as world:
            async with self.contender(world):
                took = await latency.measure(world, messages)
            await world.check()
        return took

    def _server_cpu_s(self) -> float:
        pid = self._node.server_pid
        if pid is None:
            raise WrongResult("RabbitMQ is gone")
        times = psutil.Process(pid).cpu_times()
        return times.user + times.system


def say(text: str) -> None:
    """Tell on stderr how it goes."""
    print(text, file=sys.stderr, flush=True)


def spread(values: list[float]) -> str:
    """Write a median with the least and the most."""
    return f"{statistics.median(values):,.0f} ({min(values):,.0f}-{max(values):,.0f})"


def ratio(these: list[float], those: list[float]) -> str:
    """Write the median of the rounds' own ratios: what else the machine does falls on both of a round."""
    return f"{statistics.median(one / other for one, other in zip(these, those, strict=True)):.2f}"


def throughput_table(results: dict[tuple[int, str], Rounds]) -> str:
    """Write the throughput of every contender, each beside the relay's with the same number of recipients."""
    lines = [
        "| to | contender | messages/s, median (least-most) | of (a) | CPU µs a message | (a) of it "
        "| RabbitMQ's CPU µs a message | peak MiB |",
        "|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for (recipients, contender), rounds in sorted(results.items()):
        base = results.get((recipients, "a"))
        rate = ratio(rounds.rates, base.rates) if base else "-"
        cpu = ratio(base.cpu_us, rounds.cpu_us) if base else "-"
        lines.append(
            f"| {recipients} | ({contender}) {CONTENDERS[contender].name} | {spread(rounds.rates)} | {rate} "
            f"| {statistics.median(rounds.cpu_us):.0f} | {cpu} | {statistics.median(rounds.server_us):.0f} "
            f"| {rounds.peak_mib:.0f} |"
        )
    return "\n".join(lines)


def latency_table(results: dict[str, list[float]]) -> str:
    """Write the latency at rest."""
    lines = ["| contender | p50 ms | p95 ms | p99 ms | most ms |", "|---|---:|---:|---:|---:|"]
    for contender, took in sorted(results.items()):
        cuts = statistics.quantiles(took, n=100)
        lines.append(
            f"| ({contender}) {CONTENDERS[contender].name} | {cuts[49]:.1f} | {cuts[94]:.1f} | {cuts[98]:.1f} "
            f"| {max(took):.1f} |"
        )
    return "\n".join(lines)


async def run(arguments: argparse.Namespace) -> None:
    """Run all rounds and print the tables."""
    quiet_logs()
    folder = Path(tempfile.mkdtemp(prefix="cbm-bench-"))
    node = PrivateNode(folder, server=os.environ.get("CBM_TEST_RABBITMQ_SERVER", ""))
    contenders = [one for one in CONTENDERS if one in arguments.only]
    results: dict[tuple[int, str], Rounds] = {}
    at_rest: dict[str, list[float]] = {}
    try:
        say("starting a private RabbitMQ …")
        await node.start()
        session = await Session.open(node.url, name="bench")
        version = session.server_version
        await session.close()
        bench = Bench(node, folder)
        # One round that does not count: RabbitMQ and the machine are then warm.
        await bench.throughput(contenders[0], 1, min(arguments.messages, 2000), Rounds())
        for number in range(arguments.rounds):
            for recipients in arguments.recipients:
                # Each round begins with another one, so that none always runs after the same.
                turn = number % len(contenders)
                for contender in contenders[turn:] + contenders[:turn]:
                    rounds = results.setdefault((recipients, contender), Rounds())
                    messages = max(1, int(arguments.messages * CONTENDERS[contender].share))
                    await bench.throughput(contender, recipients, messages, rounds)
                    say(f"round {number + 1}, to {recipients}, ({contender}): {rounds.rates[-1]:,.0f} messages/s")
        for contender in contenders:
            if contender in "ab" and arguments.latency:
                at_rest[contender] = await bench.latency(contender, arguments.latency)
                say(f"latency of ({contender}) measured")
    finally:
        await node.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(
        f"{arguments.messages:,} messages of {BODY_BYTES} bytes a round, {arguments.rounds} rounds of each; "
        f"RabbitMQ {version}, Python {platform.python_version()}, {os.cpu_count()} processors.\n"
    )
    print(throughput_table(results))
    if at_rest:
        print(f"\nLatency at rest, {latency.PER_SECOND} messages/s, {arguments.latency} messages:\n")
        print(latency_table(at_rest))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.throughput", description=__doc__)
    parser.add_argument("--messages", type=int, default=15_000, help="in each round; a quarter for (c) and (d) (15000)")
    parser.add_argument("--rounds", type=int, default=3, help="of each contender (3)")
    parser.add_argument("--recipients", type=int, nargs="+", choices=(1, 2, 3), default=[1, 3], help="(1 3)")
    parser.add_argument("--only", default="".join(CONTENDERS), help=f"some of {''.join(CONTENDERS)}")
    parser.add_argument("--latency", type=int, default=500, help="messages of the latency at rest; 0: leave it out")
    chosen = parser.parse_args()
    if not chosen.only or set(chosen.only) - set(CONTENDERS):
        parser.error(f"--only takes letters of {''.join(CONTENDERS)}")
    if min(chosen.messages, chosen.rounds) < 1 or 0 < chosen.latency < 2 or chosen.latency < 0:
        parser.error("too few messages or rounds")
    return chosen


async def main() -> int:
    """Run until done, Ctrl-C or SIGTERM; whatever was started is stopped."""
    task = asyncio.create_task(run(arguments()))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        say("stopped")
        return 1
    except WrongResult as error:
        say(f"the bench fails: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
