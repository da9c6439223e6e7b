"""A small seeded Dataverse: tables, operations, the contexts it posts, and the truth."""
