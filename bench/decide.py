"""What deciding costs: `python -m bench.decide`. The pure path alone, no RabbitMQ, no ledger, no clock.

Owns the made-up network of agencies and agreements, and the figures: reading a message, finding who may see
what of it, and making the views, each by itself and all together. Checks who receives before it measures.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.job import SENDER
from bench.world import BODY_BYTES, WrongResult, message
from broker.agreements import Agreements, Day
from broker.decision import Arrival, Decision, decide, examine, views_of
from broker.service import tune_collector
from broker.settings import Agency, Agreement, Limits
from schemas import Message, parse

AGENCIES = 100
AGREEMENTS = 1_000
LIMIT_US = 30.0
_SENDERS = 10
_MESSAGES = 200
_NOW = datetime.now(UTC)
_TODAY = _NOW.date()
_LIMITS = Limits()
_SECRET = b"of the bench"

# What the agreements about the measured messages say besides who and which.
WHERE: dict[str, Any] = {
    "where": {
        "hs": ["06", "07", "08"],
        "place": ["KRINC", "KRP*"],
        "origin": ["VN", "TH"],
        "mode": ["1"],
        "identifiers": ["container"],
    }
}
WITHHOLD: dict[str, Any] = {"withhold": ["/data/goods/*/gross_mass_kg", "/data/parties/*/name"]}
PSEUDONYMISE: dict[str, Any] = {"pseudonymise": ["/data/parties/*/name"]}
TERMS: dict[str, dict[str, Any]] = {
    "nothing more": {},
    "where, five conditions": WHERE,
    "withhold, two fields": WITHHOLD,
    "pseudonymise, one field": PSEUDONYMISE,
    "where and withhold": WHERE | WITHHOLD,
}

# Agreements that do not concern the measured messages, by why they do not.
OTHERS: dict[str, Callable[[int], dict[str, Any]]] = {
    "of other senders": lambda n: {"from": [_agency(_SENDERS + n % (AGENCIES - _SENDERS))]},
    "of other types": lambda n: {"types": ["alert.*", "shipment.released"]},
    "ended": lambda n: {"valid_until": _TODAY - timedelta(days=1 + n % 365)},
    "not yet in force": lambda n: {"valid_from": _TODAY + timedelta(days=1 + n % 365)},
}
NOT_NAMED = "to agencies that the message does not name"
# Only the message tells that these do not hold: what they ask for must be looked at, in fifty different ways.
LOOKED_AT: dict[str, Callable[[int], dict[str, Any]]] = {
    "of the same sender and type, where does not hold": lambda n: {"where": {"hs": [f"{10 + n % 50}"]}},
}
GROWTH: dict[str, dict[str, Callable[[int], dict[str, Any]]]] = {
    **{name: {name: kind} for name, kind in OTHERS.items()},
    NOT_NAMED: {NOT_NAMED: lambda n: {"to": [_agency(_SENDERS + 30 + n % 60)]}},
    **{name: {name: kind} for name, kind in LOOKED_AT.items()},
}
STEPS = ("read", "who sees what", "found anew", "views", "all")
COUNTS = (10, 100, 1_000, 5_000)


def _agency(number: int) -> str:
    return SENDER if number == 0 else f"kr.agency{number}"


@dataclass
class Network:
    """Agencies, agreements, and messages of the first ten agencies that reach so many recipients."""

    recipients: int
    agreements: Agreements
    arrivals: list[Arrival]

    @classmethod
    def made(
        cls,
        recipients: int,
        terms: dict[str, Any],
        others: dict[str, Callable[[int], dict[str, Any]]],
        count: int,
    ) -> "Network":
        """Make a network: an agreement for each sender and recipient, and `count` others, of those kinds in turn."""
        common = {"types": ["shipment.held"], "max_tlp": "RED", "purpose": "p", "legal_basis": "l"}
        contents = [
            common | {"from": [_agency(sender)], "to": [_agency(_SENDERS + to)]} | terms
            for sender in range(_SENDERS)
            for to in range(recipients)
        ]
        kinds = list(others.values())
        for n in range(count):
            # Of the senders and types that are measured, to anybody, unless the kind says otherwise.
            to = _agency(_SENDERS + n % (AGENCIES - _SENDERS))
            contents.append(common | {"from": [_agency(n % _SENDERS)], "to": [to]} | kinds[n % len(kinds)](n))
        agencies = [
            Agency(id=_agency(n), name=f"Agency {n}", sector="other", publishes=("*",)) for n in range(AGENCIES)
        ]
        agreements = [Agreement.model_validate(one | {"id": f"a{n}"}) for n, one in enumerate(contents)]
        # All that have an agreement, so that agreements to others do not concern the message.
        names = (
            {"recipients": " ".join(_agency(_SENDERS + to) for to in range(recipients))} if NOT_NAMED in others else {}
        )
        arrivals = []
        for n in range(_MESSAGES):
            content = json.loads(message(f"m{n}")) | {"source": _agency(n % _SENDERS)} | names
            body = json.dumps(content, separators=(",", ":")).encode()
            arrivals.append(Arrival(body, content["source"], "shipment", _NOW))
        made = cls(recipients, Agreements(agencies, agreements, _SECRET), arrivals)
        made.check()
        return made

    def whole(self, arrival: Arrival) -> Decision:
        """All that is done to a message between RabbitMQ's delivery and the publish."""
        return decide(examine(arrival, self.agreements, _LIMITS, _NOW), None, self.agreements, _NOW)

    def check(self) -> None:
        """What is measured is what must be done.

        Raises:
            WrongResult: a message did not reach just those it should.
        """
        for arrival in self.arrivals:
            decision = self.whole(arrival)
            expected = {_agency(_SENDERS + to) for to in range(self.recipients)}
            if {agency for agency, _ in decision.recipients} != expected or decision.faults or decision.warnings:
                raise WrongResult(f"{decision.disposition}, {decision.recipients}, {decision.faults}")

    def steps(self) -> dict[str, Callable[[], object]]:
        """Return each measured step, over all messages."""
        messages = [parse(arrival.body) for arrival in self.arrivals]
        bodies = [arrival.body for arrival in self.arrivals]
        agreements = self.agreements
        allowed = [agreements.entitlements(one, _TODAY) for one in messages]
        views = list(zip(messages, bodies, allowed, strict=True))
        days = {
            one.source: Day(dict(agreements.considered(one.source, one.type)), _TODAY) for one in messages[:_SENDERS]
        }

        def anew(one: Message) -> object:
            day = days[one.source]
            return day.entitlements([conditions.hold(one) for conditions in day.conditions], one.marking)

        return {
            "read": lambda: [parse(body) for body in bodies],
            "found anew": lambda: [anew(one) for one in messages],
            "who sees what": lambda: [agreements.entitlements(one, _TODAY) for one in messages],
            "views": lambda: [views_of(one, body, found, _SECRET) for one, body, found in views],
            "all": lambda: [self.whole(arrival) for arrival in self.arrivals],
        }


