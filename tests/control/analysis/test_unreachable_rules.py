from tests.control.analysis.conftest import Analyze

_REVIEWS = """---
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {ports: [{name: http, port: 9080}]}
"""


def test_a_rule_after_one_that_matches_everything_is_not_used(analyzed: Analyze) -> None:
    text = """
    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: reviews}
    spec:
      hosts: [reviews]
      http:
      - route: [{destination: {host: reviews}}]
      - name: late
        match: [{uri: {prefix: /late}}]
        route: [{destination: {host: reviews}}]
    """
    found = analyzed(text, _REVIEWS)
    assert (found.codes, found.of("IST0130")) == (["IST0130"], ["VirtualService default/reviews:8"])
    assert found.texts("IST0130") == ['VirtualService rule "late" is not used (route 0 before it matches everything).']


def test_a_match_that_another_rule_has_is_not_used(analyzed: Analyze) -> None:
    text = """
    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: reviews}
    spec:
      hosts: [reviews]
      http:
      - match: [{uri: {prefix: /a}}]
        route: [{destination: {host: reviews}}]
      - match:
        - uri: {exact: /a/b}
        - uri: {exact: /c}
        route: [{destination: {host: reviews}}]
    """
    found = analyzed(text, _REVIEWS)
    assert (found.codes, found.of("IST0131")) == (["IST0131"], ["VirtualService default/reviews:10"])


def test_a_rule_whose_matches_are_all_another_rules_is_not_used(analyzed: Analyze) -> None:
    text = """
    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: reviews}
    spec:
      hosts: [reviews]
      http:
      - match: [{uri: {prefix: /a}}]
        route: [{destination: {host: reviews}}]
      - match:
        - uri: {prefix: /a}
        - uri: {prefix: /a/b}
        route: [{destination: {host: reviews}}]
    """
    found = analyzed(text, _REVIEWS)
    assert found.of("IST0130") == ["VirtualService default/reviews:9"]
    assert found.of("IST0131") == ["VirtualService default/reviews:10", "VirtualService default/reviews:11"]


def test_a_tcp_rule_with_the_match_of_another_is_not_used(analyzed: Analyze) -> None:
    text = """
    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: reviews}
    spec:
      hosts: [reviews]
      tcp:
      - match: [{port: 9080}]
        route: [{destination: {host: reviews}}]
      - match: [{port: 9080}]
        route: [{destination: {host: reviews}}]
    """
    assert analyzed(text, _REVIEWS).of("IST0130") == ["VirtualService default/reviews:9"]


def test_rules_with_matches_of_their_own_are_used(analyzed: Analyze) -> None:
    text = """
    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata: {name: reviews}
    spec:
      hosts: [reviews]
      http:
      - match: [{uri: {prefix: /a}, method: {exact: GET}}]
        route: [{destination: {host: reviews}}]
      - match: [{uri: {prefix: /a}, method: {exact: POST}}]
        route: [{destination: {host: reviews}}]
      - route: [{destination: {host: reviews}}]
    """
    assert analyzed(text, _REVIEWS).codes == []
