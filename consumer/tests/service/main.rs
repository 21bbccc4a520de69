//! The consumer as a service, over the embedded log: nothing lost, nothing committed too early.

mod handing_off;
mod life;
mod storing;
mod support;
