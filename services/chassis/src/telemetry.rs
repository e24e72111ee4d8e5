//! Logs, traces and metrics of a process.
//!
//! Logs are lines of JSON (or text on a terminal) without personal data. Traces go out over OTLP when an
//! endpoint is set, and travel with the records in the W3C `traceparent` header. Metrics stand on the
//! Prometheus page, and go out over OTLP too.

use std::sync::OnceLock;

use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{Span, SpanKind, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// The header that a trace travels in (W3C Trace Context).
pub const TRACEPARENT: &str = "traceparent";

static TRACES: OnceLock<SdkTracerProvider> = OnceLock::new();
static METRICS: OnceLock<prometheus::Registry> = OnceLock::new();

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("failed to set up the export to {0}")]
    Export(String, #[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("failed to set up metrics")]
    Metrics(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("failed to set up logs")]
    Logs(#[from] tracing_subscriber::util::TryInitError),
}

/// Where telemetry goes.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `info`, or directives as `tracing-subscriber` takes them.
    pub log: String,
    /// Lines of JSON; otherwise text for people.
    pub log_json: bool,
    /// The OTLP/HTTP endpoint, such as `http://127.0.0.1:4318`; none keeps traces inside.
    pub otlp: Option<String>,
    pub instance: String,
}

/// Sends out what is still held when it is dropped.
pub struct Telemetry {
    meters: SdkMeterProvider,
}

impl Telemetry {
    /// # Errors
    /// When an exporter cannot be set up; nothing was sent then.
    pub fn start(settings: &Settings) -> Result<Self, TelemetryError> {
        let resource = Resource::builder()
            .with_service_name("causeway")
            .with_attribute(KeyValue::new("service.instance.id", settings.instance.clone()))
            .build();
        let tracing_layer = match &settings.otlp {
            Some(endpoint) => Some(start_traces(endpoint, resource.clone())?),
            None => None,
        };
        let filter = EnvFilter::try_new(&settings.log).unwrap_or_else(|_| EnvFilter::new("info"));
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
        let lines = if settings.log_json { lines.json().boxed() } else { lines.compact().boxed() };
        tracing_subscriber::registry().with(lines.with_filter(filter)).with(tracing_layer).try_init()?;
        Ok(Self { meters: start_metrics(settings, resource)? })
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        // What cannot be sent at the end is lost: telemetry never keeps a service from stopping.
        let _ = self.meters.shutdown();
        if let Some(traces) = TRACES.get() {
            let _ = traces.shutdown();
        }
    }
}

type Registry = tracing_subscriber::layer::Layered<
    tracing_subscriber::filter::Filtered<
        Box<dyn Layer<tracing_subscriber::Registry> + Send + Sync>,
        EnvFilter,
        tracing_subscriber::Registry,
    >,
    tracing_subscriber::Registry,
>;

fn start_traces(endpoint: &str, resource: Resource) -> Result<impl Layer<Registry> + use<>, TelemetryError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_endpoint(format!("{endpoint}/v1/traces"))
        .build()
        .map_err(|error| TelemetryError::Export(endpoint.to_owned(), error.into()))?;
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    let tracer = provider.tracer("causeway");
    global::set_tracer_provider(provider.clone());
    let _ = TRACES.set(provider);
    Ok(tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_filter(EnvFilter::new("info,hyper=off,reqwest=off")))
}

fn start_metrics(settings: &Settings, resource: Resource) -> Result<SdkMeterProvider, TelemetryError> {
    let registry = prometheus::Registry::new();
    let page = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .build()
        .map_err(|error| TelemetryError::Metrics(error.into()))?;
    let mut provider = SdkMeterProvider::builder().with_reader(page).with_resource(resource);
    if let Some(endpoint) = &settings.otlp {
        let exporter = opentelemetry_otlp::MetricExporter::builder()
            .with_http()
            .with_endpoint(format!("{endpoint}/v1/metrics"))
            .build()
            .map_err(|error| TelemetryError::Export(endpoint.clone(), error.into()))?;
        provider = provider.with_reader(PeriodicReader::builder(exporter).build());
    }
    let provider = provider.build();
    global::set_meter_provider(provider.clone());
    let _ = METRICS.set(registry);
    Ok(provider)
}

/// The Prometheus page; empty before [`Telemetry::start`].
pub fn metrics_page() -> String {
    let families = METRICS.get().map(prometheus::Registry::gather).unwrap_or_default();
    prometheus::TextEncoder::new().encode_to_string(&families).unwrap_or_default()
}

/// The trace of the span at hand, to travel with a record; `None` when traces are not exported.
pub fn current() -> Option<String> {
    use tracing_opentelemetry::OpenTelemetrySpanExt;
    TRACES.get()?;
    inject(&tracing::Span::current().context())
}

/// Makes the span at hand a child of the trace that came with a request.
pub fn adopt(traceparent: Option<&str>) {
    use tracing_opentelemetry::OpenTelemetrySpanExt;
    if let (Some(_), Some(parent)) = (TRACES.get(), traceparent) {
        // A span that was closed meanwhile simply stays without a parent.
        let _ = tracing::Span::current().set_parent(extract(parent));
    }
}

/// Goes on with the trace a record came in: a span for this service's part, whose id the outputs carry.
pub fn continued(traceparent: Option<&str>, service: &'static str) -> Option<String> {
    let traceparent = traceparent?;
    let Some(traces) = TRACES.get() else { return Some(traceparent.to_owned()) };
    let parent = extract(traceparent);
    let mut span = traces
        .tracer("causeway")
        .span_builder(format!("{service} answer"))
        .with_kind(SpanKind::Consumer)
        .start_with_context(&traces.tracer("causeway"), &parent);
    let context = parent.with_remote_span_context(span.span_context().clone());
    span.end();
    inject(&context)
}

fn extract(traceparent: &str) -> Context {
    struct One<'a>(&'a str);
    impl Extractor for One<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            (key == TRACEPARENT).then_some(self.0)
        }
        fn keys(&self) -> Vec<&str> {
            vec![TRACEPARENT]
        }
    }
    TraceContextPropagator::new().extract(&One(traceparent))
}

fn inject(context: &Context) -> Option<String> {
    struct One(Option<String>);
    impl Injector for One {
        fn set(&mut self, key: &str, value: String) {
            if key == TRACEPARENT {
                self.0 = Some(value);
            }
        }
    }
    let mut one = One(None);
    TraceContextPropagator::new().inject_context(context, &mut one);
    one.0
}
