//! The decisions of `evaluator::core`, one module a subject. One executable: each links all that the service needs,
//! and `scripts/mutants` builds and asks it once for each change.

mod core_across;
mod core_contract;
mod core_doubts;
mod core_explain;
mod core_functions;
mod core_golden;
mod core_kept;
mod core_ladder;
mod core_large;
mod core_late;
mod core_members;
mod core_past;
mod core_plans;
mod core_points;
mod core_refused;
mod core_replay;
mod core_restart;
mod core_rules;
mod core_spans;
mod core_support;
mod core_templates;
mod core_tenant;
mod detectors;
mod detectors_support;
mod shipped_samples;
