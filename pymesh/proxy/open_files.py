"""The limit of open files: a proxy raises its own as far as it may, and its application gets what was there before."""

import resource

INHERITED = resource.getrlimit(resource.RLIMIT_NOFILE)


def raise_file_limit() -> int:
    """How many files this process may have open from now on: its hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def restore_file_limit() -> None:
    """For a child that begins: programs that use select(2) cannot live with more files than they expect."""
    resource.setrlimit(resource.RLIMIT_NOFILE, INHERITED)
