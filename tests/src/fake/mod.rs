//! What the stand-ins for providers share: a server whose connections can be cut, faults to inject,
//! a journal of everything that was asked of it.

mod cut;
mod faults;
mod journal;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio::task::JoinHandle;

use cut::{CuttableListener, Scissors};
pub use faults::{Fault, Faults};
pub use journal::{Entry, Journal, Outcome};

/// A server on a free loopback port that ends with this value.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    journal: Journal,
    faults: Arc<Faults>,
    task: JoinHandle<()>,
}

/// A stand-in is its server: `url`, `journal` and `faults` are the server's.
macro_rules! served_by {
    ($stand_in:ty) => {
        impl std::ops::Deref for $stand_in {
            type Target = $crate::fake::Server;

            fn deref(&self) -> &Self::Target {
                &self.server
            }
        }
    };
}
pub(crate) use served_by;

impl Server {
    /// Serves `routes`, with faults in front of them; the routes write into `journal` too.
    ///
    /// # Panics
    /// When no port can be bound.
    pub async fn start(routes: Router, journal: Journal) -> Self {
        let faults = Arc::<Faults>::default();
        let gate = Gate {
            faults: Arc::clone(&faults),
            journal: journal.clone(),
        };
        let routes = routes.layer(from_fn_with_state(gate, pass));
        let listener = CuttableListener::bind().await;
        let address = listener.address();
        let service = routes.into_make_service_with_connect_info::<Scissors>();
        let task = tokio::spawn(async move {
            let ended = axum::serve(listener, service).await;
            eprintln!("a stand-in for a provider ended: {ended:?}");
        });
        Self {
            address,
            journal,
            faults,
            task,
        }
    }

    /// What stands for the provider's own address, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request, the refused ones included.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Faults to come; `next_on("/send", ..)` limits one to a path.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Gate {
    faults: Arc<Faults>,
    journal: Journal,
}

/// Applies the next fault, if there is one for this path, else lets the request through.
async fn pass(
    State(gate): State<Gate>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let Some(fault) = gate.faults.take(&path) else {
        return next.run(request).await;
    };
    match fault {
        Fault::Slow(time) => {
            tokio::time::sleep(time).await;
            next.run(request).await
        }
        Fault::ResetAfterAccepting => {
            // The provider has it, and the sender will never know.
            drop(next.run(request).await);
            scissors.cut().await
        }
        Fault::HangAfterAccepting => {
            drop(next.run(request).await);
            std::future::pending().await
        }
        Fault::Reset => {
            gate.journal.faulted(&path, fault);
            scissors.cut().await
        }
        Fault::Hang => {
            gate.journal.faulted(&path, fault);
            std::future::pending().await
        }
        Fault::Status { .. } => {
            gate.journal.faulted(&path, fault.clone());
            fault.into_response()
        }
    }
}
