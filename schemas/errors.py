"""Every error cbm raises, as one tree. The class decides the treatment; the data stays on the error.

CbmError
├─ ConfigError              cbm.toml or a CBM_ variable is wrong: start-up stops, exit status 2
├─ NotFound                 what was asked for is not there, exit status 3
├─ MessageError             the message or document is at fault: quarantine and receipt, never a retry
│  ├─ InvalidMessage        bytes, schema, version or identity; carries every fault, not the first
│  ├─ TranslationError      a document that cannot be read, or a message that a format cannot express
│  └─ Undeliverable         nobody may receive it, exit status 5
├─ NotAuthorised            RabbitMQ refused the user or the operation, exit status 6
└─ TransportError           RabbitMQ, the network or the database is at fault: hold, back off, try again
   ├─ Unreachable           no connection could be made, exit status 7
   ├─ ConnectionLost        the connection went away; what was under way has an unknown outcome
   ├─ ChannelClosed         RabbitMQ closed the channel and said why
   ├─ PublishNacked         a queue is full or could not store it
   ├─ PublishReturned       no queue was there to take it
   ├─ LedgerUnavailable     the ledger's database does not answer
   └─ TimedOut              the limit for waiting ran out, exit status 8

Owns the classes and their texts. Never decides what to do about an error, and never puts cargo data,
secrets or the offending value into a text.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: a stable code, the place, and the rule in words.

    `pointer` is a JSON pointer (RFC 6901) into the message; for native documents it is an XPath or a
    line, whatever names the place best there. `detail` never repeats the offending value.
    """

    code: str
    pointer: str
    detail: str

    def as_json(self) -> dict[str, str]:
        """Return the three parts under their wire names."""
        return {"code": self.code, "pointer": self.pointer, "detail": self.detail}


class CbmError(Exception):
    """Anything cbm itself reports. `exit_status` is what the command line ends with."""

    exit_status = 1


class ConfigError(CbmError):
    """The configuration is wrong; `faults` name every key at fault."""

    exit_status = 2

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(f"{fault.pointer}: {fault.detail}" for fault in self.faults))


class NotFound(CbmError):
    """What was asked for does not exist."""

    exit_status = 3


class MessageError(CbmError):
    """The message or document is at fault; trying again without a change cannot help."""

    exit_status = 4

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{f.code} at {f.pointer or '/'}: {f.detail}" for f in self.faults))


class InvalidMessage(MessageError):
    """The bytes are not a message of the wire contract; `faults` holds all that is wrong."""


class TranslationError(MessageError):
    """A document that cannot be read, or a message that the target format cannot express."""


class Undeliverable(MessageError):
    """No agreement lets anybody receive the message."""

    exit_status = 5


class NotAuthorised(CbmError):
    """RabbitMQ does not know the user, or refuses it the operation."""

    exit_status = 6


class TransportError(CbmError):
    """Something between the parts is unwell; the same thing may succeed later."""

    exit_status = 7


class Unreachable(TransportError):
    """No connection to RabbitMQ could be made."""


class ConnectionLost(TransportError):
    """The connection went away; publishes not yet confirmed have an unknown outcome."""


class ChannelClosed(TransportError):
    """RabbitMQ closed the channel; `code` is its AMQP reply code."""

    def __init__(self, code: int, text: str) -> None:
        self.code, self.text = code, text
        super().__init__(f"RabbitMQ closed the channel: {code} {text}")


class PublishNacked(TransportError):
    """RabbitMQ did not store the message: a queue is at its limit or has no leader."""


class PublishReturned(TransportError):
    """No queue was bound to take the message."""


class LedgerUnavailable(TransportError):
    """The ledger's database does not answer or cannot write."""


class TimedOut(TransportError):
    """A limit for waiting ran out."""

    exit_status = 8
