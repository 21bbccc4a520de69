//! Nights: what several providers, channels and people do together.

// The harness is the outside world, and so are its tests.
#![allow(clippy::disallowed_methods)]

mod film;

mod world;
