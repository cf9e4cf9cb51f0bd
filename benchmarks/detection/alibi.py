"""How many rows a second do alibi-detect's online detectors watch, and what do they find?

    benchmarks/serving/environment alibi
    .weir/benchmarks/environments/alibi/bin/python -m benchmarks.detection.alibi [--only NAME] [--paths FROM TO]

``--paths`` reads rows and writes the statistic after each, for ``benchmarks.detection.elsewhere``. Its licence allows
measuring, and none of its code is here. Each row is looked at by itself, as its interface asks.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

__all__ = ["CVM_WINDOWS", "DETECTORS", "WINDOW"]

FEATURES, REFERENCE_ROWS, WINDOW, WARM_ROWS, ROWS = 6, 500, 50, 100, 500
CVM_WINDOWS = [25, 50, 100]


def main() -> None:
    """Measure each detector on one thread; one line of JSON each."""
    os.environ.update(OMP_NUM_THREADS="1", TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="one detector")
    parser.add_argument("--paths", nargs=2, metavar=("FROM", "TO"), help="files of rows and of statistics")
    arguments = parser.parse_args()
    if arguments.paths:
        _write_paths(DETECTORS[arguments.only], *arguments.paths)
        return
    only = arguments.only
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(REFERENCE_ROWS, FEATURES)).astype(np.float32)
    rows = rng.normal(size=(WARM_ROWS + ROWS, FEATURES)).astype(np.float32)
    for name, make in DETECTORS.items():
        if only in ("", name):
            detector = make(reference)
            for row in rows[:WARM_ROWS]:
                detector.predict(row)
            started = time.process_time()
            for row in rows[WARM_ROWS:]:
                detector.predict(row)
            found = {"detector": name, "rows_per_s": round(ROWS / (time.process_time() - started))}
            print(json.dumps(found), flush=True)


def _write_paths(make: Callable[[Any], Any], source: str, target: str) -> None:
    """Follow each run from a fresh state; a window that is not full yet says nothing."""
    with np.load(source) as rows:
        detector = make(rows["reference"].astype(np.float32))
        found = {name: [_path(detector, run) for run in rows[name]] for name in ("quiet", "rows")}
    paths = {name: np.stack([path for path, _, _ in runs]) for name, runs in found.items()}
    kept, first = (np.array([run[i] for run in found["rows"]]) for i in (1, 2))
    np.savez(target, quiet=paths["quiet"], rows=paths["rows"], kept=kept, first=first)


def _path(detector: Any, rows_nd: Any) -> tuple[Any, Any, Any]:
    """Return the statistic after each row, and of MMD which reference rows it keeps and which it begins with."""
    detector.reset_state()
    drawn = getattr(detector, "_detector", detector)
    kept, first = (np.asarray(getattr(drawn, name, ())) for name in ("ref_inds", "init_test_inds"))
    scores = [np.atleast_1d(np.asarray(detector.score(row), dtype=np.float64)) for row in rows_nd.astype(np.float32)]
    return np.array([np.nan_to_num(score, nan=-np.inf).max() for score in scores]), kept, first


def _cvm(reference: Any) -> Any:
    from alibi_detect.cd import CVMDriftOnline  # type: ignore[import-not-found]  # of another environment

    features = reference.shape[1]
    return CVMDriftOnline(reference, 50.0, CVM_WINDOWS, n_bootstraps=1500, n_features=features, verbose=False)


def _lsdd(reference: Any) -> Any:
    from alibi_detect.cd import LSDDDriftOnline

    return LSDDDriftOnline(reference, 50.0, WINDOW, backend="tensorflow", n_bootstraps=500, verbose=False)


def _mmd(reference: Any) -> Any:
    from alibi_detect.cd import MMDDriftOnline

    return MMDDriftOnline(reference, 50.0, WINDOW, backend="tensorflow", n_bootstraps=500, verbose=False)


DETECTORS: Mapping[str, Callable[[Any], Any]] = MappingProxyType({"CVM": _cvm, "LSDD": _lsdd, "MMD": _mmd})


if __name__ == "__main__":
    main()
