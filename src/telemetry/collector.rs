//! A connection to a collector: OTLP over gRPC, TLS always verified.

use std::str::FromStr;
use std::sync::Arc;

use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use super::proto::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use crate::config::Otlp;
use crate::vault::Source;

/// Where spans are taken.
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// A collector and the way to it.
pub(super) struct Collector {
    otlp: Arc<Otlp>,
    grpc: Grpc<Channel>,
}

/// What became of spans that were sent.
pub(super) enum Sent {
    /// They were taken, all but so many.
    Taken(u64),
    /// They may be taken later; why not now.
    Later(String),
    /// They never will be; why.
    Never(String),
}

impl Collector {
    /// The collector of these settings. Nothing is connected before something is sent.
    pub(super) fn new(otlp: &Arc<Otlp>) -> Result<Self, String> {
        let wrong = |error: tonic::transport::Error| format!("the collector's settings cannot be used: {error}");
        let mut endpoint = Endpoint::from_shared(otlp.endpoint.clone())
            .map_err(wrong)?
            .timeout(otlp.timeout)
            .connect_timeout(otlp.timeout)
            .user_agent(concat!("keywheel/", env!("CARGO_PKG_VERSION")))
            .map_err(wrong)?;
        if otlp.endpoint.starts_with("https:") {
            let mut tls = ClientTlsConfig::new().with_native_roots();
            if let Some(file) = &otlp.ca_file {
                let read = |error| format!("{} cannot be read: {error}", file.display());
                tls = tls.ca_certificate(Certificate::from_pem(std::fs::read(file).map_err(read)?));
            }
            endpoint = endpoint.tls_config(tls).map_err(wrong)?;
        }
        Ok(Self { otlp: Arc::clone(otlp), grpc: Grpc::new(endpoint.connect_lazy()) })
    }

    /// Whether these are still its settings.
    pub(super) fn is_of(&self, otlp: &Otlp) -> bool {
        *self.otlp == *otlp
    }

    /// Sends spans, within the collector's time.
    pub(super) async fn send(&mut self, spans: ExportTraceServiceRequest, source: &Source) -> Sent {
        let metadata = match self.metadata(source).await {
            Ok(metadata) => metadata,
            Err(sent) => return sent,
        };
        let patience = self.otlp.timeout;
        let whole = async {
            let mut request = Request::new(spans);
            *request.metadata_mut() = metadata;
            self.grpc.ready().await.map_err(|error| Sent::Later(words(&error)))?;
            let codec = ProstCodec::<ExportTraceServiceRequest, ExportTraceServiceResponse>::default();
            self.grpc.unary(request, PathAndQuery::from_static(EXPORT), codec).await.map_err(|status| judged(&status))
        };
        match tokio::time::timeout(patience, whole).await {
            Err(_) => Sent::Later(format!("it did not answer within {patience:?}")),
            Ok(Ok(answer)) => {
                let rejected = answer.into_inner().partial_success.map_or(0, |partial| partial.rejected_spans);
                Sent::Taken(u64::try_from(rejected).unwrap_or(0))
            }
            Ok(Err(sent)) => sent,
        }
    }

    async fn metadata(&self, source: &Source) -> Result<MetadataMap, Sent> {
        let mut metadata = MetadataMap::new();
        let unusable = |name: &str| Sent::Never(format!("the header {name} cannot be sent"));
        let key = |name: &str| MetadataKey::<Ascii>::from_str(&name.to_ascii_lowercase()).map_err(|_| unusable(name));
        for (name, value) in &self.otlp.headers {
            metadata.insert(key(name)?, MetadataValue::from_str(value).map_err(|_| unusable(name))?);
        }
        for (name, account) in &self.otlp.secrets {
            let secret = source.resolve(account).await.map_err(|error| Sent::Later(error.to_string()))?;
            let Some(secret) = secret else { continue };
            let mut value = MetadataValue::from_str(secret.expose()).map_err(|_| unusable(name))?;
            value.set_sensitive(true);
            metadata.insert(key(name)?, value);
        }
        Ok(metadata)
    }
}

/// Which refusals pass (OTLP specification, "Failures"). What the collector itself says is not repeated: it may hold
/// anything.
fn judged(status: &Status) -> Sent {
    // only what failed on our side has a cause
    let ours = std::error::Error::source(status).map(words);
    let said = ours.unwrap_or_else(|| status.code().description().to_owned());
    match status.code() {
        Code::Unavailable
        | Code::Cancelled
        | Code::DeadlineExceeded
        | Code::ResourceExhausted
        | Code::Aborted
        | Code::OutOfRange
        | Code::DataLoss
        | Code::Unknown => Sent::Later(said),
        _ => Sent::Never(said),
    }
}

/// An error and what caused it.
fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words = format!("{words}: {inner}");
        cause = inner.source();
    }
    words
}
