"""An external authorizer by Google's gRPC library, which speaks Envoy's own messages."""

from collections.abc import Callable
from typing import Any

import grpc
from envoy.service.auth.v3 import external_auth_pb2 as auth


class Authorizer:
    """`answer` makes the response; what was asked is in `questions`."""

    def __init__(self) -> None:
        self.answer: Callable[[Any], Any] = lambda question: auth.CheckResponse()
        self.questions: list[Any] = []
        self.metadata: dict[str, str] = {}
        self.port = 0
        self._server: Any = None

    async def start(self) -> None:
        self._server = grpc.aio.server()
        check = grpc.unary_unary_rpc_method_handler(
            self._check,
            request_deserializer=auth.CheckRequest.FromString,
            response_serializer=auth.CheckResponse.SerializeToString,
        )
        service = grpc.method_handlers_generic_handler("envoy.service.auth.v3.Authorization", {"Check": check})
        self._server.add_generic_rpc_handlers((service,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(None)

    async def _check(self, question: Any, context: Any) -> Any:
        self.questions.append(question)
        self.metadata = dict(context.invocation_metadata())
        answer = self.answer(question)
        if isinstance(answer, grpc.StatusCode):
            await context.abort(answer, "no")
        return answer
