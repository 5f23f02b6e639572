from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Indexes for what the sweeps of retention look for, built while the old code serves."""

    atomic = False
    dependencies = [("orchestration", "0004_uploads")]
    operations = [
        # Millions of rows take longer than a statement may otherwise.
        migrations.RunSQL("SET statement_timeout = 0", migrations.RunSQL.noop),
        # What an interrupted build leaves behind is invalid, and in the way of the next.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS file_being_purged", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "file",
            models.Index(
                fields=["purged_at"],
                condition=models.Q(("purged_at__isnull", False), models.Q(("key", ""), _negated=True)),
                name="file_being_purged",
            ),
        ),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS job_by_end", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "job",
            models.Index(
                fields=["finished_at"],
                condition=models.Q(("finished_at__isnull", False)),
                name="job_by_end",
            ),
        ),
        migrations.RunSQL("RESET statement_timeout", migrations.RunSQL.noop),
    ]
