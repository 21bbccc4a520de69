//! A working folder per started system: gone after a test that passed, kept and named after one
//! that panicked.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// Set to keep the folders of tests that passed as well.
const KEEP: &str = "BONGSU_TEST_KEEP";

/// A folder in the system's temporary one, removed on drop unless the test panics.
#[derive(Debug)]
pub struct Workdir {
    folder: Option<TempDir>,
    name: String,
}

impl Workdir {
    /// A new, empty folder for the system `name`.
    ///
    /// # Panics
    /// When it cannot be created.
    pub fn new(name: &str) -> Self {
        // Readable for others, because PostgreSQL runs as a user of its own.
        let folder = tempfile::Builder::new()
            .prefix(&format!("bongsu-{name}-"))
            .permissions(std::fs::Permissions::from_mode(0o755))
            .tempdir()
            .expect("a temporary folder can be created");
        Self {
            folder: Some(folder),
            name: name.to_owned(),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.as_ref().expect("present until drop").path()
    }

    /// A path inside of the folder.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file into the folder and returns its path.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.join(name);
        std::fs::write(&path, content)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        path
    }
}

impl Drop for Workdir {
    fn drop(&mut self) {
        let folder = self.folder.take().expect("present until drop");
        if std::thread::panicking() || std::env::var_os(KEEP).is_some() {
            eprintln!(
                "{}: its files are kept in {}",
                self.name,
                folder.keep().display()
            );
        }
    }
}
