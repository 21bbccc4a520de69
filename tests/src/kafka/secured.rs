//! A listener with TLS, SCRAM and access rules, beside the plain one of the tests' own clients.

use crate::authority::Authority;
use crate::workdir::Workdir;
use std::path::{Path, PathBuf};

/// Who may do everything there.
pub const ADMIN: &str = "admin";
/// The password of [`ADMIN`].
pub const ADMIN_PASSWORD: &str = "canary-admin-4711";

/// The listener of one node, and the authority that signed its certificate.
#[derive(Debug)]
pub(super) struct Secured {
    port: u16,
    ca: PathBuf,
    folder: Workdir,
}

impl Secured {
    /// A certificate for this machine, signed by an authority that is made for it.
    pub(super) fn make(port: u16) -> Self {
        let folder = Workdir::new("kafka-tls");
        let authority = Authority::new("Bongsu's tests");
        let node = authority.sign(&["127.0.0.1", "localhost"]);
        folder.write("node.pem", &(node.key + &node.certificate));
        let ca = folder.write("ca.pem", &authority.pem());
        Self { port, ca, folder }
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) fn ca(&self) -> &Path {
        &self.ca
    }

    /// Who comes through the plain listener is `ANONYMOUS` and may do everything: the tests and the controller.
    pub(super) fn settings(&self) -> String {
        let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
        format!(
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
             super.users=User:ANONYMOUS;User:{ADMIN}\n\
             listener.name.secured.ssl.keystore.type=PEM\n\
             listener.name.secured.ssl.keystore.location={}\n\
             listener.name.secured.sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512\n\
             listener.name.secured.scram-sha-256.sasl.jaas.config={scram}\n\
             listener.name.secured.scram-sha-512.sasl.jaas.config={scram}\n",
            self.folder.join("node.pem").display()
        )
    }
}

/// What the log folder is formatted with, so that the first user is there before the first login.
pub(super) fn first_user() -> [String; 2] {
    let user = format!("SCRAM-SHA-512=[name={ADMIN},password={ADMIN_PASSWORD}]");
    ["--add-scram".to_owned(), user]
}
