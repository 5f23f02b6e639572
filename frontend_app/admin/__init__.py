"""The administrator's view: everything can be seen, and what has a state changes only through a service."""

from allauth.account import admin as addresses
from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from django.contrib import admin

from frontend_app.admin import accounts, catalog, jobs

__all__ = ["accounts", "addresses", "catalog", "jobs"]

# Its own page asks for a password only: past every limit on tries, and past a second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign, no-untyped-call]
# What `addresses` has registered. Ours are on the accounts.
admin.site.unregister(EmailAddress)
