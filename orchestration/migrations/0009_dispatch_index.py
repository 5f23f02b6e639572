from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Apart from the columns, because an index that is built while jobs are written cannot be in a transaction."""

    atomic = False
    dependencies = [("orchestration", "0009_dispatch")]
    operations = [
        # Millions of jobs take longer than a statement may otherwise.
        migrations.RunSQL("SET statement_timeout = 0", migrations.RunSQL.noop),
        # What an interrupted build leaves behind is invalid, and in the way of the next.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS job_to_hand_over", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "job",
            models.Index(
                fields=["workspace", "-priority", "id"],
                condition=models.Q(execution__isnull=True, state="QUEUED"),
                name="job_to_hand_over",
            ),
        ),
        migrations.RunSQL("RESET statement_timeout", migrations.RunSQL.noop),
    ]
