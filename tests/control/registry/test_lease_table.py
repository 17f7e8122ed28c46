from pymesh.control.registry.lease_table import LeaseKey, LeaseTable

WEB = LeaseKey("default", "web")


def look_until(leases, start, end):
    """Ask twice a second, as the sweep does."""
    found, now = [], start
    while now < end:
        now += 0.5
        found += [(key, now) for key in leases.expired(now)]
    return found


def test_a_lease_ends_when_it_is_not_renewed():
    leases = LeaseTable(0, lease_seconds=5)
    leases.renew(WEB, 0)
    assert look_until(leases, 0, 5) == []
    assert look_until(leases, 5, 5.5) == [(WEB, 5.5)]


def test_a_renewed_lease_stays():
    leases = LeaseTable(0, lease_seconds=5)
    leases.renew(WEB, 0)
    look_until(leases, 0, 4)
    leases.renew(WEB, 4)
    assert look_until(leases, 4, 8) == []


def test_a_pause_of_the_process_ends_no_lease():
    leases = LeaseTable(0, lease_seconds=5)
    leases.renew(WEB, 0)
    assert leases.expired(60) == []
    assert look_until(leases, 60, 65) == []
    assert look_until(leases, 65, 65.5) == [(WEB, 65.5)]


def test_an_ended_lease_is_not_found_again():
    leases = LeaseTable(0, lease_seconds=5)
    leases.renew(WEB, 0)
    look_until(leases, 0, 6)
    leases.end(WEB)
    assert WEB not in leases
    assert look_until(leases, 6, 8) == []
