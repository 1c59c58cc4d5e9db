"""Who a process is: `spiffe://<trust domain>/ns/<namespace>/app/<app id>`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

_SCHEME = "spiffe://"
_LENGTH_MAX = 2048  # the SPIFFE standard demands support for this much and allows no more
_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")
_SEGMENT = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]+")
_SHAPE = f"{_SCHEME}<trust domain>/ns/<namespace>/app/<app id>"


class InvalidSpiffeId(ValueError):
    """A text that is no identity of ours."""

    def __init__(self, text: str, found: str) -> None:
        super().__init__(f"identity {text[:200]!r}: expected {_SHAPE}, found {found}")
        self.text = text
        self.found = found


class NoSpiffeId(ValueError):
    """A certificate that names nobody, or more than one."""

    def __init__(self, names: tuple[str, ...]) -> None:
        listed = ", ".join(names) or "no names at all"
        super().__init__(
            f"certificate: expected exactly one {_SCHEME} name among its alternative names, found {listed}; "
            f"issue it for {_SHAPE}"
        )
        self.names = names


@dataclass(frozen=True, slots=True)
class SpiffeId:
    """Valid by construction; `str()` gives the URI."""

    trust_domain: str
    namespace: str
    app_id: str

    def __post_init__(self) -> None:
        text = str(self)
        if not _TRUST_DOMAIN.fullmatch(self.trust_domain):
            raise InvalidSpiffeId(text, f"trust domain {self.trust_domain!r}, allowed are a-z, 0-9, '.', '_' and '-'")
        for name, value in (("namespace", self.namespace), ("app id", self.app_id)):
            if not _SEGMENT.fullmatch(value):
                raise InvalidSpiffeId(text, f"{name} {value!r}, allowed are letters, digits, '.', '_' and '-'")
        if len(text) > _LENGTH_MAX:
            raise InvalidSpiffeId(text, f"{len(text)} characters, at most {_LENGTH_MAX} are allowed")

    def __str__(self) -> str:
        return f"{_SCHEME}{self.trust_domain}/ns/{self.namespace}/app/{self.app_id}"

    @classmethod
    def parse(cls, text: str) -> Self:
        if not text.startswith(_SCHEME):
            raise InvalidSpiffeId(text, "another scheme")
        match text.removeprefix(_SCHEME).split("/"):
            case [trust_domain, "ns", namespace, "app", app_id]:
                return cls(trust_domain, namespace, app_id)
            case _:
                raise InvalidSpiffeId(text, "another path")


def identity_of(names: Iterable[str]) -> SpiffeId:
    """The identity among a certificate's subject alternative names; exactly one must be a SPIFFE id."""
    every = tuple(names)
    match [name for name in every if name.startswith(_SCHEME)]:
        case [only]:
            return SpiffeId.parse(only)
        case _:
            raise NoSpiffeId(every)
