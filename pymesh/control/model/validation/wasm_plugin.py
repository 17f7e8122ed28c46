"""Rules of a WasmPlugin, which is stored and not obeyed."""

from pymesh.control.model.resource import Metadata
from pymesh.control.model.scope import Scope
from pymesh.control.model.wasm_plugin import WasmPlugin


def check_wasm_plugin(spec: WasmPlugin, metadata: Metadata, at: Scope) -> None:
    at.warn("has no effect: pymesh's proxies run no WebAssembly and do not obey a WasmPlugin")
