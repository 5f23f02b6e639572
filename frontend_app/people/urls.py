"""The pages of django-allauth that we offer; what is not listed here is not there."""

from __future__ import annotations

from allauth.account import views
from django.urls import path
from django.views.decorators.http import require_POST

from frontend_app.people.offered import with_mail
from frontend_app.views import account

urlpatterns = [
    path("login/", views.login, name="account_login"),
    path("logout/", require_POST(views.logout), name="account_logout"),
    path("account/", account.account, name="account"),
    path("account/inactive/", views.account_inactive, name="account_inactive"),
    path("account/confirm/", views.reauthenticate, name="account_reauthenticate"),
    path("account/password/", views.password_change, name="account_change_password"),
    path("account/password/set/", views.password_set, name="account_set_password"),
    path("password/reset/", with_mail(views.password_reset), name="account_reset_password"),
    path("password/reset/sent/", views.password_reset_done, name="account_reset_password_done"),
    path("password/reset/done/", views.password_reset_from_key_done, name="account_reset_password_from_key_done"),
    path(
        "password/reset/<str:uidb36>/<str:key>/",
        views.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
]
