"""What runs inside the servers: one script a framework, started as ``python script.py PORT MODEL [VARIANT]``.

Each runs in the framework's own environment and therefore imports nothing of this repository.
"""

__all__: list[str] = []
