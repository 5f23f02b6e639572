from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Alone, because an index that is built while rows are written cannot be in a transaction."""

    atomic = False
    dependencies = [("orchestration", "0047_lists_of_files_and_entries")]
    operations = [
        # Millions of rows take longer than a statement may otherwise.
        migrations.RunSQL("SET statement_timeout = 0", migrations.RunSQL.noop),
        # What an interrupted build leaves behind is invalid, and in the way of the next.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS job_by_failure", migrations.RunSQL.noop),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS job_by_wait", migrations.RunSQL.noop),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS job_by_deadline", migrations.RunSQL.noop),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS job_canceling", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "job", models.Index(fields=["failure_kind", "-id"], condition=~Q(failure_kind=""), name="job_by_failure")
        ),
        AddIndexConcurrently(
            "job", models.Index(fields=["waiting_reason", "-id"], condition=~Q(waiting_reason=""), name="job_by_wait")
        ),
        AddIndexConcurrently(
            "job", models.Index(fields=["deadline"], condition=Q(deadline__isnull=False), name="job_by_deadline")
        ),
        AddIndexConcurrently(
            "job",
            models.Index(
                fields=["-id"],
                condition=Q(
                    state__in=frozenset({"QUEUED", "RUNNING", "STARTING", "WAITING"}), cancel_requested_at__isnull=False
                ),
                name="job_canceling",
            ),
        ),
        migrations.RunSQL("RESET statement_timeout", migrations.RunSQL.noop),
    ]
