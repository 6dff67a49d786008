"""Structured logs: one chain for all processes, and the closed catalogue of event names.

Owns the catalogue, the rendering, and the rule that no secret gets through. What is logged are
identifiers and outcomes; never cargo data, never a local variable, never a body.
"""

import contextlib
import json
import logging
import re
import sys
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, BinaryIO, Literal

import orjson
import structlog

# Event name -> what it says. docs/LOGS.md is made from this; a test refuses a name that is not here.
EVENTS: Mapping[str, str] = {
    "adapter.started": "An adapter watches its inbox and its agency's feed.",
    "adapter.stopped": "An adapter ended in order.",
    "agency.trimmed": "An agency declared more queues or exchanges than its share; `count` of them were deleted.",
    "agreements.applied": "A configuration was read anew and decides from now on, by this version.",
    "agreements.refused": "A configuration that was to be read anew has faults; the old one goes on.",
    "agency.parked": "An agency left cbm.toml: its rights ended, its inboxes stay; `waiting` of its messages remain.",
    "broker.draining": "A stop was asked for: nothing new is taken, what is under way is finished.",
    "broker.started": "The broker consumes every ingress queue.",
    "broker.stopped": "The broker ended in order.",
    "amqp.blocked": "RabbitMQ stopped taking publishes (memory or disk alarm); cbm waits.",
    "amqp.connected": "The connections to RabbitMQ stand.",
    "amqp.lost": "The connection ended; it is opened again after `wait_s`.",
    "amqp.unblocked": "RabbitMQ takes publishes again.",
    "child.ended": "A process that `cbm up` runs ended by itself; it is started again, unless that could not help.",
    "child.started": "`cbm up` started a process.",
    "codes.applied": "Code lists were imported anew, and an adapter holds codes against them from now on.",
    "config.invalid": "cbm.toml or a CBM_ variable is wrong.",
    "consumer.cancelled": "RabbitMQ cancelled a consumer; it is opened again.",
    "document.unreadable": "A file in the inbox cannot be opened; it stays there, and the others do not wait for it.",
    "document.failed": "A document could not be taken; it lies in `failed/` with its reason.",
    "document.kept": "A document's messages are confirmed; the document is kept under its fingerprint.",
    "document.progress": "Of a large document `done` of `of` messages are published.",
    "document.reading": "A large document is being looked through before anything of it is published.",
    "document.taken": "A document was read into `messages` messages.",
    "document.written": "A received message was written to the agency's outbox.",
    "feed.lost": "The connection to agencies' own queues ended; it is opened again after `wait_s`.",
    "feed.missed": "An agency's own queues did not take `count` messages; its inboxes and log have them.",
    "feed.slow": "An agency's own queues hold up what they are sent; for `wait_s` nobody waits for them.",
    "intake.started": "An adapter takes documents over HTTP.",
    "lane.throttled": "An agency used up its share of the quarantine within the hour; its own lane waits.",
    "ledger.unavailable": "The ledger's database does not answer; messages are held.",
    "library.logged": "A library said something.",
    "message.held": "RabbitMQ did not take what a batch publishes; it is tried again after `wait_s`.",
    "message.internal_error": "A bug of cbm's at one message; it went to quarantine.",
    "message.published": "A message of the agency is stored by RabbitMQ.",
    "message.received": "A message reached the agency.",
    "message.settled": "The one line of a message at its end: ids, agency, lane, disposition, recipients, ms.",
    "node.adopted": "A private RabbitMQ that outlived its starter was taken over.",
    "node.started": "The private RabbitMQ serves.",
    "node.stopped": "The private RabbitMQ ended.",
    "process.crashed": "A process ends by an error nobody expected.",
    "process.failed": "A process ends since what it needs is missing or refuses it; `reason` says what.",
    "profile.applied": "An adapter's profile of codes changed on the disk and holds from now on.",
    "profile.refused": "A changed profile or code list of an adapter's has faults; the one before goes on to hold.",
    "quarantine.discarded": "An operator discarded a quarantined message.",
    "quarantine.resent": "An operator sent a quarantined message again.",
    "receipt.received": "The broker told the agency what became of a message.",
    "topology.administrator_needed": "Users cannot be made from here; `file` holds the definitions to import.",
    "topology.applied": "Exchanges, queues, bindings, policies and users are as cbm.toml wants them.",
}

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

_SECRET = re.compile(r"(://[^/\s:@]*:)[^@\s/]+(@)")
_SECRET_KEYS = frozenset({"password", "secret", "token", "authorization"})


def _without_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key in _SECRET_KEYS:
            event[key] = "***"
        elif isinstance(value, str) and "://" in value:
            event[key] = _SECRET.sub(r"\1***\2", value)
    return event


class _IntoStructlog(logging.Handler):
    """Sends what libraries log into the same stream.

    Our own client library is one of them, since the programs it runs in set their logs up as they like; it
    names its event as `extra={"event": …}`.
    """

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelno if record.levelno in _LEVELS else logging.ERROR
        text, event = record.getMessage()[:1000], getattr(record, "event", None)
        if record.name.startswith("cbm.") and isinstance(event, str) and event in EVENTS:
            log.log(level, event, reason=text)
        else:
            log.log(level, "library.logged", logger=record.name, text=text, exc_info=record.exc_info)


_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)

# So much a pipe takes whole, whoever else writes to it.
_WHOLE_BYTES = 4096


