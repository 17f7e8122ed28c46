"""Role-based access control: policies compiled to one predicate on a call. Pure.

https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/rbac_filter
"""
