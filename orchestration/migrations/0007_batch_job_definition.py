import django.db.models.functions.datetime
from django.db import migrations, models

import orchestration.ids


class Migration(migrations.Migration):
    """One table more: what was registered with AWS Batch."""

    dependencies = [("orchestration", "0006_streams")]
    operations = [
        migrations.CreateModel(
            name="BatchJobDefinition",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=orchestration.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("cell", models.CharField(max_length=64)),
                ("name", models.CharField(max_length=128)),
                ("arn", models.CharField(blank=True, max_length=256)),
                ("claimed_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("cell", "name"), name="batch_definition_once"),
                    models.CheckConstraint(
                        condition=models.Q(("arn", ""), ("claimed_at", None), _connector="OR"),
                        name="batch_definition_claim_ends",
                    ),
                ],
            },
        ),
    ]
