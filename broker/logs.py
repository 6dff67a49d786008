"""Structured logs: one chain for all processes, and the closed catalogue of event names.

Owns the catalogue, the rendering, and the rule that no secret gets through. What is logged are
identifiers and outcomes; never cargo data, never a local variable, never a body.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, BinaryIO, Literal

import orjson
import structlog

# Event name -> what it says. docs/LOGS.md is made from this; a test refuses a name that is not here.
EVENTS: Mapping[str, str] = {
    "adapter.started": "An adapter watches its inbox and its agency's feed.",
    "adapter.stopped": "An adapter ended in order.",
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
    "child.ended": "A process that `cbm up` runs ended by itself and is started again.",
    "child.started": "`cbm up` started a process.",
    "config.invalid": "cbm.toml or a CBM_ variable is wrong.",
    "consumer.cancelled": "RabbitMQ cancelled a consumer; it is opened again.",
    "document.failed": "A document could not be taken; it lies in `failed/` with its reason.",
    "document.kept": "A document's messages are confirmed; the document is kept under its fingerprint.",
    "document.taken": "A document was read into `messages` messages.",
    "document.written": "A received message was written to the agency's outbox.",
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
    """Sends what libraries log into the same stream."""

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelname.lower()
        method = getattr(log, level if level in ("debug", "info", "warning", "error") else "error")
        method("library.logged", logger=record.name, text=record.getMessage()[:1000], exc_info=record.exc_info)


def configure(
    *, level: str = "info", form: Literal["auto", "json", "text"] = "auto", stream: BinaryIO | None = None
) -> None:
    """Set the logs of this process up: JSON lines on a pipe, readable colour on a terminal."""
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
        factory = structlog.BytesLoggerFactory(file=target)
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
    return orjson.dumps(event, default=str)


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
