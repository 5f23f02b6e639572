import django.contrib.postgres.indexes
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Alone, because an index that is built while jobs are written cannot be in a transaction."""

    atomic = False
    dependencies = [("orchestration", "0013_attempt_on_spot")]
    operations = [
        # Millions of jobs take longer than a statement may otherwise.
        migrations.RunSQL("SET statement_timeout = 0", migrations.RunSQL.noop),
        # What an interrupted build leaves behind is invalid, and in the way of the next.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS job_gone_wrong", migrations.RunSQL.noop),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS job_by_label", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "job",
            models.Index(
                fields=["workspace", "state", "-id"],
                condition=models.Q(("state__in", ["CANCELED", "FAILED", "TIMED_OUT"])),
                name="job_gone_wrong",
            ),
        ),
        AddIndexConcurrently(
            "job",
            django.contrib.postgres.indexes.GinIndex(
                fields=["labels"], condition=~models.Q(labels={}), name="job_by_label"
            ),
        ),
        migrations.RunSQL("RESET statement_timeout", migrations.RunSQL.noop),
    ]
