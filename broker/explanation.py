"""Explains agreements: who would get a message and why, who may see what of whom, what a change does. Pure.

Owns the rows that `cbm explain`, `cbm check` and `cbm agreements diff` show. Never decides: it asks the same
code that decides.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import orjson

from broker.agreements import Agreements, Rule
from broker.conditions import Where
from broker.decision import views_of
from broker.settings import TYPES, Agreement, Settings
from schemas import Message

# An agreement that ends so soon wants renewing.
ENDS_SOON = timedelta(days=60)


def recipients(
    settings: Settings, agreements: Agreements, message: Message, body: bytes, today: date
) -> list[dict[str, Any]]:
    """Return a row for each other agency: whether it receives the message, what is kept from it, and why."""
    allowed = agreements.entitlements(message, today)
    withheld: dict[str, list[str]] = {}
    for view in views_of(message, body, allowed, agreements.token_secret):
        for recipient in view.recipients:
            withheld[recipient] = _withheld(view.body) if view.body is not body else []
    rows: list[dict[str, Any]] = []
    for agency in settings.agency:
        if agency.id == message.source:
            continue
        entitlement = allowed.get(agency.id)
        row: dict[str, Any] = {"agency": agency.id, "receives": entitlement is not None}
        if entitlement is None:
            row["why"] = agreements.why_not(message, agency.id, today)
        else:
            row |= {
                "agreement": [agreement.id for agreement in entitlement.agreements],
                "purpose": [agreement.purpose for agreement in entitlement.agreements],
                "legal_basis": [agreement.legal_basis for agreement in entitlement.agreements],
                "withheld": withheld[agency.id],
                "why": [reason for agreement in entitlement.agreements for reason in _restrictions(agreement)],
            }
        rows.append(row)
    return rows


def _restrictions(agreement: Agreement) -> Iterable[str]:
    if agreement.withhold:
        yield f"{agreement.id} withholds {', '.join(agreement.withhold)}"
    if agreement.pseudonymise:
        yield f"{agreement.id} gives tokens for {', '.join(agreement.pseudonymise)}"


def _withheld(body: bytes) -> list[str]:
    return str(orjson.loads(body)["withheld"]).split()


def matrix(settings: Settings, agreements: Agreements) -> list[dict[str, Any]]:
    """Return who may see which types of whom, a row for each sender, recipient and agreement."""
    rows: list[dict[str, Any]] = []
    for sender in settings.agency:
        by: dict[tuple[str, str], tuple[Agreement, set[str]]] = {}
        for type_ in TYPES:
            if not agreements.may_publish(sender.id, type_):
                continue
            for to, rules in agreements.considered(sender.id, type_):
                for rule in rules:
                    by.setdefault((to, rule.agreement.id), (rule.agreement, set()))[1].add(type_)
        for (to, id_), (agreement, types) in sorted(by.items()):
            rows.append(
                {
                    "from": sender.id,
                    "to": to,
                    "types": families(types),
                    "where": agreement.where.model_dump(exclude_none=True) if agreement.where else {},
                    "withhold": list(agreement.withhold),
                    "pseudonymise": list(agreement.pseudonymise),
                    "up_to_tlp": str(agreement.max_tlp),
                    "agreement": id_,
                    "purpose": agreement.purpose,
                    "legal_basis": agreement.legal_basis,
                    "valid_from": str(agreement.valid_from) if agreement.valid_from else None,
                    "valid_until": str(agreement.valid_until) if agreement.valid_until else None,
                }
            )
    return rows


def told(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the matrix as people read it: what, without what, and under which agreement."""
    return {
        "from": row["from"],
        "to": row["to"],
        "sees": [*row["types"], *(f"where {name}: {_listed(value)}" for name, value in row["where"].items())],
        "kept_back": [*row["withhold"], *(f"token for {pointer}" for pointer in row["pseudonymise"])],
        "under": [
            row["agreement"],
            row["purpose"],
            row["legal_basis"],
            f"up to TLP:{row['up_to_tlp']}",
            *(f"{word} {row[key]}" for word, key in (("from", "valid_from"), ("until", "valid_until")) if row[key]),
        ],
    }


