"""The mesh CA: root key, join tokens, and certificates for CSRs."""
