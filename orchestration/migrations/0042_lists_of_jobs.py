from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Alone, because an index that is built while jobs are written cannot be in a transaction."""

    atomic = False
    dependencies = [("orchestration", "0041_system_and_traces")]
    operations = [
        # Millions of jobs take longer than a statement may otherwise.
        migrations.RunSQL("SET statement_timeout = 0", migrations.RunSQL.noop),
        # What an interrupted build leaves behind is invalid, and in the way of the next.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS job_by_state", migrations.RunSQL.noop),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS job_by_creator", migrations.RunSQL.noop),
        AddIndexConcurrently("job", models.Index(fields=["workspace", "state", "-id"], name="job_by_state")),
        AddIndexConcurrently("job", models.Index(fields=["workspace", "created_by", "-id"], name="job_by_creator")),
        migrations.RunSQL("RESET statement_timeout", migrations.RunSQL.noop),
    ]
