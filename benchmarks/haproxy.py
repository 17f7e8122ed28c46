"""HAProxy's configuration: one thread, HTTP or TCP, in front of one server of this machine."""

from pathlib import Path

_CONFIG = """
global
  nbthread 1
defaults
  mode {mode}
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen front
  bind 127.0.0.1:{port}
  {options}
  server backend 127.0.0.1:{upstream}
"""
_HTTP = "http-reuse always"


def write_config(file: Path, port: int, upstream: int, mode: str) -> Path:
    options = _HTTP if mode == "http" else ""
    file.write_text(_CONFIG.format(mode=mode, port=port, upstream=upstream, options=options))
    return file
