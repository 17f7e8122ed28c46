from pymesh.control.analysis import message_types
from pymesh.control.analysis.analyzed_mesh import AnalyzedMesh
from pymesh.control.analysis.analyzers import ANALYZERS, Analyzer, analyze
from pymesh.control.analysis.message import MessageType, report
from pymesh.control.model.resource import Key

_KEY = Key("VirtualService", "default", "reviews")
_FOUND = [
    report(message_types.SCHEMA_WARNING, _KEY, "spec.http[10]", "late"),
    report(message_types.SCHEMA_WARNING, _KEY, "spec.http[9]", "early"),
    report(message_types.SERVICE_ENTRY_ADDRESSES_REQUIRED, _KEY, ""),
    report(message_types.SCHEMA_VALIDATION_ERROR, _KEY, "spec", "bad"),
]


def test_the_most_severe_messages_come_first_then_codes_then_places() -> None:
    found = analyze(AnalyzedMesh({}), [Analyzer("test", "", lambda _: _FOUND)])
    assert [(one.type.code, one.path) for one in found] == [
        ("IST0106", "spec"),
        ("IST0133", "spec.http[9]"),
        ("IST0133", "spec.http[10]"),
        ("IST0134", ""),
    ]


def test_what_two_analyzers_find_is_told_once() -> None:
    both = [Analyzer(name, "", lambda _: _FOUND[:1]) for name in ("a", "b")]
    assert analyze(AnalyzedMesh({}), both) == _FOUND[:1]


def test_names_of_analyzers_and_codes_are_unique() -> None:
    names = [analyzer.name for analyzer in ANALYZERS]
    assert len(names) == len(set(names))
    codes = [one.code for one in vars(message_types).values() if isinstance(one, MessageType)]
    assert len(codes) == len(set(codes))


def test_an_empty_mesh_has_no_messages() -> None:
    assert analyze(AnalyzedMesh({})) == []
