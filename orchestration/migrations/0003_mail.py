from django.db import migrations, models

MAIL_ON = ["never", "failures", "always"]


class Migration(migrations.Migration):
    dependencies = [("orchestration", "0002_broker")]
    operations = [
        migrations.AddField("job", "told_run", models.PositiveIntegerField(db_default=0, default=0)),
        migrations.AddField(
            "user",
            "mail_on",
            models.CharField(
                choices=[(m, m) for m in MAIL_ON],
                db_default="failures",
                default="failures",
                max_length=8,
                verbose_name="mail when a job ends",
            ),
        ),
        migrations.AddField("user", "mail_next_at", models.DateTimeField(blank=True, editable=False, null=True)),
        migrations.AddField(
            "user", "mail_tries", models.PositiveSmallIntegerField(db_default=0, default=0, editable=False)
        ),
        migrations.AddField(
            "user",
            "mail_problem",
            models.CharField(blank=True, db_default="", default="", editable=False, max_length=500),
        ),
        migrations.AddConstraint(
            "user",
            models.CheckConstraint(condition=models.Q(mail_on__in=MAIL_ON), name="user_mail_on_known"),
        ),
    ]
