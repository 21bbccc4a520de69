//! How far a command that lasts has come: one line on the terminal, gone at the end. Files and pipes never see it.

use crate::print;
use runtime::Clock;
use std::io::IsTerminal;

/// How often the line is written anew, in milliseconds.
const EVERY: i64 = 200;

/// One line of progress on standard error.
pub(crate) struct Progress {
    what: &'static str,
    total: Option<u64>,
    clock: Clock,
    /// None where nobody looks.
    shown: Option<i64>,
}

impl Progress {
    /// Nothing is shown before the first [`Progress::at`].
    pub(crate) fn new(what: &'static str, total: Option<u64>) -> Self {
        let clock = Clock::system();
        let shown = std::io::stderr().is_terminal().then_some(0);
        Self {
            what,
            total,
            clock,
            shown,
        }
    }

    /// So much is done.
    pub(crate) fn at(&mut self, done: u64) {
        let Some(last) = self.shown else { return };
        let now = self.clock.now_millis();
        if now - last >= EVERY {
            self.shown = Some(now);
            print::over(&line(self.what, done, self.total));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some_and(|last| last > 0) {
            print::over("");
        }
    }
}

fn line(what: &str, done: u64, total: Option<u64>) -> String {
    match total {
        Some(total) if total > 0 => {
            let percent = done.min(total) * 100 / total;
            let full = usize::try_from(percent / 5).unwrap_or(0);
            format!(
                "[{:<20}] {percent:>3} %  {done} of {total} {what}",
                "#".repeat(full)
            )
        }
        _ => format!("{done} {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_line_says_how_much_of_how_much() {
        assert_eq!(
            line("rows", 50, Some(200)),
            "[#####               ]  25 %  50 of 200 rows"
        );
        assert_eq!(
            line("rows", 300, Some(200)),
            "[####################] 100 %  300 of 200 rows"
        );
        assert_eq!(line("rows", 7, None), "7 rows");
        assert_eq!(line("rows", 7, Some(0)), "7 rows");
    }
}
