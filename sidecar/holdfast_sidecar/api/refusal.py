"""How a call ends that cannot be served: with the status and the text of the one table."""

from __future__ import annotations

from typing import Final

from holdfast_kit.rpc.status import Aborted
from holdfast_sidecar.api.status import answer_to

TEXT_MAX: Final = 2_000  # characters of an error; with more the answer does not fit into what clients take as trailers


def refusal(error: Exception) -> Aborted:
    """To be raised by a handler."""
    answer = answer_to(error)
    return Aborted(answer.code, answer.text[:TEXT_MAX])
