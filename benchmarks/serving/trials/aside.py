"""Helpers of a trial in processes of their own, so that what they do does not stop the load generator."""

from __future__ import annotations

import subprocess
import sys

__all__ = ["READY", "aside"]

READY = "ready"


def aside(module: str, *words: object) -> subprocess.Popen[str]:
    """Start a module of this package; return when it says that it is ready, its imports over."""
    command = [sys.executable, "-m", f"benchmarks.serving.trials.{module}", *map(str, words)]
    helper = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert helper.stdout is not None
    helper.stdout.readline()
    return helper
