//! The catalogue: what operators declare, as strict YAML in files and as JSON in its topic.

mod account;
mod bundle;
mod care;
mod check;
mod check_all;
mod entry;
mod error;
mod integration;
mod json_schema;
mod limits;
mod live;
mod merge;
mod over;
mod overrides;
mod people;
mod per_priority;
mod room_target;
mod schedule;
mod schedule_check;
mod shard;
mod shipped;
mod step_target;
mod template;
mod template_check;
mod tenant;
mod text;
mod yaml;

pub use account::{Account, Accounted, Author, account_key, hash_of};
pub use bundle::{Bundle, BundleContent};
pub use care::{Dependency, Grouping, PriorityWord, RouteTarget, RoutingRule, Selector};
pub use check::{Flaw, check_entry, locate};
pub use check_all::check_catalogue;
pub use entry::{Entry, Kind, Located, Places};
pub use error::CatalogueError;
pub use integration::{Integration, IntegrationFormat};
pub use json_schema::{all_json_schemas, json_schema};
pub use limits::Limits;
pub use live::{Catalogue, Record, RecordError, decode_value, encode_value};
pub use merge::{MergeError, changed_fields, extended_template, merged_template};
pub use over::{Function, Over};
pub use overrides::{Changes, Override, OverrideRank, Target};
pub use people::{
    AcknowledgeWithin, ChannelKind, Channels, Contact, ContactRule, Ends, EscalationPolicy,
    Language, Step,
};
pub use per_priority::PerPriority;
pub use room_target::RoomTarget;
pub use schedule::{
    Day, Every, EveryUnit, HolidayCalendar, Hours, Layer, OnHolidays, Schedule, ScheduleOverride,
    Team, Turn,
};
pub use shard::{Epoch, EpochStart, Placement, Shard, ShardProduct};
pub use shipped::{SYSTEM_TENANT, shipped_files, shipped_templates, system_templates};
pub use step_target::StepTarget;
pub use template::{
    AppliesTo, Expectation, Given, GivenSeries, Level, OneOrMany, Template, TemplateTest,
    Threshold, WhenMissing,
};
pub use template_check::CHANGING_TAGS;
pub use tenant::{Contract, DEFAULT_CLUSTER, Evaluation, ScramMechanism, Sha256, Tenant, Token};
pub use yaml::parse_yaml;
