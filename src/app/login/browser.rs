//! The page on this machine to which a login page sends the browser back: a free port of loopback, open for one answer.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::{Failure, PATIENCE};
use crate::accounts::refresh::By;
use crate::accounts::refresh::code::Page;
use crate::cli::Lines;
use crate::config::Oauth;
use crate::kit::Secret;

/// Where a browser is sent that cannot reach this machine: the person copies the address.
pub(super) const NOWHERE: &str = "http://127.0.0.1:1/callback";

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
    let server = axum::serve(listener, router);
    let query = tokio::select! {
        query = answers.recv() => query.unwrap_or_default(),
        _ = server => return Err(Failure::new("the page on this machine broke off; begin again")),
        () = tokio::time::sleep(PATIENCE) => return Err(Failure::new("nobody has logged in in time; begin again")),
    };
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
    // the answer needs a moment on its way before the page closes
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    (StatusCode::OK, "This page can be closed; the terminal says how it went.\n")
}
