"""What a contender is told, and the clock it reports by.

A contender is a process of its own. It learns of its work from a file without secrets, takes the password
from the private node's folder, and prints one line of JSON when the last message is settled.
"""

import asyncio
import json
import os
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from broker.names import ingress_queue
from broker.node import PrivateNode
from broker.provision import Place
from broker.topology import Addresses

SENDER = "kr.customs"
LANE = "shipment"
FEED_KEY = "shipment.held.KR.KRPUS"
# Deliveries not yet settled, the same for all: what cbm asks for with its default limits.
PREFETCH = 1280


@dataclass(frozen=True, slots=True)
class Job:
    """One round of one contender."""

    contender: str
    state_dir: str
    vhost: str
    folder: str
    """The round's own: configuration, ledger, logs."""
    recipients: tuple[str, ...]
    messages: int
    """How many wait in the queue; 0: serve until told to stop."""

    @property
    def place(self) -> Place:
        """The private node, at this round's virtual host."""
        node = PrivateNode(Path(self.state_dir))
        return Place(node.url.rpartition("/")[0] + f"/{self.vhost}", node.management)

    @property
    def addresses(self) -> Addresses:
        """The blind-copy addresses of `deliver`."""
        return self.place.addresses

    @property
    def view_copies(self) -> list[str]:
        """Where a message goes: its recipients and the journal, by one publish."""
        return [*(self.addresses.of(agency) for agency in self.recipients), self.addresses.journal]

    @property
    def queue(self) -> str:
        """The queue that holds what is to be done."""
        return ingress_queue(SENDER, LANE)

    def write(self) -> Path:
        """Write it where the contender reads it."""
        path = Path(self.folder) / "job.json"
        path.write_text(json.dumps(asdict(self)))
        return path

    @classmethod
    def read(cls, path: Path) -> "Job":
        """Read what `write` wrote."""
        content = json.loads(path.read_text())
        return cls(**content | {"recipients": tuple(content["recipients"])})


@dataclass(frozen=True, slots=True)
class Measured:
    """What a contender says of its round."""

    seconds: float
    cpu_s: float
    peak_bytes: int


class Clock:
    """Runs from the first delivery to the moment when the last message is settled."""

    def __init__(self, messages: int) -> None:
        self.finished = asyncio.Event()
        """Set when every message is settled, or when the bench asks for an end by closing stdin."""
        self.measured: Measured | None = None
        self._open = messages
        self._began: tuple[float, float] | None = None

    def start(self) -> None:
        """A message came; the first one counts."""
        if self._began is None:
            self._began = (time.perf_counter(), time.process_time())

    def settled(self, how_many: int = 1) -> None:
        """So many more are done with: published, confirmed, told to the sender, acknowledged."""
        self._open -= how_many
        if self._open == 0:
            # What the contender does in the same breath, such as writing its last log line, is counted too.
            asyncio.get_running_loop().call_soon(self._stop)

    def _stop(self) -> None:
        assert self._began is not None
        seconds, cpu_s = time.perf_counter() - self._began[0], time.process_time() - self._began[1]
        self.measured = Measured(seconds, cpu_s, peak_bytes())
        self.finished.set()


def peak_bytes() -> int:
    """Return the most memory this process had. `ru_maxrss` alone counts its parent's too, up to the exec."""
    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))


def stop_with_parent(clock: Clock) -> None:
    """End when the bench closes our stdin, or dies."""

    def on_input() -> None:
        if not os.read(sys.stdin.fileno(), 1024):
            loop.remove_reader(sys.stdin.fileno())
            clock.finished.set()

    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), on_input)
