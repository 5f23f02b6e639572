from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orchestration", "0044_ends_of_jobs")]
    operations = [
        migrations.AddField(
            model_name="bulkoperation",
            name="traceparent",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=55),
        ),
    ]
