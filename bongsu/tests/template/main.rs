//! `bongsu template` as a person runs it: the program itself, over files, without a running system.

mod backtest;
mod explain;
mod import;
mod lint;
mod replay;
mod support;
