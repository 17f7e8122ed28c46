"""The reasons for a decision, in lines of text: every candidate that was looked at, and why it was not taken."""

from collections.abc import Iterator

from pymesh.control.model.resource import Key
from pymesh.names import parse_cluster
from pymesh.proxy.downstream import filter_chain_match
from pymesh.proxy.downstream.filter_chain_match import FilterChainMatch
from pymesh.proxy.downstream.listener_config import FilterChainConfig
from pymesh.proxy.routing import route_explanation
from pymesh.proxy.routing.domain_table import DomainTable
from pymesh.proxy.routing.route import Route, VirtualHost
from pymesh.simulation.decision import Decision, FaultInjection, Rule
from pymesh.simulation.files import Configuration
from pymesh.simulation.traffic import Trail

_ERRORS = {
    "no_listener": "no listener takes this address and port",
    "no_filter_chain": "no filter chain takes such a connection",
    "no_virtual_host": "no virtual host has the authority among its domains",
    "no_route": "no route of the virtual host matches",
    "tls_redirect": "the virtual host wants TLS",
    "tls_error": "the filter chain expects TLS, and the client speaks plaintext",
    "mtls_error": "the filter chain expects a client certificate, and the client has none",
    "protocol_error": "the filter chain expects plain HTTP, and the client speaks something else",
    "cluster_not_found": "the route leads to a host, port or subset that does not exist",
    "rbac_denied": "the workload's policies deny it",
}
_REFUSED_TOKEN = "the token is refused, before any AuthorizationPolicy is asked"
_TAKEN, _PASSED_OVER = "->", " -"


def explain(trails: list[Trail], configuration: Configuration) -> list[str]:
    """`trails` of one call. Taken candidates begin with `->`."""
    return [line for trail in trails for line in _Explanation(trail, configuration).lines()]


class _Explanation:
    def __init__(self, trail: Trail, configuration: Configuration) -> None:
        self._trail = trail
        self._decision = trail.decision
        self._configuration = configuration

    def lines(self) -> Iterator[str]:
        trail, call = self._trail, self._trail.call
        request = f"{call.method} {call.authority}{call.target}" if call.is_http else "a TCP connection"
        security = "mTLS" if call.is_mtls else "TLS" if call.is_tls else "plaintext"
        yield f"{trail.direction}: {request} to {trail.address}:{call.port}, {security}"
        yield from self._listeners()
        yield from self._chains()
        yield from self._virtual_hosts()
        yield from self._routes()
        yield from self._outcome()

    def _listeners(self) -> Iterator[str]:
        taken = self._trail.listener.name if self._trail.listener is not None else ""
        is_inbound = self._trail.direction == "inbound"  # all of it goes to one listener
        for name in self._trail.proxy.listener_names():
            if name != taken and not is_inbound:
                yield _line(1, f"listener {name}", "has another address or port")
        if taken:
            yield _line(1, f"listener {taken}")

    def _chains(self) -> Iterator[str]:
        listener, traits, taken = self._trail.listener, self._trail.traits, self._trail.chain
        if listener is None or traits is None:
            return
        for i, chain in enumerate(listener.filter_chains):
            title = f"filter chain {chain.name or i}{_conditions(chain.match)}"
            if chain is taken:
                yield _line(2, f"{title}{self._place(chain)}")
            else:
                reason = filter_chain_match.describe_mismatch(chain.match, traits)
                yield _line(2, title, reason or "another one matches more narrowly")
        if taken is not None and taken is listener.default_filter_chain:
            yield _line(2, "the default filter chain")

    def _virtual_hosts(self) -> Iterator[str]:
        table, request, taken = self._trail.table, self._trail.request, self._decision.virtual_host
        if table is None or request is None:
            return
        yield _line(3, f"route configuration {table.config.name}")
        for host in table.config.virtual_hosts:
            domains = ", ".join(host.domains)
            if host.name == taken:
                yield _line(4, f"virtual host {host.name} ({domains})")
            else:
                reason = "another one has the authority more narrowly"
                if not _has_domain(host, request.authority, table.config.ignore_port_in_host_matching):
                    reason = f"the authority {request.authority.decode(errors='replace')} is none of {domains}"
                yield _line(4, f"virtual host {host.name}", reason)

    def _routes(self) -> Iterator[str]:
        table, request = self._trail.table, self._trail.request
        if table is None or request is None:
            return
        authority = self._trail.call.authority.encode()
        host = table.virtual_host(authority)
        for route in host.routes if host is not None and self._decision.error != "tls_redirect" else ():
            title = f"route {route.name or '(without a name)'}{self._place(route)}"
            if self._trail.match is not None and route is self._trail.match.route:
                yield _line(5, title)
                return
            yield _line(5, title, route_explanation.describe_mismatch(route.match, request, self._trail.call.random))

    def _place(self, made: Route | FilterChainConfig) -> str:
        rule = self._trail.proxy.rule_of(made)
        return f" of {place_of(rule, self._configuration)}" if rule is not None else ""

    def _outcome(self) -> Iterator[str]:
        decision = self._decision
        for line in _outcomes(decision, self._trail.call.random):
            yield _line(6, line)
        if self._trail.direction == "inbound" and decision.inbound is not None:
            yield from (_line(6, line) for line in _verdicts(decision))
        error = decision.error
        if error and not (self._trail.direction != "inbound" and decision.inbound_decision is not None):
            is_token = decision.inbound is not None and decision.inbound.authn == "DENY"
            yield _line(6, f"error {error}: {_REFUSED_TOKEN if is_token else _ERRORS[error]}")


