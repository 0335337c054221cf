//! A collector of OpenTelemetry, made of the published messages and their gRPC service, and what it was told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

use crate::support::tls::Pems;

/// How it takes what it is told.
#[derive(Clone, Debug, Default)]
pub enum Manners {
    #[default]
    Takes,
    Slow(Duration),
    Refuses,
    Busy,
}

/// A collector.
pub struct Collector {
    pub addr: SocketAddr,
    heard: Heard,
    _serving: AbortOnDropHandle<()>,
}

#[derive(Clone, Default)]
struct Heard {
    requests: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    headers: Arc<Mutex<Vec<String>>>,
    manners: Arc<Mutex<Manners>>,
}

#[tonic::async_trait]
impl TraceService for Heard {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let manners = self.manners.lock().unwrap().clone();
        match manners {
            Manners::Takes => {}
            Manners::Slow(wait) => tokio::time::sleep(wait).await,
            Manners::Refuses => return Err(Status::permission_denied("not you")),
            Manners::Busy => return Err(Status::unavailable("later")),
        }
        self.headers.lock().unwrap().push(format!("{:?}", request.metadata()));
        self.requests.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// A collector on a free port.
    pub async fn start(manners: Manners) -> Self {
        Self::open("127.0.0.1:0", manners, None).await
    }

    /// The same behind TLS.
    pub async fn tls(pems: &Pems) -> Self {
        Self::open("127.0.0.1:0", Manners::Takes, Some(pems)).await
    }

    /// The same at this address.
    pub async fn open(at: &str, manners: Manners, pems: Option<&Pems>) -> Self {
        let heard = Heard { manners: Arc::new(Mutex::new(manners)), ..Heard::default() };
        let listener = tokio::net::TcpListener::bind(at).await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let mut server = Server::builder();
        if let Some(pems) = pems {
            let identity = Identity::from_pem(&pems.cert, &pems.key);
            server = server.tls_config(ServerTlsConfig::new().identity(identity)).expect("a certificate");
        }
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        let serving = server.add_service(TraceServiceServer::new(heard.clone())).serve_with_incoming(incoming);
        let serving = AbortOnDropHandle::new(tokio::spawn(async move { drop(serving.await) }));
        Self { addr, heard, _serving: serving }
    }

    /// From now on.
    pub fn behave(&self, manners: Manners) {
        *self.heard.manners.lock().unwrap() = manners;
    }

    /// All spans so far, parents first.
    pub fn spans(&self) -> Vec<Span> {
        let requests = self.heard.requests.lock().unwrap();
        let resources = requests.iter().flat_map(|request| &request.resource_spans);
        resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| scope.spans.clone()).collect()
    }

    /// The spans, once there are so many.
    pub async fn wait(&self, count: usize) -> Vec<Span> {
        let there = async || self.spans().len() >= count;
        crate::e2e_rig::until(&format!("{count} spans"), Duration::from_secs(20), there).await;
        self.spans()
    }

    /// Everything that it was sent, as text.
    pub fn all(&self) -> String {
        format!("{:?}", self.heard.requests.lock().unwrap())
    }

    /// The headers of every request, as text.
    pub fn headers(&self) -> Vec<String> {
        self.heard.headers.lock().unwrap().clone()
    }
}

/// The attributes of a span, as text.
pub fn attributes(span: &Span) -> BTreeMap<String, String> {
    let value = |pair: &KeyValue| text(pair.value.as_ref().and_then(|value| value.value.as_ref()));
    let all: BTreeMap<_, _> = span.attributes.iter().map(|pair| (pair.key.clone(), value(pair))).collect();
    assert_eq!(all.len(), span.attributes.len(), "no attribute twice: {:?}", span.attributes);
    all
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::DoubleValue(number)) => number.to_string(),
        Some(Value::ArrayValue(list)) => {
            let all: Vec<String> = list.values.iter().map(|value| text(value.value.as_ref())).collect();
            format!("[{}]", all.join(","))
        }
        other => panic!("{other:?}"),
    }
}
