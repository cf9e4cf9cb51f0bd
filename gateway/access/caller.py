"""Whom credentials name, before it is decided what for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gateway.access.roles import Role, acting_role
from gateway.errors import RoleMissing
from gateway.types import Actor

__all__ = ["Caller", "Origin"]

Origin = Literal["configured", "token", "oidc"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as the credentials tell it.

    Parameters
    ----------
    origin
        Which of the three kinds of tokens named the caller: the configured one, one of the state store, an issuer's.
    token
        Id of the token; never the token itself.
    expires_at
        Unix seconds from which on the credentials are worth nothing; ``None`` for never.
    method
        ``session`` where a console's cookie stood for the token; else as ``origin`` says.
    """

    subject: str
    roles: tuple[Role, ...]
    origin: Origin
    token: str
    expires_at: int | None = None
    method: str = "token"
    address: str = ""

    def acting_as(self, needed: Role) -> Actor:
        """Return who acts, in the least role held that may.

        Raises
        ------
        RoleMissing
        """
        role = acting_role(self.roles, needed)
        if role is None:
            raise RoleMissing(needed, self.roles, self.subject)
        return Actor(self.subject, role, self.method, self.address, self.token)
