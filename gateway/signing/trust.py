"""Whom a gateway trusts to have made a bundle, and what it does with one that nobody has signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.governance.policy import Policy, Tier, Unsigned
from gateway.settings import SigningSettings

if TYPE_CHECKING:
    from gateway.signing.keys import PublicKey

__all__ = ["NOBODY", "Trust", "trust_of"]


@dataclass(frozen=True, slots=True)
class Trust:
    """The keys that may have signed, and the policy that says what of unsigned bundles; without one they may serve."""

    keys: tuple[PublicKey, ...] = ()
    policy: Policy | None = None

    def of_unsigned(self, model: str, declared: Tier | None) -> tuple[Unsigned, Tier]:
        """Return what becomes of a bundle without a signature, and the tier that says so.

        Parameters
        ----------
        declared
            What its manifest says; the model's floor counts where it is higher.
        """
        if self.policy is None:
            return "allow", declared or "minimal"
        tier = self.policy.tier_of(model, declared)
        return self.policy.rules(tier).unsigned, tier


NOBODY = Trust()
"""No key, no policy: signatures are not looked at."""


def trust_of(signing: SigningSettings, policy: Policy | None = None) -> Trust:
    """Read the keys that settings name.

    Raises
    ------
    DocumentInvalid
        A file holds no public key, or cannot be read.
    """
    if not signing.public_keys:
        return Trust(policy=policy)  # every process does this as it starts, and few need cryptography
    from gateway.signing.keys import read_public_key

    return Trust(tuple(map(read_public_key, signing.public_keys)), policy)
