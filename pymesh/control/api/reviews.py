"""What `kubectl auth` asks: who am I, and what may I do? Whoever reaches this listener may do everything."""

from typing import Any

from aiohttp import web

from pymesh.control.api.api_resources import ACCESS_REVIEW, RULES_REVIEW
from pymesh.control.api.body import read_object
from pymesh.control.api.responses import respond
from pymesh.control.api.status import RequestError
from pymesh.control.api.target import Target, accepted_of

_ALL = ["*"]
_USER = {"username": "pymesh:loopback", "groups": ["system:masters"]}


async def answer_review(request: web.Request, target: Target) -> web.Response:
    asked = await read_object(request)
    if not isinstance(asked, dict):
        raise RequestError("the body must be an object")
    envelope = {"kind": target.resource.name, "apiVersion": target.api_version, "metadata": {}}
    answer = {**asked, **envelope, "status": _status(target)}
    return respond(answer, accepted_of(request), 201)


def _status(target: Target) -> dict[str, Any]:
    if target.resource is ACCESS_REVIEW:
        return {"allowed": True, "reason": "callers of this listener may do everything"}
    if target.resource is RULES_REVIEW:
        everything = {"verbs": _ALL, "apiGroups": _ALL, "resources": _ALL}
        return {"incomplete": False, "resourceRules": [everything], "nonResourceRules": []}
    return {"userInfo": _USER}
