"""The console's page: HTML, a style sheet and plain ES modules, as browsers load them; see ``gateway.http.console``."""

__all__: list[str] = []
