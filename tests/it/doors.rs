//! Opening and closing doors: what is in the way is named, and calls under way are let finish.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use keywheel::config::Listen;
use keywheel::serve::{Bounds, DoorError, Doors};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::serve_support::{LONG, Version, exchange, house, house_with, open, raw, settings, tcp};

fn refused(listen: Listen, socket: &Path) -> DoorError {
    Doors::open(&settings(vec![listen]), socket).err().expect("refused")
}

fn unix() -> Listen {
    Listen::Unix(None)
}

/// A folder that only this user may enter, whatever the umask.
fn private() -> tempfile::TempDir {
    let mode = std::fs::Permissions::from_mode(0o700);
    tempfile::Builder::new().permissions(mode).tempdir().expect("a temporary folder")
}

#[tokio::test]
async fn a_taken_port_names_its_holder_and_a_way_out() {
    let house = house();
    let addr: std::net::SocketAddr = house.addr().parse().expect("an address");
    assert_ne!(addr.port(), 0, "urls show the real port");
    let error = refused(Listen::Tcp(addr), Path::new("/unused"));
    let said = error.to_string();
    let start = format!("port {} is taken by ", addr.port());
    assert!(said.starts_with(&start) && said.ends_with("stop it or use --listen tcp://127.0.0.1:0"), "{said}");
    if cfg!(target_os = "linux") {
        assert!(said.contains(&format!("pid {} (", std::process::id())), "{said}");
    }
}

#[tokio::test]
async fn clear_text_off_this_machine_needs_to_be_allowed() {
    let everywhere = Listen::Tcp("0.0.0.0:0".parse().expect("an address"));
    let said = refused(everywhere, Path::new("/unused")).to_string();
    assert!(said.contains("allow_plaintext"), "{said}");
    let pipe = refused(Listen::Pipe("keywheel".into()), Path::new("/unused"));
    assert!(matches!(pipe, DoorError::Unsupported(..)));
}