def _listed(value: str | Iterable[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def families(types: Iterable[str]) -> list[str]:
    """Write a set of types short: `shipment.*` where it is all of them."""
    given, found = set(types), []
    for family in ("alert", "shipment"):
        every = {type_ for type_ in TYPES if type_.startswith(family + ".")}
        found += [f"{family}.*"] if every <= given else sorted(every & given)
    return found


def warnings(settings: Settings, agreements: Agreements, today: date) -> list[str]:
    """Return what is not wrong but wants a look."""
    rows = matrix(settings, agreements)
    hearing, used = {row["to"] for row in rows}, {row["agreement"] for row in rows}
    deaf = [agency.id for agency in settings.agency if agency.id not in hearing]
    found = [f"{id_} hears nothing: no agreement names it" for id_ in deaf]
    for agreement in settings.agreement:
        if agreement.valid_until is not None and agreement.valid_until < today:
            found.append(f"agreement {agreement.id} ended on {agreement.valid_until}")
        elif agreement.valid_until is not None and agreement.valid_until - today <= ENDS_SOON:
            found.append(f"agreement {agreement.id} ends on {agreement.valid_until}, within {ENDS_SOON.days} days")
        if agreement.id not in used:
            found.append(f"agreement {agreement.id} matches nothing that its agencies may publish")
    return found + _ending_keys(settings, today) + _overlaps(settings, agreements)


def _ending_keys(settings: Settings, today: date) -> list[str]:
    """An agency whose last key ends soon will have its messages refused; keys that others follow may end."""
    found: list[str] = []
    for agency in settings.agency:
        last = max((key.valid_until or date.max for key in agency.key), default=date.max)
        if last < today:
            found.append(f"{agency.id}: its last key ended on {last}; what it signs is refused")
        elif last - today <= ENDS_SOON:
            found.append(f"{agency.id}: its last key ends on {last}, within {ENDS_SOON.days} days")
    return found


def _overlaps(settings: Settings, agreements: Agreements) -> list[str]:
    """Where two agreements can hold for the same message and differ, the stricter counts: say so."""
    found: dict[tuple[str, ...], set[str]] = {}
    for sender in settings.agency:
        for type_ in TYPES:
            for to, rules in agreements.considered(sender.id, type_):
                for index, one in enumerate(rules):
                    for other in rules[index + 1 :]:
                        differing = tuple(_differing(one, other))
                        if differing:
                            key = (sender.id, to, one.agreement.id, other.agreement.id, *differing)
                            found.setdefault(key, set()).add(type_)
    return [
        f"{one} and {other} both let {to} see {', '.join(families(types))} of {sender} and differ in "
        f"{', '.join(differing)}: where both hold, the stricter counts"
        for (sender, to, one, other, *differing), types in found.items()
    ]


def _differing(one: Rule, other: Rule) -> Iterable[str]:
    if one.sensitivity != other.sensitivity:
        yield "max_tlp"
    if one.entitlement.withhold != other.entitlement.withhold:
        yield "withhold"
    if one.entitlement.pseudonymise != other.entitlement.pseudonymise:
        yield "pseudonymise"


def differences(old: Settings, new: Settings) -> list[dict[str, Any]]:
    """Return whose view of whom widens or narrows from one configuration to another.

    A row for each sender, recipient and set of types that the change touches. `widens` and `narrows` list
    what does; a change that does both, or whose conditions cannot be compared, says so under `changes`.
    """
    before, after = _terms(old), _terms(new)
    grouped: dict[tuple[str, str, str, tuple[str, ...]], list[str]] = {}
    for key in sorted(before.keys() | after.keys()):
        sender, to, type_ = key
        verdict, details = _compared(before.get(key), after.get(key))
        if details:
            grouped.setdefault((sender, to, verdict, tuple(details)), []).append(type_)
    return [
        {"from": sender, "to": to, "types": families(types), "change": verdict, "details": list(details)}
        for (sender, to, verdict, details), types in grouped.items()
    ]


def _terms(settings: Settings) -> dict[tuple[str, str, str], tuple[Rule, ...]]:
    agreements = Agreements.of(settings)
    return {
        (sender.id, to, type_): rules
        for sender in settings.agency
        for type_ in TYPES
        if agreements.may_publish(sender.id, type_)
        for to, rules in agreements.considered(sender.id, type_)
    }


def _compared(old: tuple[Rule, ...] | None, new: tuple[Rule, ...] | None) -> tuple[str, list[str]]:
    if old is None or new is None:
        rules = new if old is None else old
        ids = ", ".join(rule.agreement.id for rule in rules or ())
        return ("widens", [f"newly under {ids}"]) if old is None else ("narrows", [f"no longer under {ids}"])
    wider: list[str] = []
    narrower: list[str] = []
    other: list[str] = []
    caps = [min((rule.agreement.max_tlp for rule in rules), key=lambda tlp: tlp.sensitivity) for rules in (old, new)]
    if caps[0] is not caps[1]:
        more = caps[1].sensitivity > caps[0].sensitivity
        (wider if more else narrower).append(f"up to TLP:{caps[1]} instead of TLP:{caps[0]}")
    for name in ("withhold", "pseudonymise"):
        had: frozenset[str] = frozenset().union(*(getattr(rule.entitlement, name) for rule in old))
        has: frozenset[str] = frozenset().union(*(getattr(rule.entitlement, name) for rule in new))
        does = {"withhold": "withheld", "pseudonymise": "given as a token"}[name]
        narrower += [f"{pointer} is {does}" for pointer in sorted(has - had)]
        wider += [f"{pointer} is no longer {does}" for pointer in sorted(had - has)]
    firsts = min(rule.first for rule in old), min(rule.first for rule in new)
    lasts = max(rule.last for rule in old), max(rule.last for rule in new)
    if firsts[0] != firsts[1]:
        (wider if firsts[1] < firsts[0] else narrower).append(_days("from", *firsts))
    if lasts[0] != lasts[1]:
        (wider if lasts[1] > lasts[0] else narrower).append(_days("until", *lasts))
    _compare_conditions(old, new, wider, narrower, other)
    if other or (wider and narrower):
        return "changes", wider + narrower + other
    return ("widens", wider) if wider else ("narrows", narrower)


def _compare_conditions(
    old: tuple[Rule, ...], new: tuple[Rule, ...], wider: list[str], narrower: list[str], other: list[str]
) -> None:
    """One agreement that holds is enough to share: with one that has no conditions, they are met always."""
    had, has = ({rule.agreement.where for rule in rules} for rules in (old, new))
    words = f"{_conditions(new)} instead of {_conditions(old)}"
    if None not in had and None in has:
        wider.append(words)
    elif None in had and None not in has:
        narrower.append(words)
    elif None not in had and had != has:
        (wider if had < has else narrower if has < had else other).append(words)
    elif not (wider or narrower) and _restricting(old) != _restricting(new):
        other.append(f"the same is kept back, of other messages: {words}")


def _conditions(rules: tuple[Rule, ...]) -> str:
    """Write when one of several agreements holds."""
    return " or ".join(dict.fromkeys(conditions_in_words(rule.agreement.where) for rule in rules))


def conditions_in_words(where: Where | None) -> str:
    """Write a `where` on one line."""
    if where is None:
        return "without conditions"
    given = where.model_dump(exclude_none=True)
    texts = (f"{name} {_listed(value)}" for name, value in given.items())
    return "where " + " and ".join(texts)


def _days(word: str, before: date, now: date) -> str:
    missing = {date.min: "without a first day", date.max: "without an end"}
    return " instead of ".join(missing.get(one, f"{word} {one}") for one in (now, before))


def _restricting(rules: tuple[Rule, ...]) -> set[object]:
    most = max(rule.sensitivity for rule in rules)
    return {
        (rule.agreement.where, rule.entitlement.withhold, rule.entitlement.pseudonymise, rule.sensitivity)
        for rule in rules
        if not rule.entitlement.is_whole or rule.sensitivity < most
    }
