from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orchestration", "0027_people"),
    ]

    operations = [
        migrations.AddField(
            model_name="job",
            name="ordered_by",
            field=models.UUIDField(blank=True, editable=False, null=True),
        ),
    ]
