"""String, header, query and path matchers, compiled once. Pure."""
