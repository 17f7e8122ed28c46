"""Results as the XML that CI systems read."""

from collections.abc import Iterable
from xml.etree import ElementTree

from pymesh.simulation.cases import CaseFile, Outcome


def junit_xml(results: Iterable[tuple[CaseFile, list[Outcome]]]) -> bytes:
    """A suite for each file, a case for each case; what differs is the failure's text."""
    root = ElementTree.Element("testsuites")
    for file, outcomes in results:
        failed = sum(bool(outcome.differences) for outcome in outcomes)
        counts = {"tests": str(len(outcomes)), "failures": str(failed), "errors": "0", "skipped": "0"}
        suite = ElementTree.SubElement(root, "testsuite", {"name": file.path, **counts})
        for outcome in outcomes:
            _add_case(suite, file, outcome)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _add_case(suite: ElementTree.Element, file: CaseFile, outcome: Outcome) -> None:
    names = {"classname": file.path, "name": outcome.case.name, "file": file.path}
    line = outcome.case.place.rpartition(":")[2]
    case = ElementTree.SubElement(suite, "testcase", {**names, "line": line, "time": "0"})
    if outcome.differences:
        failure = ElementTree.SubElement(case, "failure", {"message": _printable(outcome.differences[0])})
        failure.text = _printable("\n".join(outcome.differences))


def _printable(text: str) -> str:
    """XML 1.0 has no control characters."""
    return "".join(character if character.isprintable() or character in "\n\t" else "?" for character in text)
