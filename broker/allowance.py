"""How much of the shared quarantine an agency may use up in a time. Pure.

Owns the count. The quarantine is one queue for all, and RabbitMQ's disk is one disk: an agency that sends nothing
but what is refused would fill both, and hold up everybody. So beyond its allowance its own lanes wait, its ingress
queues fill, and its publishes are refused; nobody else notices.
"""

import time
from collections.abc import Callable


class Allowance:
    """Messages and bytes that one agency may have quarantined, refilled evenly over an hour. May go into debt once."""

    def __init__(self, messages: int, size_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._full = (float(messages), float(size_bytes))
        self._left = self._full
        self._clock = clock
        self._filled = clock()

    def wait_s(self) -> float:
        """Return how long to wait until something is left of it; 0: nothing stands against going on."""
        self._refill()
        rates = (full / 3600 for full in self._full)
        return max((-left / rate for left, rate in zip(self._left, rates, strict=True) if left < 0), default=0.0)

    def use(self, messages: int, size_bytes: int) -> None:
        """Count what goes to quarantine."""
        self._refill()
        self._left = (self._left[0] - messages, self._left[1] - size_bytes)

    def _refill(self) -> None:
        now = self._clock()
        share, self._filled = (now - self._filled) / 3600, now
        more = (left + full * share for left, full in zip(self._left, self._full, strict=True))
        self._left = (min(next(more), self._full[0]), min(next(more), self._full[1]))
