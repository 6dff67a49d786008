"""A TCP proxy in front of RabbitMQ that does what networks do: cut, swallow, drip, reset.

Speaks no AMQP but for one thing: it can end the connection in front of the n-th frame of a method, so
that a test cuts exactly between a publish and its confirm.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

Direction = Literal["up", "down"]
"""`up` is from the client to RabbitMQ, `down` from RabbitMQ to the client."""

BASIC_PUBLISH, BASIC_ACK, BASIC_DELIVER = (60, 40), (60, 80), (60, 60)


@dataclass(slots=True)
class Faults:
    """What happens to one direction, of the connections there are and of those to come."""

    cut_after: int | None = None
    """So many bytes still pass, then the connection is reset."""
    cut_before: tuple[tuple[int, int], int] | None = None
    """(class, method) and how many frames of it still pass; then the connection is reset in front of the next."""
    hole: bool = False
    """Everything is taken and nothing passed on, as by a firewall that forgot the connection."""
    drip: int | None = None
    """Bytes are passed on in pieces of this many."""


class FrameReader:
    """Finds where AMQP frames begin in a stream, and which methods they carry."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[tuple[bytes, tuple[int, int] | None]]:
        """Take bytes; return the whole frames among them, each with its method."""
        self._buffer += data
        frames: list[tuple[bytes, tuple[int, int] | None]] = []
        if self._buffer.startswith(b"AMQP") and len(self._buffer) >= 8:
            frames.append((self._buffer[:8], None))
            self._buffer = self._buffer[8:]
        while len(self._buffer) >= 7:
            kind, _, size = struct.unpack(">BHL", self._buffer[:7])
            if len(self._buffer) < size + 8:
                break
            frame, self._buffer = self._buffer[: size + 8], self._buffer[size + 8 :]
            method = struct.unpack(">HH", frame[7:11]) if kind == 1 else None
            frames.append((frame, method))  # type: ignore[arg-type]
        return frames


@dataclass(eq=False, slots=True)
class Passage:
    """One connection through the proxy."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    readers: dict[str, FrameReader] = field(default_factory=lambda: {"up": FrameReader(), "down": FrameReader()})

    def reset(self) -> None:
        """End both sides at once, with an RST and without what was still unsent."""
        for writer in (self.client, self.server):
            sock = writer.get_extra_info("socket")
            if sock is not None:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Proxy:
    """Listens on a port of 127.0.0.1 and passes everything on to the address of a URL."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self.faults: dict[Direction, Faults] = {"up": Faults(), "down": Faults()}
        self.passages: set[Passage] = set()
        self.accepted = 0
        self.refusing = False
        """Connections are taken and ended at once."""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    @property
    def url(self) -> str:
        """The URL with this proxy's address in it."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        user = self._url.netloc.rpartition("@")[0]
        return self._url._replace(netloc=f"{user}@127.0.0.1:{port}").geturl()

    def reset(self) -> None:
        """Reset every connection there is."""
        for passage in list(self.passages):
            passage.reset()

    def heal(self) -> None:
        """Take all faults back."""
        self.faults = {"up": Faults(), "down": Faults()}
        self.refusing = False

    async def stop(self) -> None:
        """End everything."""
        assert self._server is not None
        self._server.close()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self.refusing:
            writer.transport.abort()
            return
        up_reader, up_writer = await asyncio.open_connection(self._url.hostname, self._url.port)
        passage = Passage(writer, up_writer)
        self.passages.add(passage)
        for direction, source, target in (("up", reader, up_writer), ("down", up_reader, writer)):
            task = asyncio.create_task(self._pump(passage, direction, source, target))  # type: ignore[arg-type]
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self, passage: Passage, direction: Direction, source: asyncio.StreamReader, target: asyncio.StreamWriter
    ) -> None:
        try:
            while data := await source.read(65536):
                if not await self._pass_on(passage, direction, data, target):
                    return
        except OSError:
            pass
        finally:
            self.passages.discard(passage)
            # A swallowed direction stays open: nobody is told that it is dead.
            if not self.faults[direction].hole:
                target.close()

    async def _pass_on(self, passage: Passage, direction: Direction, data: bytes, target: asyncio.StreamWriter) -> bool:
        faults = self.faults[direction]
        if faults.hole:
            return True
        frames = passage.readers[direction].feed(data)
        if faults.cut_before is not None:
            wanted, left = faults.cut_before
            for frame, method in frames:
                if method == wanted:
                    if left == 0:
                        faults.cut_before = None
                        await target.drain()
                        passage.reset()
                        return False
                    left -= 1
                    faults.cut_before = (wanted, left)
                target.write(frame)
            return True
        if faults.cut_after is not None and len(data) >= faults.cut_after:
            target.write(data[: faults.cut_after])
            await target.drain()
            faults.cut_after = None
            passage.reset()
            return False
        if faults.cut_after is not None:
            faults.cut_after -= len(data)
        step = faults.drip or len(data)
        for start in range(0, len(data), step):
            target.write(data[start : start + step])
            await target.drain()
            if faults.drip:
                await asyncio.sleep(0)
        return True


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[Proxy]:
    """Run a proxy in front of the address of a URL."""
    proxy = Proxy(url)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
