"""Evidence that keeps a promise: e-detectors on additive cell counts, a false-page budget, drivers at a known rate."""

__all__: list[str] = []
