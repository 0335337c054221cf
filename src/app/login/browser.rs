//! The page on this machine to which a login page sends the browser back: a free port of loopback, open for one answer.

use std::future::IntoFuture;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use super::{Failure, PATIENCE};
use crate::accounts::refresh::By;
use crate::accounts::refresh::code::Page;
use crate::cli::Lines;
use crate::config::Oauth;
use crate::kit::Secret;

/// Where a browser is sent that cannot reach this machine: the person copies the address.
pub(super) const NOWHERE: &str = "http://127.0.0.1:1/callback";

/// How long the last answer may take to its browser.
const GOODBYE: Duration = Duration::from_secs(1);

/// Waits for the browser to come back.
pub(super) async fn by_loopback(oauth: &Oauth, lines: &mut Lines<'_>) -> Result<By, Failure> {
    let fixed = oauth.redirect_url.as_deref().map(|url| url.parse::<url::Url>()).transpose().map_err(Failure::new)?;
    let port = fixed.as_ref().and_then(url::Url::port_or_known_default).unwrap_or(0);
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let bound = TcpListener::bind(at).await;
    let listener = bound.map_err(|error| {
        Failure::new(format_args!("{at} cannot be listened on ({error}); log in with --paste instead"))
    })?;
    let address = listener.local_addr()?;
    let redirect = fixed.map_or_else(|| format!("http://{address}/callback"), String::from);
    let page = Page::new(oauth, &redirect).map_err(Failure::new)?;
    let path = redirect.parse::<url::Url>().map(|url| url.path().to_owned()).unwrap_or_default();
    lines.say(format_args!("open {} in a browser on this machine; elsewhere, begin again with --paste", page.url));
    let (came, mut answers) = mpsc::channel(1);
    let router = Router::new().fallback(take).with_state((path, came));
    let (close, closed) = oneshot::channel::<()>();
    let server = axum::serve(listener, router).with_graceful_shutdown(async { drop(closed.await) });
    let server = tokio::spawn(server.into_future());
    let query = tokio::select! {
        query = answers.recv() => query.unwrap_or_default(),
        () = tokio::time::sleep(PATIENCE) => return Err(Failure::new("nobody has logged in in time; begin again")),
    };
    // the browser still reads what to do
    drop(close);
    drop(tokio::time::timeout(GOODBYE, server).await);
    page.answer(&Secret::new(query)).map_err(Failure::new)
}

/// The first request for the right page is the answer; a browser also asks for icons.
async fn take(
    State((path, came)): State<(String, mpsc::Sender<String>)>,
    request: Request,
) -> (StatusCode, &'static str) {
    if request.uri().path() != path {
        return (StatusCode::NOT_FOUND, "keywheel waits at another page\n");
    }
    // a second answer is none: the first one ends the wait
    drop(came.try_send(request.uri().query().unwrap_or_default().to_owned()));
    (StatusCode::OK, "This page can be closed; the terminal says how it went.\n")
}
