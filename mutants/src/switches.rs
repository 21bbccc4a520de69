//! Written into the core under test: which change is made in this run (`MUTANT`), and which places are reached
//! (`MUTANT_REACHED`, a file that gets their numbers).

use std::fs::File;
use std::io::Write;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

struct State {
    made: usize,
    reached: Option<File>,
}

static STATE: LazyLock<State> = LazyLock::new(|| {
    let made = std::env::var("MUTANT").ok().and_then(|id| id.parse().ok());
    let open = |path| File::options().append(true).create(true).open(path);
    let path = std::env::var("MUTANT_REACHED").ok();
    State {
        made: made.unwrap_or(usize::MAX),
        reached: path.map(|path| open(path).expect("the file of what is reached")),
    }
});
static SEEN: [AtomicBool; 8192] = [const { AtomicBool::new(false) }; 8192];

/// Whether the change of that number is made.
pub fn on(id: usize) -> bool {
    if let Some(mut file) = STATE.reached.as_ref()
        && !SEEN[id].swap(true, Relaxed)
    {
        file.write_all(format!("{id}\n").as_bytes()).expect("a line of what is reached");
    }
    STATE.made == id
}
