//! Puts services together into a process.

use std::future::Future;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use axum::Router;
use chassis::config::{Mistakes, Reader};
use chassis::decider::Service as _;
use chassis::host::{Host, Pages};
use chassis::sealing;
use tokio::net::TcpListener;
use utoipa_axum::router::OpenApiRouter;

use crate::openapi;

/// A service by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ServiceName {
    Directory,
    Intake,
    Routing,
    Mla,
    VictimId,
    DigestSets,
    Delivery,
    Audit,
    Dashboard,
}

impl ServiceName {
    pub const ALL: [Self; 9] = [
        Self::Directory,
        Self::Intake,
        Self::Routing,
        Self::Mla,
        Self::VictimId,
        Self::DigestSets,
        Self::Delivery,
        Self::Audit,
        Self::Dashboard,
    ];

    /// The names of all of them.
    pub fn names() -> [&'static str; Self::ALL.len()] {
        Self::ALL.map(Self::name)
    }

    /// Whether people and machines ask it to do something: the audit log and the dashboard only read.
    pub fn takes_commands(self) -> bool {
        !matches!(self, Self::Audit | Self::Dashboard)
    }

    /// As its topics and its address say it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Directory => directory::Directory::NAME,
            Self::Intake => intake::Intake::NAME,
            Self::Routing => routing::Routing::NAME,
            Self::Mla => mla::Mla::NAME,
            Self::VictimId => victim_id::VictimId::NAME,
            Self::DigestSets => digest_sets::DigestSets::NAME,
            Self::Delivery => delivery::Delivery::NAME,
            Self::Audit => audit::NAME,
            Self::Dashboard => dashboard::NAME,
        }
    }
}

/// Everything that a process of any service reads.
#[derive(Clone)]
pub struct Settings {
    pub host: chassis::host::Settings,
    pub sealing: sealing::Settings,
    pub intake: intake::settings::Settings,
    pub delivery: delivery::settings::Settings,
    pub audit: audit::settings::Settings,
    pub dashboard: dashboard::settings::Settings,
    /// The first directory, loaded once on an empty topic.
    pub genesis: Option<PathBuf>,
}

impl Settings {
    /// Reads the file and the environment over it.
    ///
    /// # Errors
    /// Every mistake at once.
    pub fn read(file: Option<&Path>) -> Result<Self, Mistakes> {
        let mut reader = Reader::open(file);
        let host = chassis::host::Settings::read(&mut reader);
        let sealing = sealing::Settings::read(&mut reader);
        let intake = intake::settings::Settings::read(&mut reader);
        let delivery = delivery::settings::Settings::read(&mut reader, sealing.vault_key_id.clone());
        let audit = audit::settings::Settings::read(&mut reader);
        let dashboard = dashboard::settings::Settings::read(&mut reader);
        let genesis = reader.optional("directory.genesis_file");
        reader.finish()?;
        Ok(Self { host, sealing, intake, delivery, audit, dashboard, genesis })
    }
}

/// Takes the address that the settings name: what is taken already is found before anything starts.
///
/// # Errors
/// When the address is taken, or not this machine's.
pub async fn listen(settings: &Settings) -> anyhow::Result<TcpListener> {
    let address = settings.host.listen;
    TcpListener::bind(address).await.with_context(|| format!("failed to listen on {address}"))
}

/// Runs the services until the stop sign, then drains.
///
/// # Errors
/// What keeps one of them from starting.
pub async fn serve(
    settings: Settings,
    services: &[ServiceName],
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let mut stop = Box::pin(stop);
    let names: Vec<&str> = services.iter().map(|service| service.name()).collect();
    let mut host = tokio::select! {
        host = Host::start(settings.host.clone(), &names) => host?,
        () = &mut stop => return Ok(()),
    };
    let mut pages = OpenApiRouter::with_openapi(openapi::head());
    let mut plain = Router::new();
    for service in services {
        let started = match service {
            ServiceName::Directory => directory::start(&mut host, settings.genesis.as_deref()),
            ServiceName::Intake => intake::start(&mut host, &settings.intake, &settings.sealing),
            ServiceName::Routing => routing::start(&mut host, &settings.sealing),
            ServiceName::Mla => mla::start(&mut host, &settings.sealing),
            ServiceName::VictimId => victim_id::start(&mut host, &settings.sealing),
            ServiceName::DigestSets => digest_sets::start(&mut host),
            ServiceName::Delivery => delivery::start(&mut host, &settings.delivery),
            ServiceName::Audit => audit::start(&mut host, &settings.audit),
            ServiceName::Dashboard => dashboard::start(&mut host, &settings.dashboard),
        };
        let Pages { described, status } = started
            .map_err(anyhow::Error::from_boxed)
            .with_context(|| format!("failed to start {service:?}"))?;
        pages = pages.merge(described);
        plain = plain.merge(status);
    }
    if host.clock.is_development() {
        plain = plain.merge(crate::development::clock_page(host.clock.clone()));
    }
    let (router, document) = pages.split_for_parts();
    let router = router.merge(plain).merge(openapi::pages(&document, services, &host.clock));
    Ok(host.serve(listener, router, stop).await?)
}

#[cfg(test)]
mod tests {
    use chassis::decider::Service;
    use schemas::envelope::Body as _;
    use schemas::topics;

    fn takes<S: Service>() -> Vec<(&'static str, &'static str)> {
        let inputs = std::iter::once(S::Command::TOPIC).chain(S::INPUTS.iter().copied());
        inputs.map(|input| (input, S::NAME)).collect()
    }

    #[test]
    fn the_table_of_inputs_says_what_each_service_takes_in() {
        let mut taken = [
            takes::<directory::Directory>(),
            takes::<intake::Intake>(),
            takes::<routing::Routing>(),
            takes::<mla::Mla>(),
            takes::<victim_id::VictimId>(),
            takes::<digest_sets::DigestSets>(),
            takes::<delivery::Delivery>(),
        ]
        .concat();
        let of = |(input, services): &(&'static str, &'static [&'static str])| {
            services.iter().map(|service| (*input, *service)).collect::<Vec<_>>()
        };
        let mut listed: Vec<_> = topics::INPUTS.iter().flat_map(of).collect();
        taken.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, taken);
    }
}
