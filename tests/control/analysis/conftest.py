"""YAML in, findings out: `codes` in the order in which they are told, `places` with object and line."""

from collections.abc import Callable
from datetime import UTC, datetime
from textwrap import dedent
from typing import NamedTuple

import pytest

from pymesh.control.analysis.analyzers import analyze
from pymesh.control.analysis.collector import Collector
from pymesh.control.analysis.message import Message


class Findings(NamedTuple):
    messages: list[Message]
    collector: Collector

    @property
    def codes(self) -> list[str]:
        return [message.type.code for message in self.messages]

    def of(self, code: str) -> list[str]:
        """`VirtualService default/reviews:12`, of each message with the code."""
        return [self._place(message) for message in self.messages if message.type.code == code]

    def texts(self, code: str) -> list[str]:
        return [message.text for message in self.messages if message.type.code == code]

    def _place(self, message: Message) -> str:
        return f"{message.origin}:{self.collector.sources[message.key].line_of(message.path)}"


Analyze = Callable[..., Findings]


@pytest.fixture
def analyzed() -> Analyze:
    def run(*texts: str) -> Findings:
        """The texts are one file; a text's first line may be empty, which does not count."""
        collector = Collector()
        collector.add_text("mesh.yaml", "".join(dedent(text).lstrip("\n") for text in texts))
        return Findings(analyze(collector.build(now=datetime.now(UTC))), collector)

    return run
