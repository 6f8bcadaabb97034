from django.db import migrations

# Whoever deletes an item, in SQL too, takes its heat along, also what is counted into it at the same moment.
ALTER = """
ALTER TABLE events_itemheat DROP CONSTRAINT events_itemheat_item_id_13b94d5c_fk_catalog_item_id,
    ADD CONSTRAINT events_itemheat_item_id_13b94d5c_fk_catalog_item_id FOREIGN KEY (item_id)
    REFERENCES catalog_item (id) {action} DEFERRABLE INITIALLY DEFERRED;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0001_initial'),
    ]

    operations = [
        migrations.RunSQL(ALTER.format(action="ON DELETE CASCADE"), ALTER.format(action="")),
    ]
