import django.contrib.postgres.functions
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import orchestration.ids


class Migration(migrations.Migration):
    dependencies = [
        ("orchestration", "0003_mail_index"),
    ]

    operations = [
        migrations.CreateModel(
            name="Examination",
            fields=[
                (
                    "file",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="examination",
                        serialize=False,
                        to="orchestration.file",
                    ),
                ),
                ("claim", models.UUIDField(blank=True, null=True)),
                ("leased_until", models.DateTimeField(blank=True, null=True)),
                ("not_before", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("tries", models.PositiveIntegerField(db_default=0)),
                ("reason", models.CharField(blank=True, db_default="", max_length=500)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.CreateModel(
            name="FileEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("workspace_id", models.UUIDField()),
                ("file_id", models.UUIDField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("scan", "scan"),
                            ("released", "released"),
                            ("deduplicated", "deduplicated"),
                            ("warned", "warned"),
                            ("extended", "extended"),
                            ("held", "held"),
                            ("unheld", "unheld"),
                            ("deleted", "deleted"),
                            ("expired", "expired"),
                            ("undeleted", "undeleted"),
                            ("purged", "purged"),
                        ],
                        max_length=16,
                    ),
                ),
                ("old", models.CharField(blank=True, max_length=40)),
                ("new", models.CharField(blank=True, max_length=40)),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("data", models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name="UploadPart",
            fields=[
                (
                    "upload",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="parts", to="orchestration.upload"
                    ),
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "upload_id", "number", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("size", models.BigIntegerField()),
                ("crc64nvme", models.CharField(max_length=12)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="file",
            name="file_scan_state_known",
        ),
        migrations.AddField(
            model_name="file",
            name="crc64nvme",
            field=models.CharField(blank=True, db_default="", max_length=12),
        ),
        migrations.AddField(
            model_name="file",
            name="path",
            field=models.CharField(blank=True, db_default="", max_length=1024),
        ),
        migrations.AddField(
            model_name="file",
            name="purged_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="file",
            name="scan_detail",
            field=models.CharField(blank=True, db_default="", max_length=500),
        ),
        migrations.AddField(
            model_name="file",
            name="scanned_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="file",
            name="version",
            field=models.CharField(blank=True, db_default="", max_length=1024),
        ),
        migrations.AddField(
            model_name="file",
            name="warned_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="upload",
            name="content_type",
            field=models.CharField(blank=True, db_default="", max_length=255),
        ),
        migrations.AddField(
            model_name="upload",
            name="crc64nvme",
            field=models.CharField(blank=True, db_default="", max_length=12),
        ),
        migrations.AddField(
            model_name="upload",
            name="door",
            field=models.CharField(
                choices=[("api", "api"), ("request", "request"), ("tus", "tus")], db_default="request", max_length=8
            ),
        ),
        migrations.AddField(
            model_name="upload",
            name="expires_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="upload",
            name="failure_code",
            field=models.CharField(blank=True, db_default="", max_length=40),
        ),
        migrations.AddField(
            model_name="upload",
            name="failure_detail",
            field=models.CharField(blank=True, db_default="", max_length=500),
        ),
        migrations.AddField(
            model_name="upload",
            name="file_id",
            field=models.UUIDField(
                db_default=django.contrib.postgres.functions.RandomUUID(),
                default=orchestration.ids.new_id,
                editable=False,
            ),
        ),
        migrations.AddField(
            model_name="upload",
            name="fingerprint",
            field=models.CharField(blank=True, db_default="", max_length=255),
        ),
        migrations.AddField(
            model_name="upload",
            name="idempotency_key",
            field=models.CharField(blank=True, max_length=64, null=True),
        ),
        migrations.AddField(
            model_name="upload",
            name="key",
            field=models.CharField(blank=True, db_default="", max_length=255),
        ),
        migrations.AddField(
            model_name="upload",
            name="mode",
            field=models.CharField(
                choices=[("single", "single"), ("parts", "parts")], db_default="single", max_length=8
            ),
        ),
        migrations.AddField(
            model_name="upload",
            name="modified_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="upload",
            name="multipart_id",
            field=models.CharField(blank=True, db_default="", max_length=1024),
        ),
        migrations.AddField(
            model_name="upload",
            name="offset",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name="upload",
            name="part_count",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="upload",
            name="part_size",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name="upload",
            name="path",
            field=models.CharField(blank=True, db_default="", max_length=1024),
        ),
        migrations.AddField(
            model_name="upload",
            name="request_digest",
            field=models.CharField(blank=True, db_default="", max_length=64),
        ),
        migrations.AddField(
            model_name="upload",
            name="running_crc",
            field=models.CharField(blank=True, db_default="", max_length=12),
        ),
        migrations.AddField(
            model_name="upload",
            name="storage",
            field=models.CharField(db_default="uploads", max_length=16),
        ),
        migrations.AddField(
            model_name="upload",
            name="touched_at",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
        ),
        migrations.AddField(
            model_name="workspace",
            name="quota_bytes",
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="file",
            name="key",
            field=models.CharField(db_index=True, max_length=255),
        ),
        migrations.AlterField(
            model_name="file",
            name="scan_state",
            field=models.CharField(
                choices=[
                    ("received", "received"),
                    ("scanning", "scanning"),
                    ("clean", "clean"),
                    ("quarantined", "quarantined"),
                ],
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="file",
            name="sha256",
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddIndex(
            model_name="file",
            index=models.Index(
                condition=models.Q(("deleted_at__isnull", False), ("purged_at__isnull", True)),
                fields=["deleted_at"],
                name="file_to_purge",
            ),
        ),
        migrations.AddIndex(
            model_name="file",
            index=models.Index(
                condition=models.Q(("purged_at__isnull", True)),
                fields=["workspace"],
                include=("size",),
                name="file_counts",
            ),
        ),
        migrations.AddIndex(
            model_name="file",
            index=models.Index(
                condition=models.Q(("purged_at__isnull", True)), fields=["workspace", "sha256"], name="file_twins"
            ),
        ),
        migrations.AddIndex(
            model_name="upload",
            index=models.Index(condition=models.Q(("state", "open")), fields=["expires_at"], name="upload_to_expire"),
        ),
        migrations.AddIndex(
            model_name="upload",
            index=models.Index(
                condition=models.Q(("state", "completing")), fields=["touched_at"], name="upload_to_complete"
            ),
        ),
        migrations.AddIndex(
            model_name="upload",
            index=models.Index(
                condition=models.Q(("state", "open")), fields=["created_by", "fingerprint"], name="upload_to_resume"
            ),
        ),
        migrations.AddIndex(
            model_name="upload",
            index=models.Index(
                condition=models.Q(("state__in", ["open", "completing"])),
                fields=["workspace"],
                include=("size",),
                name="upload_reserves",
            ),
        ),
        migrations.AddIndex(
            model_name="upload",
            index=models.Index(
                condition=models.Q(("state__in", ["aborted", "expired", "failed"])),
                fields=["touched_at"],
                name="upload_to_forget",
            ),
        ),
        migrations.AddConstraint(
            model_name="file",
            constraint=models.CheckConstraint(
                condition=models.Q(("scan_state__in", ["received", "scanning", "clean", "quarantined"])),
                name="file_scan_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="file",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("scan_state", "clean"), _negated=True),
                    models.Q(("sha256", ""), _negated=True),
                    _connector="OR",
                ),
                name="file_clean_has_digest",
            ),
        ),
        migrations.AddConstraint(
            model_name="file",
            constraint=models.CheckConstraint(
                condition=models.Q(("purged_at__isnull", True), ("deleted_at__isnull", False), _connector="OR"),
                name="file_purged_was_deleted",
            ),
        ),
        migrations.AddConstraint(
            model_name="upload",
            constraint=models.CheckConstraint(
                condition=models.Q(("door__in", ["api", "request", "tus"])), name="upload_door_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="upload",
            constraint=models.CheckConstraint(
                condition=models.Q(("mode__in", ["single", "parts"])), name="upload_mode_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="upload",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "open"), _negated=True), ("expires_at__isnull", False), _connector="OR"
                ),
                name="upload_open_expires",
            ),
        ),
        migrations.AddConstraint(
            model_name="upload",
            constraint=models.CheckConstraint(
                condition=models.Q(("state", "failed"), ("failure_code", ""), _connector="OR"),
                name="upload_failure_only_when_failed",
            ),
        ),
        migrations.AddConstraint(
            model_name="upload",
            constraint=models.UniqueConstraint(fields=("created_by", "idempotency_key"), name="upload_once_per_key"),
        ),
        migrations.AddIndex(
            model_name="examination",
            index=models.Index(fields=["not_before"], name="examination_due"),
        ),
        migrations.AddField(
            model_name="fileevent",
            name="actor",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="fileevent",
            index=models.Index(fields=["file_id", "id"], name="file_event_by_file"),
        ),
    ]
