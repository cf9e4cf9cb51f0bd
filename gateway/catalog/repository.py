"""The folder of models, with what is in its files."""

from __future__ import annotations

from pathlib import Path

from gateway.catalog.bundle import Bundle, BundleLimits, read_bundle, read_card
from gateway.catalog.folders import ModelFolders
from gateway.signing.trust import NOBODY, Trust

__all__ = ["Repository"]


class Repository(ModelFolders):
    """The folders of models and versions, and the reading of their files.

    Parameters
    ----------
    root
        The folder of models; may itself be a link.
    limits
        Sizes above which a version's files are refused.
    trust
        Whose signatures count, and what becomes of bundles without one.
    """

    def __init__(self, root: Path, *, limits: BundleLimits, trust: Trust = NOBODY) -> None:
        super().__init__(root)
        self._limits = limits
        self.trust = trust

    def read(self, model: str, version: str) -> Bundle:
        """Read a version's bundle.

        Raises
        ------
        ModelUnknown, VersionUnknown
            There is no such folder.
        VersionRefused
            The folder is a link, or :func:`gateway.catalog.bundle.read_bundle` refuses what is in it.
        DocumentInvalid
            Its ``model.yaml`` breaks the schema.
        """
        folder = self.existing(model, version)
        return read_bundle(folder, model=model, version=version, limits=self._limits, trust=self.trust)

    def card(self, model: str, version: str) -> str:
        """Return the model card of a version, reading none of its other files but the manifest that may name it.

        Raises
        ------
        ModelUnknown, VersionUnknown
            There is no such folder.
        VersionRefused
            The folder or the card is a link, too large, or no text.
        """
        folder = self.existing(model, version)
        return read_card(folder, model=model, version=version, limits=self._limits, trust=self.trust)
