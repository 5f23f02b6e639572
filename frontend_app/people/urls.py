"""The pages of django-allauth that we offer; what is not listed here is not there."""

from __future__ import annotations

from allauth.account import views
from allauth.mfa.base import views as factors
from allauth.mfa.recovery_codes import views as codes
from allauth.mfa.totp import views as app
from allauth.mfa.webauthn import views as passkeys
from allauth.socialaccount import views as elsewhere
from django.urls import path
from django.views.decorators.http import require_POST
from django.views.generic import RedirectView

from frontend_app.people import oidc
from frontend_app.people.offered import with_mail
from frontend_app.views import account, audit, invitations, members, profile

urlpatterns = [
    path("login/", views.login, name="account_login"),
    path("logout/", require_POST(views.logout), name="account_logout"),
    path("account/", account.account, name="account"),
    path("account/profile/", profile.profile_save, name="profile-save"),
    path("language/", profile.language_choose, name="language-choose"),
    path("account/sessions/end/", account.sessions_end, name="sessions-end"),
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
    path("login/second-factor/", factors.authenticate, name="mfa_authenticate"),
    path("login/passkey/", passkeys.login_webauthn, name="mfa_login_webauthn"),
    path("account/confirm/code/", factors.reauthenticate, name="mfa_reauthenticate"),
    path("account/confirm/passkey/", passkeys.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
    path("account/second-factor/", factors.index, name="mfa_index"),
    path("account/second-factor/app/", app.activate_totp, name="mfa_activate_totp"),
    path("account/second-factor/app/remove/", app.deactivate_totp, name="mfa_deactivate_totp"),
    path("account/second-factor/codes/", codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path("account/second-factor/codes/new/", codes.generate_recovery_codes, name="mfa_generate_recovery_codes"),
    path("account/second-factor/passkeys/", RedirectView.as_view(pattern_name="mfa_index"), name="mfa_list_webauthn"),
    path("account/second-factor/passkeys/add/", passkeys.add_webauthn, name="mfa_add_webauthn"),
    path("account/second-factor/passkeys/<int:pk>/", passkeys.edit_webauthn, name="mfa_edit_webauthn"),
    path("account/second-factor/passkeys/<int:pk>/remove/", passkeys.remove_webauthn, name="mfa_remove_webauthn"),
    # allauth asks for these names; providers know the second address.
    path("login/with/<slug:provider_id>/", oidc.login, name="openid_connect_login"),
    path("login/with/<slug:provider_id>/callback/", oidc.callback, name="openid_connect_callback"),
    path("login/cancelled/", elsewhere.login_cancelled, name="socialaccount_login_cancelled"),
    path("account/elsewhere/", elsewhere.connections, name="socialaccount_connections"),
    path("members/", members.member_list, name="member-list"),
    path("members/second-factor/", members.members_second_factor, name="members-second-factor"),
    path("members/<uuid:user_id>/role/", members.member_role, name="member-role"),
    path("members/<uuid:user_id>/remove/", members.member_remove, name="member-remove"),
    path("members/invitations/<uuid:invitation_id>/revoke/", members.invitation_revoke, name="invitation-revoke"),
    path("audit/", audit.audit_log, name="audit-log"),
    path("audit/export/", audit.audit_export, name="audit-export"),
    path("workspaces/<uuid:workspace_id>/leave/", members.workspace_leave, name="workspace-leave"),
    path("invitation/<str:key>/", invitations.invitation, name="invitation"),
]
