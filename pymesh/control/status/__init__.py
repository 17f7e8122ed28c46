"""Whether an object is in force: what proxies say of it, and what stands before it. Written into `status.conditions`
(pymesh.control.model.conditions has their form).

- shadows: which rules others of the same host or scope keep from having an effect. Pure
- rejections: which objects a resource that a proxy refused was made of. Pure
- writer: looks at the store and at the proxies twice a second and writes what has changed
"""
