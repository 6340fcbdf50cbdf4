//! How a connection to the coordinator is made.

use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};

/// Makes a connection; called again for each attempt. The error says why not, for a person.
pub type Connect = Arc<dyn Fn() -> BoxFuture<'static, Result<Channel, String>> + Send + Sync>;

/// Pings find a peer that is gone without a word. Lenient, because the lease, not they, stops users.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Connections over TCP to `address` (`HOST:PORT`).
///
/// # Errors
/// When `address` cannot be the authority of a URL.
pub fn tcp(address: &str) -> Result<Connect, String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| format!("`{address}` is not HOST:PORT ({error})"))?
        .connect_timeout(Duration::from_secs(5))
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true);
    Ok(Arc::new(move || {
        let endpoint = endpoint.clone();
        Box::pin(async move { endpoint.connect().await.map_err(|error| innermost(&error)) })
    }))
}

/// The innermost cause: "Connection refused" says more than "transport error".
fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}
