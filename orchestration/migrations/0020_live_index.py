from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

import orchestration.states


class Migration(migrations.Migration):
    """Apart from the column, because an index that is built while jobs are written cannot be in a transaction."""

    atomic = False
    dependencies = [("orchestration", "0019_live")]
    operations = [
        # Millions of jobs take longer than a statement may otherwise.
        migrations.RunSQL("SET statement_timeout = 0", migrations.RunSQL.noop),
        # What an interrupted build leaves behind is invalid, and in the way of the next.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS job_with_deadline", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "job",
            models.Index(
                condition=models.Q(
                    ("cancel_requested_at__isnull", True),
                    ("deadline__isnull", False),
                    (
                        "state__in",
                        frozenset(
                            [
                                orchestration.states.JobState["QUEUED"],
                                orchestration.states.JobState["RUNNING"],
                                orchestration.states.JobState["STARTING"],
                                orchestration.states.JobState["WAITING"],
                            ]
                        ),
                    ),
                ),
                fields=["deadline"],
                name="job_with_deadline",
            ),
        ),
        migrations.RunSQL("RESET statement_timeout", migrations.RunSQL.noop),
    ]
