"""Traces of requests by OpenTelemetry, sent by OTLP. Needs the extra ``weir[tracing]``; imported where it is on."""

__all__: list[str] = []
