//! `bongsu tenant` and `bongsu rights`.

use crate::rights::Service;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `bongsu tenant`.
#[derive(Debug, Subcommand)]
pub enum Tenant {
    /// Add a tenant, or complete one: topic, ways in with their secrets (shown once), limits, buckets, and the
    /// configuration of its Telegraf
    Add(AddTenant),
    /// List the tenants
    List,
    /// One tenant, with what Kafka has of it
    Show {
        /// Its name
        tenant: String,
    },
    /// Make new secrets; those before stay valid until the next rotation
    Rotate(RotateTenant),
    /// Stop what a tenant sends; what is stored stays
    Suspend {
        /// Its name
        tenant: String,
    },
    /// Let a suspended tenant in again
    Resume {
        /// Its name
        tenant: String,
    },
    /// Remove a tenant with its secrets, topic and buckets
    Remove(RemoveTenant),
    /// What tenants have sent, and what of it is stored
    Usage {
        /// Only of this tenant
        tenant: Option<String>,
    },
}

/// `bongsu tenant add`.
#[derive(Debug, Clone, Args)]
pub struct AddTenant {
    /// 1 to 40 of a-z, 0-9 and '-'
    pub tenant: String,
    /// 24x7 or 8x5
    #[arg(long, value_name = "HOURS")]
    pub contract: Option<String>,
    /// What it may write: points as in 5k/s, bytes as in 2MB/s; may be given twice
    #[arg(long, value_name = "RATE")]
    pub limit: Vec<String>,
    /// Name for people
    #[arg(long)]
    pub name: Option<String>,
    /// Name of the escalation policy
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
    /// Make a new router token although there is one; the older of two goes
    #[arg(long)]
    pub new_token: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// What the agents are told
    #[command(flatten)]
    pub agents: Agents,
}

/// `bongsu tenant rotate`.
#[derive(Debug, Clone, Args)]
pub struct RotateTenant {
    /// Its name
    pub tenant: String,
    /// What the agents are told
    #[command(flatten)]
    pub agents: Agents,
}

/// What the agents of a tenant are told.
#[derive(Debug, Clone, Args)]
pub struct Agents {
    /// Write the secrets into files of this folder, ready for Telegraf, instead of printing them
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Where that folder will be on the agents' machines; left out: the same path
    #[arg(long, value_name = "DIR", requires = "folder")]
    pub installed_at: Option<PathBuf>,
    /// Address of the router as agents reach it
    #[arg(long, value_name = "URL")]
    pub router_url: Option<String>,
    /// Kafka brokers as agents reach them; left out: those of the configuration
    #[arg(long, value_name = "HOST:PORT,..", value_delimiter = ',')]
    pub agent_brokers: Vec<String>,
}

/// `bongsu tenant remove`.
#[derive(Debug, Clone, Args)]
pub struct RemoveTenant {
    /// Its name
    pub tenant: String,
    /// The name once more, instead of typing it
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Also when it is not declared: what a removal that was cut off has left
    #[arg(long)]
    pub leftovers: bool,
}

/// `bongsu rights`.
#[derive(Debug, Clone, Subcommand)]
pub enum Rights {
    /// List what each service needs
    List {
        /// Only of this service
        #[arg(long)]
        service: Option<Service>,
    },
    /// Give a user of Kafka the rights of a service
    Grant {
        /// The service
        service: Service,
        /// Name of the user in Kafka
        #[arg(long, value_name = "NAME")]
        user: String,
    },
    /// Take the rights of a service from a user of Kafka
    Revoke {
        /// The service
        service: Service,
        /// Name of the user in Kafka
        #[arg(long, value_name = "NAME")]
        user: String,
    },
}
