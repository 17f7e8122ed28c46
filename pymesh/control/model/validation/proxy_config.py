"""Rules of a ProxyConfig."""

from pymesh.control.model.proxy_config import ProxyConfig
from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.selector import check_selector

_LONGEST_VALUE = 2048


def check_proxy_config(spec: ProxyConfig, metadata: Metadata, at: Scope) -> None:
    check_selector(spec.selector, at["selector"])
    if spec.concurrency is not None:
        syntax.check_not_negative(spec.concurrency, at["concurrency"])
        at["concurrency"].warn("has no effect: a proxy has as many processes as its flag --concurrency says")
    for name, value in spec.environment_variables.items():
        here = at["environmentVariables"]
        here.require(name and "=" not in name and "\0" not in name, f"{name!r} is not the name of a variable")
        here[name].require("\0" not in value, "must not contain a null character")
        here[name].require(len(value) <= _LONGEST_VALUE, f"must not be longer than {_LONGEST_VALUE} characters")
