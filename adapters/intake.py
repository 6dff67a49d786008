"""Documents over HTTP: `POST /documents`, streamed into the agency's inbox, with the receipts in the answer.

Owns the listener, its authentication and its limits. What it takes goes the way of every document, through
the inbox; never reads one, never publishes.
"""

import asyncio
import contextlib
import hmac
import os
import secrets
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from adapters.folder import WHOLE_PREFIX, Folders
from adapters.watch import Progress, Watch
from broker.logs import log
from broker.settings import Http

# A body that comes slower than one piece in so long is given up.
IDLE_S = 30.0
# Request line and headers; tokens and a few names are all that is read of them.
MAX_HEADER_BYTES = 8190
_CHUNK_BYTES = 64 * 1024


class Intake:
    """The HTTP side of one agency's adapter."""

    def __init__(
        self, http: Http, limit_bytes: int, folders: Folders, watch: Watch, token: str, nudge: Callable[[], None]
    ) -> None:
        """`limit_bytes`: the largest document. `nudge` makes the runner look at the inbox at once."""
        self._http, self._limit_bytes = http, limit_bytes
        self._folders, self._watch = folders, watch
        self._token = token.encode()
        self._nudge = nudge
        self._under_way = 0
        self.port = 0
        """The port in use, once it listens; for `listen = "…:0"`."""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen while within.

        Raises:
            OSError: the address is taken or not ours; the certificate or key cannot be read.
        """
        for left in self._folders.inbox.glob(f".{WHOLE_PREFIX}*"):
            left.unlink(missing_ok=True)
        application = web.Application(client_max_size=self._limit_bytes)
        application.router.add_post("/documents", self._post)
        runner = web.AppRunner(
            application, access_log=None, handle_signals=False, shutdown_timeout=1.0,
            max_line_size=MAX_HEADER_BYTES, max_field_size=MAX_HEADER_BYTES,
        )  # fmt: skip
        await runner.setup()
        try:
            host, port = self._http.address
            site = web.TCPSite(runner, host, port, ssl_context=self._tls())
            await site.start()
            self.port = runner.addresses[0][1]
            log.info("intake.started", listen=f"{host}:{self.port}", tls=self._http.certificate is not None)
            yield
        finally:
            await runner.cleanup()

    def _tls(self) -> ssl.SSLContext | None:
        if self._http.certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._http.certificate, self._http.key)
        return context

    async def _post(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, b"Bearer " + self._token):
            return _answer(
                401, "not-authorised", "give the agency's token: `cbm credentials AGENCY --http`", bearer=True
            )
        if request.content_length is not None and request.content_length > self._limit_bytes:
            return self._too_large()
        if self._under_way >= self._http.requests:
            return _answer(503, "busy", f"{self._http.requests} documents are under way", retry_after=True)
        self._under_way += 1
        try:
            return await self._take(request)
        finally:
            self._under_way -= 1

    async def _take(self, request: web.Request) -> web.Response:
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        name = f"{WHOLE_PREFIX}{now}-{secrets.token_hex(4)}"
        temporary = self._folders.inbox / f".{name}"
        try:
            size = await self._stream(request, temporary)
            if size is None:
                return self._too_large()
            if not size:
                return _answer(422, "empty", "the document is empty")
            with self._watch.over(name) as progress:
                await asyncio.to_thread(_into, temporary, self._folders.inbox / name)
                self._nudge()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._http.wait_s):
                        await progress.ended.wait()
                return _outcome(progress)
        except TimeoutError:
            return _answer(408, "too-slow", f"nothing came for {IDLE_S:g} s")
        except OSError as error:
            log.error("message.held", reasons=[error.strerror or type(error).__name__])
            return _answer(503, "disk", "the document could not be stored; send it again", retry_after=True)
        finally:
            temporary.unlink(missing_ok=True)

    async def _stream(self, request: web.Request, path: Path) -> int | None:
        """Write the body to a file as it comes; its size, or None where it is too large."""
        size = 0
        with path.open("wb") as file:
            while True:
                async with asyncio.timeout(IDLE_S):
                    chunk = await request.content.read(_CHUNK_BYTES)
                if not chunk:
                    break
                size += len(chunk)
                if size > self._limit_bytes:
                    return None
                file.write(chunk)
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
        return size

    def _too_large(self) -> web.Response:
        return _answer(413, "too-large", f"a document has at most {self._limit_bytes} bytes")


def _into(temporary: Path, path: Path) -> None:
    temporary.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _outcome(progress: Progress) -> web.Response:
    """200: all accepted. 422: the document, or one of its messages, is not. 202: stored, receipts to come."""
    if not progress.ended.is_set() or not (progress.messages or progress.faults):
        status = 202
    else:
        status = 200 if progress.accepted else 422
    return web.json_response(progress.as_json(), status=status)


def _answer(status: int, code: str, detail: str, *, retry_after: bool = False, bearer: bool = False) -> web.Response:
    headers = {"Retry-After": "5"} if retry_after else {"WWW-Authenticate": "Bearer"} if bearer else {}
    if status in (401, 413, 503):
        # The rest of the body is not read.
        headers["Connection"] = "close"
    fault = {"code": code, "pointer": "", "detail": detail}
    return web.json_response({"faults": [fault]}, status=status, headers=headers)
