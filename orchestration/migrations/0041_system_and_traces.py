from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orchestration", "0040_queue"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="leadership",
            options={"permissions": (("look_at_system", "Can look at the system's page"),)},
        ),
        migrations.AddField(
            model_name="job",
            name="traceparent",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=55),
        ),
    ]
