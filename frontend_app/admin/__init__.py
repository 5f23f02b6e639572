"""The administrator's view: everything can be seen, and what has a state changes only through a service."""

from frontend_app.admin import accounts, catalog, jobs

__all__ = ["accounts", "catalog", "jobs"]
