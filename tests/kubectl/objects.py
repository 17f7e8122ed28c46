"""The objects of these tests."""

VIRTUAL_SERVICE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, labels: {app: reviews}}
spec:
  hosts: [reviews]
  http:
  - timeout: 3s
    route:
    - {destination: {host: reviews, subset: v1}, weight: 75}
    - {destination: {host: reviews, subset: v2}, weight: 25}
"""

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec:
  ports: [{port: 9080, name: http}, {port: 9443, name: https}]
  selector: {app: reviews}
"""

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews-v1}
spec: {template: {spec: {containers: [{name: reviews, image: reviews}]}}}
"""

OLD_DEPLOYMENT = DEPLOYMENT.replace("apps/v1", "extensions/v1beta1")

SAMPLE = "---\n".join((SERVICE, DEPLOYMENT, VIRTUAL_SERVICE))

NAME = "virtualservice.networking.istio.io/reviews"
