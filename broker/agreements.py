"""Who may see what of whom: the agreements, compiled so that a decision is a lookup. Pure.

Owns default deny: what no agreement names reaches nobody; and strictness: of several agreements that
hold for the same sender, recipient and message, every restriction counts. Never knows RabbitMQ, has no clock.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from broker.conditions import Conditions, Where
from broker.keys import Keyring, PublicKey
from broker.settings import RECEIPT_TYPES, TYPES, Agency, Agreement, Settings, type_matches
from broker.views import pointer_pattern
from schemas import Message
from schemas.envelope import Tlp

Pointers = tuple[tuple[str, ...], ...]
# Answers kept, over all senders and types. Most messages ask what others asked before.
_MOST_ANSWERS = 2_000


@dataclass(frozen=True)
class Entitlement:
    """What one recipient may see of one message, and by which agreements."""

    agreements: tuple[Agreement, ...]
    withhold: frozenset[str] = frozenset()
    pseudonymise: frozenset[str] = frozenset()

    @property
    def is_whole(self) -> bool:
        """Whether nothing is kept from the recipient."""
        return not self.withhold and not self.pseudonymise

    @cached_property
    def disclosed(self) -> bool:
        """Whether the sender may learn who this recipient is: all agreements must agree."""
        return all(agreement.disclose for agreement in self.agreements)

    @cached_property
    def ids(self) -> str:
        """The agreements' ids, for the ledger and for people."""
        return " + ".join(agreement.id for agreement in self.agreements)


class Rule:
    """One agreement, compiled."""

    __slots__ = ("agreement", "conditions", "entitlement", "first", "last", "sensitivity")

    def __init__(self, agreement: Agreement, conditions: Conditions) -> None:
        self.agreement = agreement
        self.conditions = conditions
        self.entitlement = Entitlement((agreement,), frozenset(agreement.withhold), frozenset(agreement.pseudonymise))
        self.first = agreement.valid_from or date.min
        self.last = agreement.valid_until or date.max
        self.sensitivity = agreement.max_tlp.sensitivity

    def why_not(self, message: Message, today: date) -> str | None:
        """Return why the agreement says nothing about this message; None where it holds."""
        if today < self.first:
            return f"in force from {self.first} only"
        if today > self.last:
            return f"ended on {self.last}"
        return self.conditions.why_not(message)


Rules = Mapping[str, tuple[Rule, ...]]
"""Of one sender and type: every recipient with its agreements."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What one recipient has in force of one sender and type, and what it comes to where all of it holds."""

    rules: tuple[Rule, ...]
    conditions: frozenset[Conditions]
    sensitivity: int
    entitlement: Entitlement

    @classmethod
    def of(cls, rules: tuple[Rule, ...]) -> "Standing":
        """Of several agreements, the strictest cap counts, and every restriction."""
        conditions = frozenset(rule.conditions for rule in rules if rule.conditions.tests)
        return cls(rules, conditions, min(rule.sensitivity for rule in rules), _together(rules))


class Day:
    """What one sender shares of one type on one day: of the agreements that day has in force."""

    __slots__ = ("_standings", "conditions")

    def __init__(self, rules: Rules, today: date) -> None:
        in_force = {to: tuple(one for one in found if one.first <= today <= one.last) for to, found in rules.items()}
        self._standings = {to: Standing.of(found) for to, found in in_force.items() if found}
        every = (rule.conditions for standing in self._standings.values() for rule in standing.rules)
        self.conditions = tuple(dict.fromkeys(one for one in every if one.tests))
        """Those that a message must be held against: each once, however many agreements set it."""

    def entitlements(self, held: Sequence[bool], marking: Tlp) -> dict[str, Entitlement]:
        """Return what every recipient may see of a message, by which of the `conditions` it holds."""
        failing = frozenset(one for one, holds in zip(self.conditions, held, strict=True) if not holds)
        sensitivity = marking.sensitivity
        found: dict[str, Entitlement] = {}
        for recipient, standing in self._standings.items():
            if not failing.isdisjoint(standing.conditions):
                holding = tuple(rule for rule in standing.rules if rule.conditions not in failing)
                if not holding:
                    continue
                standing = Standing.of(holding)
            if sensitivity <= standing.sensitivity:
                found[recipient] = standing.entitlement
        return found


