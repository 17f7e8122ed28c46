from pymesh.control.model.destination_rule import OutlierDetection
from pymesh.control.translate.outlier_detection import build_outlier_detection


def test_without_the_block_there_is_none():
    assert build_outlier_detection(None) == {}


def test_empty_block_leaves_envoys_defaults_and_no_panic():
    assert build_outlier_detection(OutlierDetection()) == {
        "outlier_detection": {"enforcing_success_rate": 0},
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
    }


def test_zero_of_a_set_counter_disables_it():
    fields = build_outlier_detection(OutlierDetection(consecutive_5xx_errors=0, consecutive_gateway_errors=0))
    assert fields["outlier_detection"] == {
        "enforcing_success_rate": 0,
        "enforcing_consecutive_5xx": 0,
        "enforcing_consecutive_gateway_failure": 0,
    }


def test_set_counter_is_enforced():
    fields = build_outlier_detection(OutlierDetection(consecutive_gateway_errors=3))["outlier_detection"]
    assert (fields["consecutive_gateway_failure"], fields["enforcing_consecutive_gateway_failure"]) == (3, 100)


def test_deprecated_counter_is_for_5xx():
    assert build_outlier_detection(OutlierDetection(consecutive_errors=9))["outlier_detection"]["consecutive_5xx"] == 9
