"""The access logs that listeners are configured with: one AccessLog for each configuration, whoever uses it."""

import json
from weakref import WeakValueDictionary, finalize

from pymesh.proxy.telemetry.access_log import AccessLog, FilteredAccessLog
from pymesh.proxy.telemetry.access_log_config import AccessLogConfig
from pymesh.proxy.telemetry.access_log_format import Format, compile_format, compile_json_format
from pymesh.proxy.telemetry.log_writer import LogWriter


class AccessLogs:
    """A log is open for as long as somebody holds it. `is_shared`: with other processes that log there too."""

    def __init__(self, is_shared: bool = False) -> None:
        self._is_shared = is_shared
        self._past = 0  # dropped by logs that are gone: a counter never goes down
        self._open: WeakValueDictionary[AccessLogConfig, AccessLog] = WeakValueDictionary()

    def get(self, config: AccessLogConfig) -> AccessLog:
        """Raises UsageError where the file cannot be opened."""
        found = self._open.get(config)
        if found is None:
            found = self._open[config] = self._build(config)
            finalize(found, self._on_gone, found.writer).atexit = False
        return found

    def _build(self, config: AccessLogConfig) -> AccessLog:
        line = _compile(config)
        if not config.expression:
            return AccessLog(config.path, line, is_shared=self._is_shared)
        from pymesh.proxy.telemetry.attributes import compile_predicate  # which most proxies never need

        return FilteredAccessLog(config.path, line, compile_predicate(config.expression), is_shared=self._is_shared)

    @property
    def dropped(self) -> int:
        """Lines that were not written."""
        return self._past + sum(log.dropped for log in self._open.values())

    def close(self) -> None:
        """Write what is buffered. Blocks for at most a second a log."""
        for log in tuple(self._open.values()):
            log.close()

    def _on_gone(self, writer: LogWriter) -> None:
        """Nobody can log there any more."""
        self._past += writer.dropped
        writer.release()


def _compile(config: AccessLogConfig) -> Format:
    if config.json_format:
        return compile_json_format(json.loads(config.json_format), config.omits_empty_values)
    return compile_format(config.text_format, config.omits_empty_values)
