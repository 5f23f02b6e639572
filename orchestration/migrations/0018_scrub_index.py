from django.contrib.postgres.operations import AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):
    """Alone, because an index that is built while files are written cannot be in a transaction."""

    atomic = False
    dependencies = [("orchestration", "0017_scrub")]
    operations = [
        # Millions of files take longer than a statement may otherwise.
        migrations.RunSQL("SET statement_timeout = 0", migrations.RunSQL.noop),
        # What an interrupted build leaves behind is invalid, and in the way of the next.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS file_to_verify", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "file",
            models.Index(
                condition=models.Q(("purged_at__isnull", True)), fields=["verified_at"], name="file_to_verify"
            ),
        ),
        # Reads and writes go on meanwhile.
        ValidateConstraint("file", "file_damaged_is_quarantined"),
        migrations.RunSQL("RESET statement_timeout", migrations.RunSQL.noop),
    ]
