from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orchestration", "0030_saved_filters"),
    ]

    operations = [
        migrations.AddField(
            model_name="user",
            name="language",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=16),
        ),
        migrations.AddField(
            model_name="user",
            name="time_zone",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=64),
        ),
    ]
