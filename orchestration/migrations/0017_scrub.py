import django.db.models.functions.datetime
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

FILE_EVENT_KINDS = [
    "scan", "released", "damaged", "restored", "deduplicated", "warned", "extended", "held", "unheld", "deleted",
    "expired", "undeleted", "purged",
]  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("orchestration", "0016_idempotency")]
    operations = [
        migrations.AddField("file", "damaged_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField(
            "file",
            "verified_at",
            models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
        ),
        migrations.AlterField(
            "fileevent",
            "kind",
            models.CharField(choices=[(kind, kind) for kind in FILE_EVENT_KINDS], max_length=16),
        ),
        # Rows that are there have no `damaged_at` yet: looking at each of millions would only hold the lock.
        AddConstraintNotValid(
            "file",
            models.CheckConstraint(
                condition=models.Q(("damaged_at__isnull", True), ("scan_state", "quarantined"), _connector="OR"),
                name="file_damaged_is_quarantined",
            ),
        ),
    ]
