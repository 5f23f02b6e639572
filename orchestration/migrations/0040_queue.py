from django.db import migrations

# What the workers' library would do at each start: it takes the right to change tables, which they do not have.
MAKE = "SELECT pgmq.create('esteira'); SELECT pgmq.enable_notify_insert('esteira', 0);"


class Migration(migrations.Migration):
    dependencies = [("orchestration", "0038_invariants")]
    # Not taken back: there may be messages in it, and an older release makes the same.
    operations = [migrations.RunSQL(MAKE, migrations.RunSQL.noop)]
