"""How a call ends that cannot be served: with the status and the text of the one table."""

from __future__ import annotations

from typing import Any, Final

import grpc

from holdfast_sidecar.api.status import answer_to

TEXT_MAX: Final = 2_000  # characters of an error; with more the answer does not fit into what clients take as trailers


async def refuse(context: grpc.aio.ServicerContext[Any, Any], error: Exception) -> None:
    """Never returns: the call is over."""
    answer = answer_to(error)
    await context.abort(answer.code, answer.text[:TEXT_MAX])
