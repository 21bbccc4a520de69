//! Pages of code that only the start needed.
//!
//! A process touches most of its code once: it reads the command line and the configuration, loads certificates, joins
//! groups. Those pages are clean and lie in the system's cache anyway, but they count as the process's own until memory is
//! short, which inside of a container with a limit is late. What is needed again is mapped again from the cache, for less
//! than a microsecond a page.

use std::ops::Range;

/// What was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GivenBack {
    /// Mappings of code: the program's own and its libraries'.
    pub mappings: usize,
    /// Bytes of them, whether they were in memory or not.
    pub bytes: usize,
}

/// Gives the pages of the program's code and of its libraries' back. What runs next maps what it needs again.
///
/// # Errors
/// When the system does not tell what is mapped, or keeps the pages.
pub fn give_back_code() -> std::io::Result<GivenBack> {
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let mut given = GivenBack::default();
    for code in maps.lines().filter_map(code) {
        // SAFETY: the pages are a private mapping of a file that nothing has written to, since it may not be written; the
        // system reads them from the file again when they are touched, so no reader sees a difference.
        let said = unsafe {
            libc::madvise(
                std::ptr::without_provenance_mut(code.start),
                code.len(),
                libc::MADV_DONTNEED,
            )
        };
        if said != 0 {
            return Err(std::io::Error::last_os_error());
        }
        given.mappings += 1;
        given.bytes += code.len();
    }
    Ok(given)
}

/// The addresses of a line of `/proc/self/maps` (proc_pid_maps(5)), if it is code of a file: readable, executable, not
/// writable and private.
fn code(line: &str) -> Option<Range<usize>> {
    let mut words = line.split_ascii_whitespace();
    let (addresses, rights) = (words.next()?, words.next()?);
    let file = words.nth(3)?;
    if rights != "r-xp" || !file.starts_with('/') {
        return None;
    }
    let (start, end) = addresses.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    Some(address(start)?..address(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_files_is_told_from_all_else() {
        let line = |rights: &str, file: &str| {
            format!("55a0-66b0 {rights} 009bc000 fe:00 11643240   {file}")
        };
        assert_eq!(code(&line("r-xp", "/bin/bongsu")), Some(0x55a0..0x66b0));
        for (rights, file) in [
            ("r--p", "/bin/bongsu"),
            ("rw-p", "/bin/bongsu"),
            ("r-xs", "/bin/bongsu"),
            ("r-xp", "[vdso]"),
            ("r-xp", ""),
        ] {
            assert_eq!(code(&line(rights, file)), None, "{rights} {file}");
        }
    }

    #[test]
    fn a_program_goes_on_without_the_pages_of_its_code() {
        let given = give_back_code().unwrap();
        assert!(given.mappings >= 1 && given.bytes > 1 << 16, "{given:?}");
        // The second time much of it is not there.
        assert_eq!(give_back_code().unwrap(), given);
    }
}
