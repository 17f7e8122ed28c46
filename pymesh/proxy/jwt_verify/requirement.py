"""Which tokens a request must have: providers joined by any and all. Envoy: verifier.cc."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pymesh.proxy.jwt_verify.locations import Carrier, Extractor, FoundToken, remove
from pymesh.proxy.jwt_verify.provider import Provider, claim_text
from pymesh.proxy.jwt_verify.status import Status
from pymesh.proxy.jwt_verify.token import Token, TokenError, parse_token


@dataclass(frozen=True, slots=True)
class ByProvider:
    name: str


@dataclass(frozen=True, slots=True)
class AnyOf:
    requirements: tuple["Requirement", ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    requirements: tuple["Requirement", ...]


@dataclass(frozen=True, slots=True)
class AllowMissing:
    """Without a token it is met; tokens that are there must be good. `or_failed`: or not even that."""

    or_failed: bool = False


Requirement = ByProvider | AnyOf | AllOf | AllowMissing


class Verification(NamedTuple):
    """One request that is being verified: what verified tokens say goes into `metadata`."""

    carrier: Carrier
    now: float
    metadata: dict[str, object]


Verify = Callable[[Verification], Status]


def compile_requirement(requirement: Requirement, providers: Mapping[str, Provider], names: tuple[str, ...]) -> Verify:
    """`names` are the providers of which an AllowMissing speaks."""
    if isinstance(requirement, ByProvider):
        return _by_provider(providers[requirement.name])
    if isinstance(requirement, AnyOf):
        return _any_of(requirement, providers)
    if isinstance(requirement, AllOf):
        return _all_of([compile_requirement(item, providers, ()) for item in requirement.requirements])
    return _allow_missing(requirement, [providers[name] for name in names] or list(providers.values()))


def _by_provider(provider: Provider) -> Verify:
    extractor = _extractor([provider])

    def verify(verification: Verification) -> Status:
        found = extractor.find(verification.carrier)
        status = Status.MISSED
        for one in reversed(found):  # all tokens must be good: the application may take any of them
            status = _verify(one, provider, verification)
            if status is not Status.OK:
                return status
        return status

    return verify


def _any_of(requirement: AnyOf, providers: Mapping[str, Provider]) -> Verify:
    """Whoever may be missing is asked last, about the tokens of the providers beside it."""
    names = tuple(item.name for item in requirement.requirements if isinstance(item, ByProvider))
    ordered = sorted(requirement.requirements, key=lambda item: isinstance(item, AllowMissing))
    parts = [compile_requirement(item, providers, names) for item in ordered]

    def verify(verification: Verification) -> Status:
        worst = Status.MISSED
        for part in parts:
            status = part(verification)
            if status is Status.OK:
                return status
            worst = status if _rank(status) >= _rank(worst) else worst
        return worst

    return verify


def _rank(status: Status) -> int:
    """That a token was bad says more than that there was none, or none of a provider."""
    return {Status.MISSED: 0, Status.UNKNOWN_ISSUER: 1}.get(status, 2)


def _all_of(parts: list[Verify]) -> Verify:
    def verify(verification: Verification) -> Status:
        statuses = (part(verification) for part in parts)
        return next((status for status in statuses if status is not Status.OK), Status.OK)

    return verify


def _allow_missing(requirement: AllowMissing, providers: list[Provider]) -> Verify:
    extractor = _extractor(providers)
    by_issuer = {provider.config.issuer: provider for provider in reversed(providers)}

    def verify(verification: Verification) -> Status:
        last = Status.OK
        for one in reversed(extractor.find(verification.carrier)):
            status = _verify_by_issuer(one, by_issuer, verification)
            last = status if status is not Status.OK else last
        return Status.OK if requirement.or_failed else last

    return verify


def _extractor(providers: list[Provider]) -> Extractor:
    return Extractor((provider.config.issuer, provider.config.locations) for provider in providers)


def _verify_by_issuer(found: FoundToken, by_issuer: Mapping[str, Provider], verification: Verification) -> Status:
    try:
        issuer = parse_token(found.text).issuer
    except TokenError as error:
        return error.status
    provider = by_issuer.get(issuer) or by_issuer.get("")
    return _verify(found, provider, verification) if provider is not None else Status.UNKNOWN_ISSUER


def _verify(found: FoundToken, provider: Provider, verification: Verification) -> Status:
    try:
        token = provider.read(found.text)
    except TokenError as error:
        return error.status
    if found.issuers is not None and token.issuer not in found.issuers:
        return Status.UNKNOWN_ISSUER
    status = provider.verify(found.text, token, verification.now)
    if status is Status.OK:
        _hand_on(token, found, provider, verification)
    return status


def _hand_on(token: Token, found: FoundToken, provider: Provider, verification: Verification) -> None:
    """What of a good token goes upstream, and to the filters behind."""
    config, carrier = provider.config, verification.carrier
    if config.payload_header:
        padding = b"=" * (-len(token.payload_text) % 4) if config.pads_payload else b""
        carrier.headers.add(config.payload_header.lower().encode(), token.payload_text + padding)
    for header in config.claim_headers:
        text = claim_text(token.payload, header.claim)
        if text:
            carrier.headers.add(header.header.lower().encode(), text.encode())
    if not config.is_forwarded:
        remove(carrier, found.location)
    if config.payload_key:
        verification.metadata[config.payload_key] = provider.metadata(token)
