"""How people sign in: settings of django-allauth, whose names it dictates. `project.settings` takes them all."""

from project import env, oidc

__all__ = [
    "ACCOUNT_ADAPTER",
    "ACCOUNT_EMAIL_VERIFICATION",
    "ACCOUNT_FORMS",
    "ACCOUNT_LOGIN_METHODS",
    "ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR",
    "ACCOUNT_RATE_LIMITS",
    "ACCOUNT_REAUTHENTICATION_METHODS",
    "ACCOUNT_REAUTHENTICATION_TIMEOUT",
    "ACCOUNT_SESSION_REMEMBER",
    "ACCOUNT_SIGNUP_ENABLED",
    "ACCOUNT_SIGNUP_FIELDS",
    "ALLAUTH_SIGN_IN_APPS",
    "AUTHENTICATION_BACKENDS",
    "CACHES",
    "MFA_ADAPTER",
    "MFA_PASSKEY_LOGIN_ENABLED",
    "MFA_RECOVERY_CODES_SHOW_ONCE",
    "MFA_SUPPORTED_TYPES",
    "MFA_TOTP_ISSUER",
    "OIDC",
    "OIDC_ORIGINS",
    "PASSWORD_RESET_TIMEOUT",
    "SECOND_FACTOR",
    "SIGN_IN_TRIES",
    "SOCIALACCOUNT_ADAPTER",
    "SOCIALACCOUNT_PROVIDERS",
    "SOCIALACCOUNT_REAUTHENTICATION_REQUIRED",
]

OIDC_APPS = ["allauth.socialaccount", "allauth.socialaccount.providers.openid_connect"]
ALLAUTH_SIGN_IN_APPS = ["allauth", "allauth.account", "allauth.mfa", "allauth.usersessions", *OIDC_APPS]
# The only one: a second would check, and hash, every wrong password once more.
AUTHENTICATION_BACKENDS = ["frontend_app.people.backend.Backend"]
ACCOUNT_ADAPTER = "frontend_app.people.adapter.AccountAdapter"
ACCOUNT_FORMS = {"reset_password": "frontend_app.people.forms.ResetByMail"}
ACCOUNT_LOGIN_METHODS = {"username", "email"}
# Nobody makes an account for herself: administrators and invitations do.
ACCOUNT_SIGNUP_ENABLED = False
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
# Addresses are entered by administrators, or were proven by a link that was sent there.
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
# What a thief of an open browser cannot do without the password or the second factor.
ACCOUNT_REAUTHENTICATION_METHODS = {"password", "mfa"}
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
# The link of a mail must not depend on rows of allauth's, which the worker does not keep.
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "django.contrib.auth.tokens.PasswordResetTokenGenerator"  # noqa: S105  a path
PASSWORD_RESET_TIMEOUT = 3_600

# Wrong passwords for one account in an hour, from browsers that it has never been signed in with.
SIGN_IN_TRIES = env.integer("ESTEIRA_SIGN_IN_TRIES", 100, least=10, most=10_000)
ACCOUNT_RATE_LIMITS = {
    "login": "60/m/ip",
    # `key` is account and address together, or account and browser: nobody is locked out from elsewhere.
    "login_failed": "20/m/ip,10/10m/key",
    "login_failed_anywhere": f"{SIGN_IN_TRIES}/h/key",
    "reset_password": "10/m/ip,3/10m/key",
    "reset_password_from_key": "20/m/ip",
    "change_password": "10/m/user",
    "reauthenticate": "10/m/user",
    "accept_invitation": "20/m/ip",
}
MFA_ADAPTER = "frontend_app.people.factors.FactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = "Esteira"
# Whose password alone is not enough. Where strangers can reach the platform, not that of administrators.
SECOND_FACTOR = env.choice(
    "ESTEIRA_SECOND_FACTOR",
    "admins" if env.flag("ESTEIRA_HTTPS", default=False) else "optional",
    allowed=("optional", "admins", "everyone"),
)

# Other places whose word we take for who somebody is. By their addresses alone nobody is taken for anybody.
OIDC = oidc.providers()
OIDC_ORIGINS = oidc.origins(OIDC)
SOCIALACCOUNT_ADAPTER = "frontend_app.people.elsewhere.ElsewhereAdapter"
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {"provider_class": "frontend_app.people.oidc.StrictProvider", "APPS": OIDC},
}
SOCIALACCOUNT_REAUTHENTICATION_REQUIRED = True

# All web processes count together, and a code that was used in one is used up in the others.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "orchestration_cache",
        # Beyond it rows are dropped, and with them what was counted.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
