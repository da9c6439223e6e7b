"""Pure rules about tables: columns, types, order, evolution.  Arrow yes, database no."""
