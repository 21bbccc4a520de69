//! How soon memory that is free goes back to the system.
//!
//! mimalloc keeps what was freed for a second, so that whoever wants it next finds it mapped. A consumer at full speed frees
//! its whole buffer several times in that second, from many threads: what is kept becomes several times what is used.
//! No safe call reaches the setting.

use libmimalloc_sys as native;

/// The option `purge_delay` of mimalloc 3, which the bindings do not name: its place among the options (`mimalloc.h`).
const PURGE_DELAY: native::mi_option_t = 15;
/// Milliseconds after which free memory goes back.
const SOON_MS: core::ffi::c_long = 10;

/// Has free memory go back after 10 ms, unless `MIMALLOC_PURGE_DELAY` says otherwise.
pub fn give_back_soon() {
    // SAFETY: sets a number under a lock-free flag; it may be called at any time and from any thread.
    unsafe { native::mi_option_set_default(PURGE_DELAY, SOON_MS) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_one_that_holds_a_second_by_default() {
        // SAFETY: reads a number.
        let before = unsafe { native::mi_option_get(PURGE_DELAY) };
        assert_eq!(before, 1_000);
        give_back_soon();
        // SAFETY: reads a number.
        let now = unsafe { native::mi_option_get(PURGE_DELAY) };
        assert_eq!(now, SOON_MS);
    }
}
