from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Alone, because an index that is built while rows are written cannot be in a transaction."""

    atomic = False
    dependencies = [("orchestration", "0045_bulk_traces")]
    operations = [
        # Millions of rows take longer than a statement may otherwise.
        migrations.RunSQL("SET statement_timeout = 0", migrations.RunSQL.noop),
        # What an interrupted build leaves behind is invalid, and in the way of the next.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS file_unusual", migrations.RunSQL.noop),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS file_gone", migrations.RunSQL.noop),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS audit_by_action", migrations.RunSQL.noop),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS audit_by_subject", migrations.RunSQL.noop),
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS audit_by_request", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "file",
            models.Index(
                fields=["-id"],
                condition=~Q(scan_state="clean") | Q(damaged_at__isnull=False) | Q(hold=True),
                name="file_unusual",
            ),
        ),
        AddIndexConcurrently(
            "file", models.Index(fields=["-id"], condition=Q(deleted_at__isnull=False), name="file_gone")
        ),
        AddIndexConcurrently("auditentry", models.Index(fields=["action", "-id"], name="audit_by_action")),
        AddIndexConcurrently(
            "auditentry",
            models.Index(fields=["subject_id", "-id"], condition=~Q(subject_id=""), name="audit_by_subject"),
        ),
        AddIndexConcurrently(
            "auditentry",
            models.Index(fields=["request_id", "-id"], condition=~Q(request_id=""), name="audit_by_request"),
        ),
        migrations.RunSQL("RESET statement_timeout", migrations.RunSQL.noop),
    ]
