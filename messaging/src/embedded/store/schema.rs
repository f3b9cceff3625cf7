//! The tables, as numbered steps: a released step is never edited, a change is a further step.

use storage::Migration;

pub(super) const MIGRATIONS: &[Migration] = &[
    Migration::per_engine(
        1,
        "chat",
        include_str!("migrations/0001_chat.sqlite.sql"),
        include_str!("migrations/0001_chat.postgres.sql"),
    ),
    Migration::per_engine(
        2,
        "order",
        include_str!("migrations/0002_order.sqlite.sql"),
        include_str!("migrations/0002_order.postgres.sql"),
    ),
    Migration::new(
        3,
        "ended logins",
        include_str!("migrations/0003_ended_logins.sql"),
    ),
    Migration::new(5, "files", include_str!("migrations/0005_files.sql")),
    Migration::per_engine(
        6,
        "people",
        include_str!("migrations/0006_people.sqlite.sql"),
        include_str!("migrations/0006_people.postgres.sql"),
    ),
    Migration::new(7, "push", include_str!("migrations/0007_push.sql")),
    Migration::new(8, "threads", include_str!("migrations/0008_threads.sql")),
    Migration::new(9, "agents", include_str!("migrations/0009_agents.sql")),
];
