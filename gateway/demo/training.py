"""Training: one table, several scikit-learn classifiers, and what they measure on rows they have not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from gateway.demo.data import CLASSES, Table

__all__ = ["RECIPES", "SEED", "Recipe", "Trained", "train"]

SEED = 7


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a version is made. ``build`` returns an untrained classifier with a ``random_state`` of ``SEED``.

    ``is_broken`` asks for a graph that passes its tests and fails on live traffic.
    """

    version: str
    title: str
    role: str
    build: Callable[[], Any]
    is_broken: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A trained classifier with its measurements on the held-out rows."""

    recipe: Recipe
    classifier: Any
    metrics: dict[str, float]

    def scores(self, values_nd: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return (n, k) probabilities in the order of ``CLASSES``."""
        scores_nk: npt.NDArray[np.float64] = self.classifier.predict_proba(values_nd)
        return scores_nk

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """The classifier's parameters that are plain values and set."""
        parameters = self.classifier.get_params()
        return {name: value for name, value in sorted(parameters.items()) if _is_set(value)}


def _is_set(value: object) -> bool:
    return isinstance(value, int | float | str) and value != "deprecated"


def _logistic_regression() -> LogisticRegression:
    return LogisticRegression(random_state=SEED)


def _gradient_boosting() -> GradientBoostingClassifier:
    return GradientBoostingClassifier(n_estimators=60, random_state=SEED)


def _random_forest() -> RandomForestClassifier:
    return RandomForestClassifier(n_estimators=60, min_samples_leaf=3, random_state=SEED)


RECIPES = (
    Recipe("1", "logistic regression", "the stable version", _logistic_regression),
    Recipe("2", "gradient boosting", "the canary", _gradient_boosting),
    Recipe("3", "random forest", "the shadow", _random_forest),
    Recipe(
        "4", "logistic regression with a correction table", "the broken canary", _logistic_regression, is_broken=True
    ),
)


def train(recipe: Recipe, learning: Table, holdout: Table) -> Trained:
    """Fit the recipe's classifier on ``learning`` and measure it on ``holdout``."""
    classifier = recipe.build().fit(learning.values_nd, learning.labels_n)
    scores_nk = classifier.predict_proba(holdout.values_nd)
    is_phishing_n = holdout.labels_n == CLASSES[1]
    metrics = {
        "accuracy": accuracy_score(holdout.labels_n, classifier.predict(holdout.values_nd)),
        "roc_auc": roc_auc_score(is_phishing_n, scores_nk[:, 1]),
        "log_loss": log_loss(is_phishing_n, scores_nk[:, 1]),
    }
    return Trained(recipe, classifier, {name: round(float(value), 4) for name, value in metrics.items()})
