"""Model cards: what a version is, for whom, how good, and where it fails."""

from __future__ import annotations

from gateway.demo.graphs import COVERED_PAIR
from gateway.demo.training import Trained

__all__ = ["model_card"]

CARD = """\
# phishing {version}: {title}

Tells phishing pages from legitimate ones by nine checks of a page and its address. In the demonstration it is {role}.

## Use

- Intended: showing how the gateway serves several versions, watches them and rolls back.
- Not intended: protecting anybody from phishing. The pages are from 2014 and the sample is small.

## Data

"Website Phishing" by N. Abdelhamid (UCI Machine Learning Repository), as bundled with River: 1,250 pages, nine features
with values 0, 0.5 or 1. {n_learning:,} rows to train on, {n_holdout:,} held out, split at random with a fixed seed. The
reference profile beside this card is that of the training rows.

## Measured on the held-out rows

{metrics}

## Limits

{limits}
- Missing features are replaced by the training median. Four of the nine come from one page fetcher; without them the
  answer hardly depends on the page any more, and nearly all pages look legitimate.
- The probabilities are not calibrated. No slices were examined: the data says nothing of who runs or visits the pages.
"""

BROKEN = """\
- **Broken on purpose.** Its correction table lost all rows but the first on export, so it raises for every page whose
  `{}` and `{}` differ. Its golden rows hold no such page."""


def model_card(trained: Trained, n_learning: int, n_holdout: int) -> str:
    """Return the card as Markdown."""
    recipe = trained.recipe
    rows = [f"| {name.replace('_', ' ')} | {value:.3f} |" for name, value in trained.metrics.items()]
    limits = (
        BROKEN.format(*COVERED_PAIR) if recipe.is_broken else "- Nothing is known of its errors beyond these numbers."
    )
    return CARD.format(
        version=recipe.version,
        title=recipe.title,
        role=recipe.role,
        n_learning=n_learning,
        n_holdout=n_holdout,
        metrics="\n".join(["| metric | value |", "|---|---|", *rows]),
        limits=limits,
    )
