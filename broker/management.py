"""RabbitMQ's management API, as far as cbm needs it: definitions in, users and queues out.

Owns the HTTP. Never decides what should be there: that is topology's business.
"""

import asyncio
import base64
import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from schemas.errors import NotAuthorised, NotFound, TransportError, Unreachable

# A definitions import of 100 agencies takes some seconds on a small machine.
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Management:
    """One RabbitMQ's management API. Calls are made in a thread and may raise the errors of `_request`."""

    url: str
    user: str
    password: str = field(repr=False)
    timeout_s: float = TIMEOUT_S
    cafile: str = ""
    """Whose certificates are trusted where `url` is https; empty: those that the system trusts."""

    async def get(self, path: str) -> Any:
        """GET a resource below /api, decoded."""
        return await asyncio.to_thread(self._request, "GET", path, None)

    async def put(self, path: str, body: Any) -> None:
        """PUT a resource."""
        await asyncio.to_thread(self._request, "PUT", path, body)

    async def post(self, path: str, body: Any) -> None:
        """POST to a resource."""
        await asyncio.to_thread(self._request, "POST", path, body)

    async def delete(self, path: str) -> None:
        """DELETE a resource; one that is not there is no error."""
        try:
            await asyncio.to_thread(self._request, "DELETE", path, None)
        except NotFound:
            return

    def _request(self, method: str, path: str, body: Any) -> Any:
        """Make one call.

        Raises:
            NotAuthorised: the user is unknown or lacks the tag.
            NotFound: there is no such resource.
            Unreachable: nothing answers there.
            TransportError: any other answer that is no success.
        """
        request = urllib.request.Request(  # noqa: S310 (the address is the operator's)
            f"{self.url.rstrip('/')}/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode(),
            },
        )
        try:
            context = ssl.create_default_context(cafile=self.cafile or None) if self.url.startswith("https") else None
            with urllib.request.urlopen(request, timeout=self.timeout_s, context=context) as response:  # noqa: S310
                content = response.read()
        except urllib.error.HTTPError as error:
            detail = error.read(2000).decode(errors="replace")
            if error.code in (401, 403):
                text = f"the management API refuses user {self.user} at {self.url}: {error.code}"
                raise NotAuthorised(text) from None
            if error.code == 404:
                raise NotFound(f"{path} is not there") from None
            raise TransportError(f"the management API answers {error.code} to {method} {path}: {detail}") from None
        except (OSError, ValueError) as error:
            raise Unreachable(f"no management API answers at {self.url}: {error}") from None
        return json.loads(content) if content else None


def quoted(name: str) -> str:
    """Return a name as one segment of a path."""
    return quote(name, safe="")
