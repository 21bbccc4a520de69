//! Memory of the process: which allocator it has, and how soon what is free goes back to the system.
//!
//! A consumer at full speed fills and frees its whole buffer many times a second, and hardly any block is freed by the
//! thread that made it: librdkafka unpacks, one thread gathers, others scan, compress and send. An allocator that keeps
//! pages for each thread keeps several times what is used. jemalloc's threads share a few arenas, and a thread of its own
//! gives back what is free after a moment.

mod code;

pub use code::{GivenBack, give_back_code};
pub use tikv_jemallocator::Jemalloc;

/// Arenas for all threads together; what is free goes back 10 ms later. `MALLOC_CONF` in the environment wins.
const SETTINGS: &[u8; 68] =
    b"narenas:4,dirty_decay_ms:10,muzzy_decay_ms:0,background_thread:true\0";

/// Where jemalloc looks for its settings (jemalloc(3), TUNING): a pointer to a text that ends with a NUL.
///
/// It belongs to the program that links this crate, since the allocator reads it before `main`.
// SAFETY: nothing else of the program has this name; jemalloc itself has it as a weak symbol, made to be replaced.
#[used]
#[unsafe(export_name = "malloc_conf")]
pub static MALLOC_CONF: &[u8; SETTINGS.len()] = SETTINGS;

#[cfg(test)]
mod tests {
    use std::ffi::{CStr, c_void};

    #[global_allocator]
    static ALLOCATOR: super::Jemalloc = super::Jemalloc;

    /// A setting that is in force.
    fn setting<T: Copy>(name: &CStr, mut value: T) -> T {
        let mut size = size_of::<T>();
        // SAFETY: the name ends with a NUL, and `value` has room for `size` bytes of any pattern that jemalloc writes.
        let said = unsafe {
            tikv_jemalloc_sys::mallctl(
                name.as_ptr(),
                (&raw mut value).cast::<c_void>(),
                &raw mut size,
                std::ptr::null_mut(),
                0,
            )
        };
        assert_eq!((said, size), (0, size_of::<T>()), "{name:?}");
        value
    }

    #[test]
    fn the_settings_are_in_force() {
        assert_eq!(setting(c"opt.narenas", 0_u32), 4);
        assert_eq!(setting(c"opt.dirty_decay_ms", 0_isize), 10);
        assert_eq!(setting(c"opt.muzzy_decay_ms", 1_isize), 0);
        assert_eq!(setting(c"opt.background_thread", 0_u8), 1);
    }
}