@dataclass
class Figures:
    """Processor microseconds a message, a figure for each round."""

    rounds: dict[str, list[float]] = field(default_factory=dict)

    def take(self, steps: dict[str, Callable[[], object]]) -> None:
        """Measure each step once more."""
        for name, step in steps.items():
            began = time.process_time_ns()
            step()
            took_us = (time.process_time_ns() - began) / 1000 / _MESSAGES
            self.rounds.setdefault(name, []).append(took_us)

    def of(self, step: str) -> float:
        """The median of the rounds."""
        return statistics.median(self.rounds[step])


def measured(networks: Sequence[Network], rounds: int) -> list[Figures]:
    """Measure networks in turn, so that what else the machine does falls on all."""
    steps = [network.steps() for network in networks]
    figures = [Figures() for _ in networks]
    for number in range(rounds + 1):
        for one, step in zip(figures, steps, strict=True):
            (Figures() if number == 0 else one).take(step)
    return figures


def cost_table(rounds: int, agreements: int) -> tuple[str, float]:
    """Measure every kind of agreement with 1, 3 and 30 recipients; return the table and the most deciding cost."""
    cases = [(name, recipients) for name in TERMS for recipients in (1, 3, 30)]
    networks = [Network.made(r, TERMS[name], OTHERS, agreements - _SENDERS * r) for name, r in cases]
    figures = measured(networks, rounds)
    lines = [
        "| the agreements say | to | read | **who may see what** | the first of its kind | make the views "
        "| all, with checks and digest |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for (name, recipients), one in zip(cases, figures, strict=True):
        read, who, anew, views, all_ = (f"{one.of(step):.1f}" for step in STEPS)
        lines.append(f"| {name} | {recipients} | {read} | **{who}** | {anew} | {views} | {all_} |")
    return "\n".join(lines), max(one.of(step) for one in figures for step in ("who sees what", "found anew"))


def growth_table(rounds: int) -> str:
    """Measure who may see what with ever more agreements beside three recipients' own, as ratios to ten beside."""
    cases = [(name, count) for name in GROWTH for count in COUNTS]
    networks = [Network.made(3, {}, GROWTH[name], count) for name, count in cases]
    figures = dict(zip(cases, measured(networks, rounds), strict=True))
    lines = [
        "| other agreements, in one run | " + " | ".join(f"{count:,}" for count in COUNTS) + " |",
        "|---|" + "---:|" * len(COUNTS),
    ]
    for name in GROWTH:
        least = figures[name, COUNTS[0]]
        cells = [f"{least.of('who sees what'):.1f} µs"]
        for count in COUNTS[1:]:
            pairs = zip(figures[name, count].rounds["who sees what"], least.rounds["who sees what"], strict=True)
            cells.append(f"x {statistics.median(more / less for more, less in pairs):.2f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.decide", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="of each case, in turn (15)")
    parser.add_argument("--agreements", type=int, default=AGREEMENTS, help=f"at {AGENCIES} agencies ({AGREEMENTS})")
    chosen = parser.parse_args()
    if chosen.rounds < 1 or chosen.agreements < 30 * _SENDERS:
        parser.error(f"at least one round and {30 * _SENDERS} agreements")
    return chosen


def main() -> int:
    """Measure and print the tables."""
    chosen = arguments()
    # As in cbm serve.
    tune_collector()
    try:
        costs, most_us = cost_table(chosen.rounds, chosen.agreements)
        growth = growth_table(chosen.rounds)
    except WrongResult as error:
        print(f"the bench fails: {error}", file=sys.stderr)
        return 1
    print(
        f"Deciding, {AGENCIES} agencies, {chosen.agreements:,} agreements, messages of {BODY_BYTES} bytes and more, "
        f"{chosen.rounds} rounds of {_MESSAGES} messages; Python {platform.python_version()}, {os.cpu_count()} "
        "processors. Processor microseconds a message, medians:\n"
    )
    print(costs)
    held = "holds" if most_us <= LIMIT_US else "does not hold"
    print(f"\nDeciding who may see what takes {most_us:.1f} µs at most: the limit of {LIMIT_US:.0f} µs {held}.\n")
    print(growth)
    return 0


if __name__ == "__main__":
    sys.exit(main())
