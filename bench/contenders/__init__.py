"""The contenders, one module each: who takes the waiting messages and delivers them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Contender:
    """One of those that are compared."""

    name: str
    module: str
    share: float = 1.0
    """How much of a round's messages it gets: a slow one has its seconds with fewer."""


CONTENDERS = {
    "a": Contender("bare relay on pika, checks nothing", "bench.contenders.relay"),
    "b": Contender("cbm, everything on", "bench.contenders.ours"),
    "c": Contender("aio-pika", "bench.contenders.on_aio_pika", share=0.25),
    "d": Contender("FastStream", "bench.contenders.on_faststream", share=0.25),
}
