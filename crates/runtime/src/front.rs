//! Who answers at an address: one after the other, and no connection notices.

use axum::Router;
use axum::extract::Request;
use std::sync::{Arc, Mutex, PoisonError};
use tower::ServiceExt;

/// Answers each request by whoever it is at that time. A cheap handle.
#[derive(Debug, Clone)]
pub(crate) struct Front(Arc<Mutex<Router>>);

impl Front {
    pub(crate) fn new(first: Router) -> Self {
        Self(Arc::new(Mutex::new(first)))
    }

    /// From the next request on `next` answers, also on connections that are open.
    pub(crate) fn hand_over(&self, next: Router) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }

    fn now(&self) -> Router {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The router to be served.
    pub(crate) fn router(&self) -> Router {
        let front = self.clone();
        Router::new().fallback(move |request: Request| front.now().oneshot(request))
    }
}
