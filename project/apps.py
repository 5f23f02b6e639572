from django.apps import AppConfig


class ProjectConfig(AppConfig):
    name = "project"

    def ready(self) -> None:
        # `shared_task` finds the app that is current; without this, .delay() would use a default one.
        from project.celery import app  # noqa: PLC0415  settings must be ready first

        app.set_default()
