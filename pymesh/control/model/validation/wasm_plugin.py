"""Rules of a WasmPlugin, which is stored and not obeyed. Istio: ValidateWasmPlugin in pkg/config/validation."""

import re
from urllib.parse import urlsplit

from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.validation import syntax
from pymesh.control.model.validation.selector import check_one_of_targets
from pymesh.control.model.wasm_plugin import VmConfig, WasmPlugin

_SCHEMES = ("", "file", "http", "https", "oci")
_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f]|%(?![0-9a-fA-F]{2})")
_SHA256 = re.compile(r"[a-f0-9]{64}")
_LONGEST_NAME = 256
_LONGEST_SECRET = 253


def check_wasm_plugin(spec: WasmPlugin, metadata: Metadata, at: Scope) -> None:
    at.warn("has no effect: pymesh's proxies run no WebAssembly and do not obey a WasmPlugin")
    check_one_of_targets(spec.selector, spec.target_ref, spec.target_refs, at)
    _check_url(spec.url, at["url"])
    is_checksum = not spec.sha256 or _SHA256.fullmatch(spec.sha256)
    at["sha256"].require(is_checksum, "must be 64 hexadecimal digits in lower case")
    is_short = len(spec.image_pull_secret) <= _LONGEST_SECRET
    at["imagePullSecret"].require(is_short, f"must not be longer than {_LONGEST_SECRET} characters")
    is_short = len(spec.plugin_name) <= _LONGEST_NAME
    at["pluginName"].require(is_short, f"must not be longer than {_LONGEST_NAME} characters")
    if spec.vm_config is not None:
        _check_environment(spec.vm_config, at["vmConfig"]["env"])
    for index, match in enumerate(spec.match):
        for number, port in enumerate(match.ports):
            syntax.check_port(port.number, at["match"][index]["ports"][number]["number"])


def _check_url(url: str, at: Scope) -> None:
    if not url:
        at.fail("is required")
        return
    try:
        # What has no scheme is the name of an image, which may have a port.
        scheme = urlsplit(url).scheme if "://" in url else ""
    except ValueError:
        at.fail(f"must be a URL, not {url!r}")
        return
    at.require(not _NOT_IN_URLS.search(url), f"must be a URL, not {url!r}")
    at.require(scheme in _SCHEMES, f"must have one of oci, file, http and https, not {scheme}")


def _check_environment(config: VmConfig, at: Scope) -> None:
    for index, variable in enumerate(config.env):
        at[index]["name"].require(variable.name, "is required")
        is_short = len(variable.name) <= _LONGEST_NAME
        at[index]["name"].require(is_short, f"must not be longer than {_LONGEST_NAME} characters")
        is_inline = variable.value_from == "INLINE" or not variable.value
        at[index]["value"].require(is_inline, "can only stand beside valueFrom INLINE")
    syntax.check_unique((variable.name for variable in config.env), at, "variable")
