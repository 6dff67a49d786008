"""Who may see what of whom: the agreements, compiled so that a decision is a lookup. Pure.

Owns default deny: what no agreement names reaches nobody; and strictness: of several agreements that
hold for the same sender, recipient and message, every restriction counts. Never knows RabbitMQ, has no clock.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from broker.conditions import Conditions
from broker.keys import Keyring, PublicKey
from broker.settings import RECEIPT_TYPES, TYPES, Agency, Agreement, Settings, type_matches
from broker.views import pointer_pattern
from schemas import Message
from schemas.envelope import Tlp

Pointers = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What one recipient may see of one message, and by which agreements."""

    agreements: tuple[Agreement, ...]
    withhold: frozenset[str] = frozenset()
    pseudonymise: frozenset[str] = frozenset()

    @property
    def is_whole(self) -> bool:
        """Whether nothing is kept from the recipient."""
        return not self.withhold and not self.pseudonymise

    @property
    def disclosed(self) -> bool:
        """Whether the sender may learn who this recipient is: all agreements must agree."""
        return all(agreement.disclose for agreement in self.agreements)

    @property
    def ids(self) -> str:
        """The agreements' ids, for the ledger and for people."""
        return " + ".join(agreement.id for agreement in self.agreements)


class Rule:
    """One agreement, compiled."""

    __slots__ = ("agreement", "conditions", "entitlement", "first", "last", "sensitivity")

    def __init__(self, agreement: Agreement) -> None:
        self.agreement = agreement
        self.conditions = agreement.where.compile() if agreement.where is not None else Conditions()
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

    def holds(self, message: Message, today: date) -> bool:
        """Tell whether the agreement is in force and its conditions hold."""
        return self.first <= today <= self.last and (not self.conditions.tests or self.conditions.hold(message))


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
        self._keys = Keyring({agency.id: agency.key for agency in agencies})
        self._must_sign = frozenset(agency.id for agency in agencies if agency.signatures == "required")
        index: dict[tuple[str, str], dict[str, list[Rule]]] = {}
        for agreement in agreements:
            rule = Rule(agreement)
            types = [t for t in TYPES if any(type_matches(p, t) for p in agreement.types)]
            for sender in agreement.from_:
                for type_ in types:
                    by_recipient = index.setdefault((sender, type_), {})
                    for to in agreement.to:
                        # Nobody is sent his own message, whatever a broad agreement says.
                        if to != sender and rule not in by_recipient.setdefault(to, []):
                            by_recipient[to].append(rule)
        self._index = {
            key: tuple((to, tuple(rules)) for to, rules in found.items() if rules) for key, found in index.items()
        }

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

    def entitlements(self, message: Message, today: date) -> dict[str, Entitlement]:
        """Return who receives a message, each with what it may see.

        The recipients that the message names narrow the audience and never widen it; none named at all is
        everybody whom agreements allow, an empty list is nobody.
        """
        marking, audience = message.marking, message.audience
        if marking is Tlp.RED and audience is None:
            return {}
        sensitivity = marking.sensitivity
        found: dict[str, Entitlement] = {}
        for recipient, rules in self._index.get((message.source, message.type), ()):
            if audience is not None and recipient not in audience:
                continue
            holding = [rule for rule in rules if rule.holds(message, today)]
            # Of several that hold, the strictest cap counts.
            if holding and all(sensitivity <= rule.sensitivity for rule in holding):
                found[recipient] = holding[0].entitlement if len(holding) == 1 else _together(holding)
        return found

    def why_not(self, message: Message, recipient: str, today: date) -> list[str]:
        """Return every reason for which an agency does not receive a message; empty where it does."""
        marking, audience = message.marking, message.audience
        reasons: list[str] = []
        if audience is not None and recipient not in audience:
            reasons.append("not among the recipients that the message names")
        if marking is Tlp.RED and audience is None:
            reasons.append("TLP:RED reaches named recipients only")
        rules = next(
            (rules for to, rules in self._index.get((message.source, message.type), ()) if to == recipient), ()
        )
        if not rules:
            reasons.append(f"no agreement lets it see {message.type} of {message.source}")
        failing = [(rule, why) for rule in rules if (why := rule.why_not(message, today)) is not None]
        if len(failing) == len(rules):
            reasons += [f"{rule.agreement.id}: {why}" for rule, why in failing]
        for rule in rules:
            if rule.holds(message, today) and marking.sensitivity > rule.sensitivity:
                most = rule.agreement.max_tlp
                reasons.append(f"{rule.agreement.id}: nothing more sensitive than TLP:{most}; this is TLP:{marking}")
        return reasons

    def considered(self, sender: str, type_: str) -> tuple[tuple[str, tuple[Rule, ...]], ...]:
        """Return every recipient of a sender and type with its agreements, whether they hold today or not."""
        return self._index.get((sender, type_), ())


def _together(holding: list[Rule]) -> Entitlement:
    """Of several agreements, every restriction counts; what one withholds no other's token gives back."""
    withhold = frozenset().union(*(rule.entitlement.withhold for rule in holding))
    pseudonymise = frozenset().union(*(rule.entitlement.pseudonymise for rule in holding))
    return Entitlement(tuple(rule.agreement for rule in holding), withhold, pseudonymise - withhold)


def split(pointers: frozenset[str]) -> Pointers:
    """Split pointers for `views.redact`, in an order that does not change."""
    return tuple(pointer_pattern(pointer) for pointer in sorted(pointers))
