"""Listeners, filter chains, and the two things a downstream connection can be: HTTP streams or a TCP proxy."""
