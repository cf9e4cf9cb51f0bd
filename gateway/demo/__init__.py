"""The demonstration: real models on real data, an upstream incident, a broken canary, and what comes of it.

``weir demo`` trains and packs the versions of one model, starts ``weir serve`` as a child process, and talks to it only
as any client would: through the public API. Nothing here is imported by the gateway itself.
"""

__all__: list[str] = []
