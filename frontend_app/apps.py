from django.apps import AppConfig


class FrontendConfig(AppConfig):
    name = "frontend_app"

    def ready(self) -> None:
        from frontend_app.people import noted  # noqa: F401, PLC0415  hears of sign-ins; models must be loaded first
