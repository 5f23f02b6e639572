from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orchestration", "0008_execution_settled")]
    operations = [
        migrations.CreateModel(
            name="TokenBucket",
            fields=[
                ("scope", models.CharField(max_length=128, primary_key=True, serialize=False)),
                ("tokens", models.FloatField()),
                ("filled_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Leadership",
            fields=[
                ("duty", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("holder", models.UUIDField(null=True)),
                ("until", models.DateTimeField()),
                ("is_wanted", models.BooleanField(default=False)),
            ],
        ),
        migrations.AddField("job", "hand_over_tries", models.PositiveIntegerField(db_default=0, default=0)),
        migrations.AddField("job", "next_try_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("job", "waiting_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("workspace", "handed_over_at", models.DateTimeField(blank=True, editable=False, null=True)),
    ]
