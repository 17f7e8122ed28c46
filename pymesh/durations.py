"""Durations of a resource that must make sense as timeouts and intervals. Pure."""

from pymesh.protojson import Reader


def read_seconds(reader: Reader, key: str, default: float) -> float:
    """Not negative."""
    value = reader.duration(key)
    if value is not None and value < 0:
        reader.fail(key, "must not be negative")
    return default if value is None else value


def read_positive_seconds(reader: Reader, key: str, default: float) -> float:
    value = read_seconds(reader, key, default)
    return value if value > 0 else reader.fail(key, "must be above 0")
