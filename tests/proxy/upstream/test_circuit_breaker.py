from pymesh.proxy.upstream.circuit_breaker import CircuitBreakers, CircuitBreakerThresholds, RetryBudget


def test_no_more_than_the_limit_is_given_out_and_the_refused_are_counted():
    requests = CircuitBreakers(CircuitBreakerThresholds(max_requests=2)).requests
    assert [requests.try_acquire() for _ in range(4)] == [True, True, False, False]
    assert (requests.active, requests.overflow) == (2, 2)
    requests.release()
    assert requests.try_acquire()


def test_a_limit_of_nothing_refuses_all():
    assert not CircuitBreakers(CircuitBreakerThresholds(max_pending_requests=0)).pending_requests.try_acquire()


def test_new_limits_keep_what_is_counted():
    breakers = CircuitBreakers(CircuitBreakerThresholds(max_connections=1))
    assert breakers.connections.try_acquire()
    breakers.apply(CircuitBreakerThresholds(max_connections=2))
    assert breakers.connections.try_acquire()
    assert not breakers.connections.try_acquire()


def test_a_retry_budget_allows_a_share_of_the_active_requests():
    breakers = CircuitBreakers(CircuitBreakerThresholds(retry_budget=RetryBudget(20.0, 1)))
    for _ in range(10):
        breakers.requests.try_acquire()
    assert [breakers.retries.try_acquire() for _ in range(3)] == [True, True, False]


def test_a_retry_budget_always_allows_its_minimum():
    breakers = CircuitBreakers(CircuitBreakerThresholds(max_retries=0, retry_budget=RetryBudget(20.0, 3)))
    assert [breakers.retries.try_acquire() for _ in range(4)] == [True, True, True, False]


def test_without_a_budget_retries_have_a_number():
    breakers = CircuitBreakers(CircuitBreakerThresholds())
    assert [breakers.retries.try_acquire() for _ in range(4)] == [True, True, True, False]
