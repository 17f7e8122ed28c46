"""Workloads that registered themselves: WorkloadEntries under leases, and Services that nobody declared."""
