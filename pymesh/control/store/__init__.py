"""Where objects live: put, get, list, delete and watch from a revision. One contract, one test suite, any backend."""
