from typing import Any

from django.db import migrations


def install_queues(_apps: Any, schema_editor: Any) -> None:
    """The message queue's tables and functions, from the wheel's SQL: no extension, so any server will do."""
    from pgmq.install import get_embedded_install_sql

    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace('pgmq') IS NOT NULL")
        if not cursor.fetchone()[0]:
            cursor.execute(get_embedded_install_sql())


class Migration(migrations.Migration):
    dependencies = [("orchestration", "0001_initial")]
    operations = [migrations.RunPython(install_queues, migrations.RunPython.noop)]
