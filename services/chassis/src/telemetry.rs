//! Logs, traces and metrics of a process.
//!
//! Logs are lines of JSON (or text on a terminal) without personal data. Traces go out over OTLP when an
//! endpoint is set, and travel with the records in the W3C `traceparent` header. Metrics stand on the
//! Prometheus page, and go out over OTLP too.

use std::sync::OnceLock;

use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{Span, SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use rdkafka::message::Headers;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::meters;

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
        tracing_subscriber::registry()
            .with(lines.with_filter(filter))
            .with(tracing_layer)
            // Without a filter every callsite of every library would be listened to.
            .with(CountLines.with_filter(LevelFilter::WARN))
            .try_init()?;
        let meters = start_metrics(settings, resource)?;
        meters::begin_lines();
        Ok(Self { meters })
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

/// Counts the lines that somebody should read.
struct CountLines;

impl<S: tracing::Subscriber> Layer<S> for CountLines {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        match *event.metadata().level() {
            tracing::Level::ERROR => meters::line("error"),
            tracing::Level::WARN => meters::line("warn"),
            _ => {}
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

/// The trace that a record came in.
pub fn traceparent(headers: &impl Headers) -> Option<String> {
    let header = headers.iter().find(|header| header.key == TRACEPARENT)?;
    Some(String::from_utf8_lossy(header.value?).into_owned())
}

/// Makes a span that was not entered yet a child of the trace that came with a request.
pub fn adopt(span: &tracing::Span, traceparent: Option<&str>) {
    use tracing_opentelemetry::OpenTelemetrySpanExt;
    if let (Some(_), Some(parent)) = (TRACES.get(), traceparent) {
        // A span that nobody records has no parent to be given.
        let _ = span.set_parent(extract(parent));
    }
}

/// One input on its way through one service: from when it was taken up until its answer is committed and folded.
/// Its records carry the trace on. Ends when it is dropped.
pub struct Hop {
    span: Option<global::BoxedSpan>,
    traceparent: Option<String>,
}

/// What a hop is about.
pub struct HopOf<'a> {
    pub service: &'static str,
    /// What the service does with the input, in one word.
    pub does: &'static str,
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    /// When the record was written, by Kafka's clock.
    pub written_at_ms: Option<i64>,
}

impl Hop {
    /// Goes on with the trace that a record came in, or begins one.
    pub fn begin(traceparent: Option<&str>, of: &HopOf<'_>) -> Self {
        if TRACES.get().is_none() {
            return Self { span: None, traceparent: traceparent.map(str::to_owned) };
        }
        let parent = traceparent.map(extract).unwrap_or_default();
        let now_ms = jiff::Timestamp::now().as_millisecond();
        let waited = of.written_at_ms.map_or(0, |written| now_ms.saturating_sub(written));
        let tracer = global::tracer("causeway");
        let span = tracer
            .span_builder(format!("{} {}", of.service, of.does))
            .with_kind(SpanKind::Consumer)
            .with_attributes([
                KeyValue::new("messaging.system", "kafka"),
                KeyValue::new("messaging.destination.name", of.topic.to_owned()),
                KeyValue::new("messaging.destination.partition.id", i64::from(of.partition)),
                KeyValue::new("messaging.kafka.offset", of.offset),
                KeyValue::new("causeway.service", of.service),
                KeyValue::new("causeway.waited_ms", waited),
            ])
            .start_with_context(&tracer, &parent);
        let traceparent = inject(&parent.with_remote_span_context(span.span_context().clone()));
        Self { span: Some(span), traceparent }
    }

    /// The trace that what follows from the input is written in.
    pub fn traceparent(&self) -> Option<&str> {
        self.traceparent.as_deref()
    }

    /// Nothing of it was committed: it will be taken up again.
    pub fn fail(&mut self) {
        if let Some(span) = &mut self.span {
            span.set_status(Status::error("aborted"));
        }
    }
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
