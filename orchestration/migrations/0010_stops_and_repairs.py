import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """When an engine was asked to end an execution, and how often the reconciler had to mend what."""

    dependencies = [("orchestration", "0009_dispatch_index")]
    operations = [
        migrations.AddField(
            model_name="execution",
            name="stop_asked_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="execution",
            name="stop_tried_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="execution",
            name="redriven_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name="Repair",
            fields=[
                ("kind", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("total", models.PositiveBigIntegerField(default=0)),
                ("last_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
    ]
