"""JSON Web Tokens: where they are, what they say, and whether it is true. No IO.

Cryptography is imported with the first key set, so that a proxy without tokens does not pay for it.
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/jwt_authn_filter
"""