def place_of(rule: Rule, configuration: Configuration) -> str:
    """`VirtualService default/reviews http[0] (reviews.yaml:12)`."""
    place = configuration.place(rule.key, f"spec.{rule.path}")
    return f"{_title(rule.key)} {rule.path}" + (f" ({place})" if place else "")


def _title(key: Key) -> str:
    return f"{key.kind} {key.namespace}/{key.name}"


def _outcomes(decision: Decision, random_value: float) -> Iterator[str]:
    if decision.fault is not None:
        yield from _faults(decision.fault)
    if decision.redirect is not None:
        yield f"redirect {decision.redirect.code} to {decision.redirect.location}"
    if decision.direct_response is not None:
        yield f"direct response {decision.direct_response.status}"
    if decision.cluster is None:
        return
    if decision.weights is not None:
        total = sum(decision.weights.values())
        shares = ", ".join(f"{_short(name)} {weight}/{total}" for name, weight in decision.weights.items())
        yield f"weights {shares}; the random number is {random_value:g}"
    yield f"cluster {decision.cluster}"
    if decision.rewritten is not None:
        rewritten = decision.rewritten
        yield f"as {rewritten.method} {rewritten.authority}{rewritten.path}"
    if decision.timeout or decision.retries:
        attempts = f", {decision.retries.attempts} retries on {decision.retries.retry_on}" if decision.retries else ""
        yield f"timeout {decision.timeout or 'none'}{attempts}"
    for mirror in decision.mirrors or ():
        yield f"mirror {mirror.cluster}, {mirror.percentage:g} %"
    if decision.error != "cluster_not_found" and decision.endpoints is not None:
        yield f"endpoints {', '.join(decision.endpoints or ()) or 'none in these files'}"


def _verdicts(decision: Decision) -> Iterator[str]:
    inbound = decision.inbound
    assert inbound is not None
    yield f"mTLS: {inbound.mtls.replace('_', ' ')}"
    if inbound.authn not in (None, "NONE"):
        yield f"token: {inbound.authn} {inbound.request_principal or inbound.reason or ''}".rstrip()
    if inbound.authz is not None:
        yield f"authorization: {inbound.authz.verdict}" + (
            f" by {inbound.authz.policy}" if inbound.authz.policy else ""
        )


def _short(cluster: str) -> str:
    parsed = parse_cluster(cluster)
    return (parsed.subset or parsed.host) if parsed is not None else cluster


def _faults(fault: FaultInjection) -> Iterator[str]:
    if fault.delay is not None:
        yield f"delay {fault.delay.fixed_delay} for {fault.delay.percentage:g} %"
    if fault.abort is not None:
        status = fault.abort.http_status or f"gRPC status {fault.abort.grpc_status}"
        yield f"abort with {status} for {fault.abort.percentage:g} %"


def _conditions(match: FilterChainMatch) -> str:
    said = [
        f"port {match.destination_port}" if match.destination_port else "",
        ", ".join(map(str, match.prefix_ranges)),
        ", ".join(match.server_names),
        match.transport_protocol,
        ", ".join(match.application_protocols),
    ]
    text = "; ".join(filter(None, said))
    return f" [{text}]" if text else ""


def _has_domain(host: VirtualHost, authority: bytes, ignores_port: bool) -> bool:
    table = DomainTable[bool](ignores_port)
    for domain in host.domains:
        table.add(domain, True)
    return bool(table.find(authority))


def _line(depth: int, title: str, reason: str = "") -> str:
    return f"{'  ' * depth}{_PASSED_OVER if reason else _TAKEN} {title}{f': {reason}' if reason else ''}"
