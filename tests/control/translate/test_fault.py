from pymesh.control.model.messages import Percent
from pymesh.control.model.virtual_service import Abort, Delay, HTTPFaultInjection
from pymesh.control.translate.fault import build_fault


def test_no_percentage_is_zero_percent():
    fault = build_fault(HTTPFaultInjection(abort=Abort(http_status=500)))
    assert fault is not None
    assert fault["abort"]["percentage"]["numerator"] == 0


def test_grpc_status_is_written_as_its_number():
    fault = build_fault(HTTPFaultInjection(abort=Abort(grpc_status="UNAVAILABLE", percentage=Percent(100))))
    assert fault is not None
    assert fault["abort"]["grpc_status"] == 14


def test_exponential_delay_and_http2_error_have_no_effect():
    assert build_fault(HTTPFaultInjection(delay=Delay(exponential_delay="1s"), abort=Abort(http2_error="x"))) is None


def test_percentage_is_exact_to_a_ten_thousandth():
    fault = build_fault(HTTPFaultInjection(delay=Delay(fixed_delay="10ms", percentage=Percent(0.0001))))
    assert fault is not None
    assert fault["delay"] == {"fixed_delay": "0.01s", "percentage": {"numerator": 1, "denominator": "MILLION"}}
