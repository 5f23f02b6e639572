from django.db import migrations

WORDS = """
CREATE INDEX CONCURRENTLY job_by_word ON orchestration_job USING gin (upper((name)::text) gin_trgm_ops)
WITH (gin_pending_list_limit = 256) WHERE NOT (name = '')
"""


class Migration(migrations.Migration):
    """Alone, because an index that is built while jobs are written cannot be in a transaction.

    In SQL, as Django names a class of operators only where its application for PostgreSQL is installed, which asks for
    the numbers of types that nobody here uses.
    """

    atomic = False
    dependencies = [("orchestration", "0042_lists_of_jobs")]
    operations = [
        # Comes with PostgreSQL, and trusted: whoever may make something in the database may make it.
        migrations.RunSQL("CREATE EXTENSION IF NOT EXISTS pg_trgm", migrations.RunSQL.noop),
        # Millions of jobs take longer than a statement may otherwise.
        migrations.RunSQL("SET statement_timeout = 0", migrations.RunSQL.noop),
        # What an interrupted build leaves behind is invalid, and in the way of the next.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS job_by_word", migrations.RunSQL.noop),
        migrations.RunSQL(WORDS, "DROP INDEX CONCURRENTLY IF EXISTS job_by_word"),
        # Else nobody knows how many names have a word until somebody looks at the table for another reason.
        migrations.RunSQL("ANALYZE orchestration_job", migrations.RunSQL.noop),
        migrations.RunSQL("RESET statement_timeout", migrations.RunSQL.noop),
    ]
