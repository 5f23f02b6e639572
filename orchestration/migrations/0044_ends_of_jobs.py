from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Alone, because an index that is built while jobs are written cannot be in a transaction."""

    atomic = False
    dependencies = [("orchestration", "0043_words_of_names")]
    operations = [
        # Millions of jobs take longer than a statement may otherwise.
        migrations.RunSQL("SET statement_timeout = 0", migrations.RunSQL.noop),
        # What an interrupted build leaves behind is invalid, and in the way of the next.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS job_failed_of_late", migrations.RunSQL.noop),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS job_ends", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "job",
            models.Index(
                fields=["workspace", "-finished_at"],
                condition=models.Q(("state__in", ["FAILED", "TIMED_OUT"])),
                name="job_failed_of_late",
            ),
        ),
        AddIndexConcurrently(
            "job",
            models.Index(
                fields=["workspace", "finished_at"],
                include=["cost_usd", "state"],
                condition=models.Q(("finished_at__isnull", False)),
                name="job_ends",
            ),
        ),
        # What they were for is found by these, and by `job_by_state` of 0042.
        RemoveIndexConcurrently("job", "job_gone_wrong"),
        RemoveIndexConcurrently("job", "job_costs"),
        migrations.RunSQL("RESET statement_timeout", migrations.RunSQL.noop),
    ]
