"""The administrator's view: everything can be seen, and what has a state changes only through a service."""

from allauth.account import admin as addresses
from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa import admin as factors
from allauth.mfa.models import Authenticator
from allauth.socialaccount import admin as elsewhere
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions import admin as sessions
from allauth.usersessions.models import UserSession
from django.contrib import admin

from frontend_app.admin import accounts, audit, catalog, dashboard, jobs, webhooks

__all__ = ["accounts", "addresses", "audit", "catalog", "elsewhere", "factors", "jobs", "sessions", "webhooks"]

dashboard.install()
# Its own page asks for a password only: past every limit on tries, and past a second factor.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
# What these have registered: our addresses are on the accounts, providers are settings, keys of sessions and secrets
# nobody's to see.
admin.site.unregister([EmailAddress, Authenticator, SocialAccount, SocialApp, SocialToken, UserSession])