#[tokio::test]
async fn the_socket_is_private_and_goes_when_its_door_closes() {
    let house = house();
    let socket = house.socket();
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&socket), mode(socket.parent().expect("a folder"))), (0o600, 0o700));
    let second = refused(unix(), &socket);
    assert!(matches!(second, DoorError::SocketBusy(_)), "{second}");
    assert!(socket.exists(), "the one that answers is left alone");
    house.serving.close(Duration::from_secs(1)).await;
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_anything_else_in_its_place_is_not() {
    let home = private();
    let socket = home.path().join("keywheel.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("a socket that nobody serves any more"));
    assert!(std::os::unix::net::UnixStream::connect(&socket).is_err());
    let doors = Doors::open(&settings(vec![unix()]), &socket).expect("the stale one is replaced");
    std::os::unix::net::UnixStream::connect(&socket).expect("somebody listens again");
    drop(doors);
    assert!(!socket.exists());

    std::fs::write(&socket, "precious").expect("a file");
    assert!(matches!(refused(unix(), &socket), DoorError::InTheWay(_)));
    assert_eq!(std::fs::read_to_string(&socket).expect("it is left"), "precious");
}

#[tokio::test]
async fn a_socket_that_somebody_else_put_in_our_place_is_not_removed() {
    let home = private();
    let socket = home.path().join("keywheel.sock");
    let doors = Doors::open(&settings(vec![unix()]), &socket).expect("open");
    std::fs::rename(&socket, home.path().join("moved")).expect("renamed");
    let _other = std::os::unix::net::UnixListener::bind(&socket).expect("another");
    drop(doors);
    assert!(socket.exists());
}

#[tokio::test]
async fn a_socket_path_that_is_too_long_or_too_open_is_refused_with_a_way_out() {
    let home = private();
    let fill = 107 - home.path().as_os_str().len() - 1;
    let fits = home.path().join("s".repeat(fill));
    assert_eq!(fits.as_os_str().len(), 107);
    if cfg!(target_os = "linux") {
        drop(Doors::open(&settings(vec![unix()]), &fits).expect("107 bytes fit"));
    }
    let long = home.path().join("s".repeat(fill + 1));
    let said = refused(unix(), &long).to_string();
    assert!(said.contains("108 bytes long") && said.contains("--home"), "{said}");

    let loose = home.path().join("loose");
    std::fs::create_dir(&loose).expect("a folder");
    std::fs::set_permissions(&loose, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    let said = refused(unix(), &loose.join("s")).to_string();
    assert!(said.contains("open to other users (mode 755)"), "{said}");
}

#[tokio::test]
async fn calls_under_way_finish_when_the_doors_close_and_idle_connections_do_not_hold_them_up() {
    let house = house();
    let request =
        house.request("POST", "/v1/chat/completions").body(Full::new(Bytes::from_static(b"{\"model\":\"drip\"}")));
    let mut body =
        open(house.tcp().await, Version::One, request.expect("a request")).await.expect("an answer").into_body();
    body.frame().await.expect("a frame").expect("data");
    let mut idle = house.tcp().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    idle.read_u8().await.expect("an answer");
    let mut fresh = house.tcp().await;
    let addr = house.addr();

    let began = Instant::now();
    let closing = tokio::spawn(house.serving.close(Duration::from_secs(2)));
    for client in [&mut idle, &mut fresh] {
        let mut rest = Vec::new();
        timeout(Duration::from_secs(1), client.read_to_end(&mut rest)).await.expect("closed before the grace").ok();
    }
    assert!(tokio::net::TcpStream::connect(&addr).await.is_err(), "nobody new comes in");
    assert!(timeout(Duration::from_millis(200), body.frame()).await.is_err(), "the call goes on");
    timeout(LONG, closing).await.expect("in time").expect("no panic");
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(2), "it was given its grace: {took:?}");
    let end = timeout(LONG, body.frame()).await.expect("in time");
    assert!(matches!(end, Some(Err(_))), "and then cut: {end:?}");
}

#[tokio::test]
async fn doors_without_calls_close_at_once() {
    let house = house();
    let began = Instant::now();
    house.serving.close(Duration::from_secs(60)).await;
    assert!(began.elapsed() < LONG);
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_head_is_let_go() {
    let bounds = Bounds { head: Duration::from_millis(300), ..Bounds::default() };
    let house = house_with(settings(vec![tcp(), unix()]), bounds);
    for start in
        ["", "P", "PRI * HTTP/2.0\r\n", "GET /healthz HTTP/1.1\r\n", "GET /healthz HTTP/1.1\r\nhost: localhost\r\na: "]
    {
        let began = Instant::now();
        assert_eq!(raw(house.tcp().await, start.as_bytes()).await, "", "{start:?}");
        assert!(began.elapsed() >= Duration::from_millis(250), "{start:?}");
    }
    // one byte at a time does not buy more of it
    let (mut reader, mut writer) = house.tcp().await.into_split();
    let drip = tokio::spawn(async move {
        for byte in "GET /healthz HTTP/1.1\r\nhost: localhost\r\n".repeat(50).bytes() {
            if writer.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut said = Vec::new();
    timeout(LONG, reader.read_to_end(&mut said)).await.expect("in time").ok();
    assert!(said.is_empty() && !drip.is_finished(), "{said:?}");
    drip.abort();
}

#[tokio::test]
async fn a_body_that_stops_arriving_is_a_408() {
    let bounds = Bounds { body: Duration::from_millis(200), ..Bounds::default() };
    let house = house_with(settings(vec![tcp()]), bounds);
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx-api-key: {}\r\nconnection: close\r\n\
         content-length: 20\r\n\r\n{{\"model\"",
        house.key.expose()
    );
    assert!(raw(house.tcp().await, head.as_bytes()).await.starts_with("HTTP/1.1 408"));
    assert_eq!(house.calls(), 0);
}

#[tokio::test]
async fn one_connection_too_many_hears_why_and_finds_a_seat_later() {
    let bounds = Bounds { connections: Some(2), ..Bounds::default() };
    let house = house_with(settings(vec![tcp(), unix()]), bounds);
    let mut seated = Vec::new();
    for _ in 0..2 {
        let mut client = house.tcp().await;
        client.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
        client.read_u8().await.expect("an answer");
        seated.push(client);
    }
    for version in [Version::One, Version::Two] {
        let uri = format!("http://{}/healthz", house.addr());
        let request = http::Request::get(uri).header("host", house.addr()).body(Full::new(Bytes::new()));
        let got = exchange(house.tcp().await, version, request.expect("a request")).await;
        assert_eq!((got.status, got.headers["retry-after"].to_str().ok()), (503, Some("1")), "{version:?}");
        let said = got.error()["message"].to_string();
        assert!(said.contains("all 2 connections") && said.contains("ulimit"), "{said}");
    }
    seated.clear();
    let began = Instant::now();
    while house.send(http::Request::get("/healthz").header("host", "localhost"), "").await.status != 200 {
        assert!(began.elapsed() < LONG, "the seats are free again");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn another_user_is_refused_on_the_socket_even_where_its_mode_lets_them_in() {
    let house = house();
    let socket = house.socket();
    let parts = [socket.as_path(), socket.parent().expect("run"), house.home.path()];
    for path in parts {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).expect("chmod");
    }
    let nobody = ["--reuid=65534", "--clear-groups", "curl", "-sS", "-w", "%{http_code}", "--unix-socket"];
    let mut curl = tokio::process::Command::new("setpriv");
    curl.args(nobody).arg(&socket).arg("http://localhost/v1/models").kill_on_drop(true).env_clear();
    let curl = curl.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let output =
        if nix::unistd::geteuid().is_root() { timeout(LONG, curl.output()).await.expect("in time").ok() } else { None };
    let Some(output) = output else {
        assert!(std::env::var_os("KEYWHEEL_TEST_ALL").is_none(), "becoming another user needs root, setpriv and curl");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(said.ends_with("403") && said.contains("you are uid 65534"), "{said}");
    assert_eq!(house.calls(), 0);
}
