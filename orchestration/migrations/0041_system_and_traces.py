from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("orchestration", "0040_queue"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="leadership",
            options={"permissions": (("look_at_system", "Can look at the system's page"),)},
        ),
    ]
