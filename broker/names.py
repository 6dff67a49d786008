"""The names of the wire contract, and how topic patterns match keys. Pure; the client shares them with the service."""

import re
from collections.abc import Callable

LANES = ("alert", "shipment")
DELIVER = "deliver"
QUARANTINE = "quarantine"
JOURNAL = "journal"
# Marks what an operator sent again out of quarantine.
RESENT_HEADER = "x-cbm-resent"


def in_exchange(agency: str) -> str:
    """The exchange an agency publishes to."""
    return f"in.{agency}"


def ingress_queue(agency: str, lane: str) -> str:
    """The queue from which the broker takes an agency's messages of a lane."""
    return f"ingress.{agency}.{lane}"


def feed_exchange(agency: str) -> str:
    """The exchange from which an agency's own queues receive: it binds them, and only they are behind it."""
    return f"feed.{agency}"


def standing_exchange(agency: str) -> str:
    """The exchange from which an agency's standing queues receive; the broker's alone."""
    return f"standing.{agency}"


def inbox_queue(agency: str, kind: str) -> str:
    """An agency's standing queue for `alert`, `shipment` or `receipt`."""
    return f"inbox.{agency}.{kind}"


def log_stream(agency: str) -> str:
    """The stream from which an agency replays its feed."""
    return f"log.{agency}"


def own_queue(agency: str, name: str) -> str:
    """A queue that an agency declares for itself."""
    return f"sub.{agency}.{name}"


def key_matcher(pattern: str) -> Callable[[str], bool]:
    """Compile an AMQP topic pattern, where `*` is one word and `#` none or more, into a test of keys."""
    parts: list[str] = []
    for word in pattern.split("."):
        part = {"#": r"(?:[^.]*\.)*", "*": r"[^.]*\."}.get(word, re.escape(word) + r"\.")
        # Several # in a row say no more than one, and would make the search slow.
        if not (word == "#" and parts and parts[-1] == part):
            parts.append(part)
    compiled = re.compile("".join(parts))
    return lambda key: compiled.fullmatch(key + ".") is not None
