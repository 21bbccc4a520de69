//! The contract of a notifier over the embedded database.

use notifier::config::Database;
use notifier::contract::{self, World};

async fn world(folder: &tempfile::TempDir) -> World {
    let database = Database {
        sqlite: folder.path().join("incidents 100%.db"),
        ..Database::default()
    };
    World::new(folder.path(), database).await
}

macro_rules! cases {
    ($($name:ident),+ $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let folder = tempfile::tempdir().unwrap();
            contract::$name(world(&folder).await).await;
        }
    )+};
}

notifier::notifier_contract!(cases);