class _Lines:
    """Writes each line at once; or, within `together`, as many with one system call as stay whole."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._held: list[bytes] | None = None

    def msg(self, line: bytes) -> None:
        with self._lock:
            if self._held is None:
                self._write(line + b"\n")
            else:
                self._held.append(line + b"\n")

    log = debug = info = warning = error = critical = msg

    def _write(self, lines: bytes) -> None:
        # A full disk or a reader gone away must not stop what is being logged: the ledger has it all the same.
        with contextlib.suppress(OSError):
            self._target.write(lines)
            self._target.flush()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Hold what is logged within."""
        with self._lock:
            self._held = []
        try:
            yield
        finally:
            with self._lock:
                held, self._held = self._held or [], None
                some: list[bytes] = []
                for line in held:
                    if some and sum(map(len, some)) + len(line) > _WHOLE_BYTES:
                        self._write(b"".join(some))
                        some = []
                    some.append(line)
                if some:
                    self._write(b"".join(some))


_lines: _Lines | None = None


def together() -> contextlib.AbstractContextManager[None]:
    """Write the lines that are logged within with few system calls: at each, another thread may take the turn.

    For a loop without an await; a process that ends within has logged none of them.
    """
    return contextlib.nullcontext() if _lines is None else _lines.together()


def configure(
    *, level: str = "info", form: Literal["auto", "json", "text"] = "auto", stream: BinaryIO | None = None
) -> None:
    """Set the logs of this process up: JSON lines on a pipe, readable colour on a terminal."""
    global _lines
    _lines = None
    target = stream if stream is not None else sys.stdout.buffer
    text = form == "text" or (form == "auto" and target.isatty())
    chain: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_secrets,
    ]
    factory: Any
    if text:
        chain.append(structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=_plain_traceback))
        factory = structlog.WriteLoggerFactory(file=_TextOver(target))  # type: ignore[arg-type]
    else:
        render = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=30)
        chain += [
            structlog.processors.ExceptionRenderer(render),
            structlog.processors.JSONRenderer(serializer=_dumps),
        ]
        lines = _lines = _Lines(target)

        def factory(*_: Any) -> _Lines:
            return lines

    structlog.configure(
        processors=chain,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=factory,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_IntoStructlog()]
    root.setLevel(logging.WARNING)


def _dumps(event: Any, **_: Any) -> bytes:
    try:
        return orjson.dumps(event, default=str)
    except TypeError:
        # What is no Unicode, such as a file's name in another encoding, must not stop who logs it.
        return json.dumps(event, default=str, ensure_ascii=False).encode(errors="replace")


def _plain_traceback(stream: Any, exc_info: Any) -> None:
    structlog.dev.plain_traceback(stream, exc_info)


class _TextOver:
    """A text file over a binary one, as structlog's WriteLogger wants it."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target

    def write(self, text: str) -> int:
        return self._target.write(text.encode())

    def flush(self) -> None:
        self._target.flush()


# Field -> what it says, for docs/LOGS.md.
FIELDS: Mapping[str, str] = {
    "timestamp, level, event": "stand on every line; times are UTC",
    "message_id": "the id of the CloudEvent: the same in adapter, broker, ledger and receipt",
    "correlation_id": "its `correlationid`, or its id where it has none",
    "traceparent": "W3C trace context; of a document its trace id is the beginning of the document's SHA-256",
    "sha256": "a document's fingerprint: under it the adapter keeps the document",
    "agency": "whose adapter, lane or inbox it is; `source` is who published the message",
    "lane": "`alert` or `shipment`",
    "type, subject": "the message's type, and the key of its consignment or alert",
    "disposition": "what became of it: accepted, duplicate, conflict, refused, expired, undeliverable",
    "recipients": "the agencies that receive it",
    "faults": "the codes of what is wrong; the places and rules are in the receipt and in the ledger",
    "redelivered": "RabbitMQ delivered it a second time, after a crash or a lost connection",
    "ms": "from taking the message's batch to its acknowledgement",
    "wait_s": "how long is waited before the next try",
}

_PAGE = """# Logs

Made by `python -m broker.logs`. One JSON object a line on a pipe or in a file, readable text on a terminal
(`[logs] form`). `cbm up --story` writes them to `logs/*.ndjson` under `state_dir`, a file for each process;
everything else writes them to stdout. They hold identifiers and outcomes: no names, no goods, no documents,
no passwords, also not in tracebacks.

## Follow one consignment

All that happened to it, over all processes, in order:

```sh
cat logs/*.ndjson | jq -s -c --arg key 6KR1208814-PLANTS-0417 'sort_by(.timestamp)[]
  | select(.subject == $key) | [.timestamp, .event, .agency, .type, .message_id, .disposition]'
```

One message from the document that it came from to the documents that were made of it:

```sh
cat logs/*.ndjson | jq -s -c --arg id 9781b238-59cc-5d71-8332-e4662f7fcbf9 'sort_by(.timestamp)
  | (map(select(.message_id == $id and .traceparent != null))[0].traceparent[3:35]) as $trace
  | .[] | select((.traceparent // "" | contains($trace)) or (.sha256 // "" | startswith($trace)))
  | [.timestamp, .event, .agency, .document, .disposition]'
```

What was not accepted, and why:

```sh
cat logs/*.ndjson | jq -c 'select(.event == "message.settled" and .disposition != "accepted")
  | {timestamp, agency, message_id, disposition, faults}'
```

## Fields

| field | meaning |
|---|---|
%s

## Events

A closed list: a test refuses a name that is not here.

| event | meaning |
|---|---|
%s
"""


def page() -> str:
    """Return docs/LOGS.md."""
    fields = "\n".join(
        f"| {', '.join(f'`{n}`' for n in names.split(', '))} | {text} |" for names, text in FIELDS.items()
    )
    events = "\n".join(f"| `{name}` | {text} |" for name, text in sorted(EVENTS.items()))
    return _PAGE % (fields, events)


if __name__ == "__main__":
    sys.stdout.write(page())