class Agreements:
    """The agreements of one version of the configuration."""

    def __init__(self, agencies: Sequence[Agency], agreements: Sequence[Agreement], token_secret: bytes = b"") -> None:
        """`token_secret` is what the tokens of withheld and pseudonymised values follow from."""
        self.token_secret = token_secret
        self.version = hashlib.sha256(
            "\n".join(a.model_dump_json(by_alias=True) for a in (*agencies, *agreements)).encode()
        ).hexdigest()[:16]
        self._publishes = {
            agency.id: frozenset(t for t in TYPES if any(type_matches(p, t) for p in agency.publishes))
            for agency in agencies
        }
        self._index = _indexed(agreements)
        self._today = date.min
        self._days: dict[tuple[str, str], Day] = {}
        self._answers: dict[tuple[str, str, Tlp, tuple[bool, ...]], Mapping[str, Entitlement]] = {}
        self._keys = Keyring({agency.id: agency.key for agency in agencies})
        self._must_sign = frozenset(agency.id for agency in agencies if agency.signatures == "required")

    @classmethod
    def of(cls, settings: Settings, token_secret: bytes = b"") -> "Agreements":
        """Compile what the configuration says."""
        return cls(settings.agency, settings.agreement, token_secret)

    def may_publish(self, agency: str, type_: str) -> bool:
        """Tell whether an agency may publish a type at all."""
        return type_ in self._publishes.get(agency, ())

    def must_sign(self, agency: str) -> bool:
        """Tell whether an agency's unsigned messages are refused."""
        return agency in self._must_sign

    def keys_of(self, agency: str) -> Mapping[str, PublicKey]:
        """Return an agency's public keys by their ids, whether they are good today or not."""
        return self._keys.of(agency)

    def is_type(self, type_: str) -> bool:
        """Tell whether there is such a type, whoever may publish it."""
        return type_ in TYPES or type_ in RECEIPT_TYPES

    def entitlements(self, message: Message, today: date) -> Mapping[str, Entitlement]:
        """Return who receives a message, each with what it may see.

        The recipients that the message names narrow the audience and never widen it; none named at all is
        everybody whom agreements allow, an empty list is nobody.
        """
        marking, audience = message.marking, message.audience
        if marking is Tlp.RED and audience is None:
            return {}
        entitled = self._entitled(message, marking, today)
        if audience is None:
            return entitled
        return {recipient: entitled[recipient] for recipient in sorted(entitled.keys() & audience)}

    def _entitled(self, message: Message, marking: Tlp, today: date) -> Mapping[str, Entitlement]:
        """Return what everybody may see of a message, whoever is named in it.

        Beyond its sender, type, marking and the day, only the conditions ask what the message says. So
        an answer is found once for all messages that are alike in these.
        """
        if today != self._today:
            self._today = today
            self._days.clear()
            self._answers.clear()
        about = (message.source, message.type)
        day = self._days.get(about)
        if day is None:
            if about not in self._index:
                return {}
            day = self._days[about] = Day(self._index[about], today)
        held = tuple([conditions.hold(message) for conditions in day.conditions])
        answer = self._answers.get((*about, marking, held))
        if answer is None:
            if len(self._answers) >= _MOST_ANSWERS:
                self._answers.clear()
            answer = self._answers[*about, marking, held] = day.entitlements(held, marking)
        return answer

    def why_not(self, message: Message, recipient: str, today: date) -> list[str]:
        """Return every reason for which an agency does not receive a message; empty where it does."""
        marking, audience = message.marking, message.audience
        reasons: list[str] = []
        if audience is not None and recipient not in audience:
            reasons.append("not among the recipients that the message names")
        if marking is Tlp.RED and audience is None:
            reasons.append("TLP:RED reaches named recipients only")
        rules = self._index.get((message.source, message.type), {}).get(recipient, ())
        if not rules:
            reasons.append(f"no agreement lets it see {message.type} of {message.source}")
        failing = [(rule, why) for rule in rules if (why := rule.why_not(message, today)) is not None]
        if len(failing) == len(rules):
            reasons += [f"{rule.agreement.id}: {why}" for rule, why in failing]
        for rule in rules:
            if rule.why_not(message, today) is None and marking.sensitivity > rule.sensitivity:
                most = rule.agreement.max_tlp
                reasons.append(f"{rule.agreement.id}: nothing more sensitive than TLP:{most}; this is TLP:{marking}")
        return reasons

    def considered(self, sender: str, type_: str) -> tuple[tuple[str, tuple[Rule, ...]], ...]:
        """Return every recipient of a sender and type with its agreements, whether they hold today or not."""
        return tuple(self._index.get((sender, type_), {}).items())


def _indexed(agreements: Sequence[Agreement]) -> dict[tuple[str, str], Rules]:
    """Compile agreements, and find them by sender and type."""
    compiled: dict[Where | None, Conditions] = {None: Conditions()}
    index: dict[tuple[str, str], dict[str, list[Rule]]] = {}
    for agreement in agreements:
        where = agreement.where
        if where not in compiled and where is not None:
            compiled[where] = where.compile()
        rule = Rule(agreement, compiled[where])
        types = [t for t in TYPES if any(type_matches(p, t) for p in agreement.types)]
        for sender in dict.fromkeys(agreement.from_):
            for type_ in types:
                by_recipient = index.setdefault((sender, type_), {})
                for to in dict.fromkeys(agreement.to):
                    # Nobody is sent his own message, whatever a broad agreement says.
                    if to != sender:
                        by_recipient.setdefault(to, []).append(rule)
    return {about: {to: tuple(found[to]) for to in sorted(found)} for about, found in index.items()}


def _together(holding: tuple[Rule, ...]) -> Entitlement:
    """Of several agreements, every restriction counts; what one withholds no other's token gives back."""
    if len(holding) == 1:
        return holding[0].entitlement
    withhold = frozenset().union(*(rule.entitlement.withhold for rule in holding))
    pseudonymise = frozenset().union(*(rule.entitlement.pseudonymise for rule in holding))
    return Entitlement(tuple(rule.agreement for rule in holding), withhold, pseudonymise - withhold)


def split(pointers: frozenset[str]) -> Pointers:
    """Split pointers for `views.redact`, in an order that does not change."""
    return tuple(pointer_pattern(pointer) for pointer in sorted(pointers))
