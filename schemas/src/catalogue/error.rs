//! What is wrong with a catalogue file, where, and what was probably meant.

use std::fmt;

/// An error in a file of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueError {
    /// The file.
    pub file: String,
    /// The line, from 1; 0 when it is about no line.
    pub line: usize,
    /// The column, from 1; 0 when it is about no line.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What to do, such as ``did you mean `levels`?``.
    pub hint: Option<String>,
}

impl std::error::Error for CatalogueError {}

impl fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        write!(f, ": {}", self.what)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}
