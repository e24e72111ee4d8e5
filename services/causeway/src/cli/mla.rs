//! Legal assistance on the command line: for the clerks of both sides.

mod paper;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use client::Client;
use mla::http::view::PeriodView;
use mla::http::{Asked, Due, DueItem, LegalBases, RequestView, Requests, Unit, Yearly};
use schemas::codes::{IncidentKind, Measure, RequestStep};
use schemas::ids::{AgencyId, Country, IncidentId, KeyId, RequestId};
use schemas::time::Date;
use serde_json::{Value, json};

use super::Output;
use super::agency::{anew, read_key};
use super::table::table;

#[derive(Subcommand)]
pub enum Mla {
    /// Which legal bases two States have for a measure, and why the others do not apply.
    ///
    /// Example: causeway mla bases --requesting DE --requested US --measure preservation --kind csam
    Bases {
        #[arg(long)]
        requesting: Country,
        #[arg(long)]
        requested: Country,
        #[arg(long)]
        measure: Measure,
        /// The day, such as 2026-11-26; today without.
        #[arg(long)]
        date: Option<Date>,
        /// What the incident is about.
        #[arg(long)]
        kind: Option<IncidentKind>,
    },
    /// Write a request or an order from a JSON file; docs/for-clerks.md has examples.
    Draft { incident: IncidentId, file: PathBuf },
    /// Write a draft anew, the whole of it.
    Amend { incident: IncidentId, request: RequestId, file: PathBuf },
    /// The requests of an incident, or one of them.
    Show { incident: IncidentId, request: Option<RequestId> },
    /// Take a step in a request: `validation`, `transmission`, `receipt`, `refusal` and so on.
    ///
    /// Example: causeway mla step INCIDENT REQUEST refusal '{"ground": "essential-interests"}' --note "see annex"
    Step {
        incident: IncidentId,
        request: RequestId,
        step: RequestStep,
        /// What the step says, as JSON; without, nothing more.
        #[arg(default_value = "{}")]
        says: String,
        /// Free text for the other side; sealed.
        #[arg(long)]
        note: Option<String>,
        /// The own reference; sealed.
        #[arg(long)]
        reference: Option<String>,
    },
    /// Let an agency of one's own State take part in a request.
    Involve { incident: IncidentId, request: RequestId, agency: AgencyId },
    /// Open the texts of a request. Decrypts here: the private key never leaves this machine.
    Open {
        incident: IncidentId,
        request: RequestId,
        /// The file of the agency's private key, as `causeway keygen` writes it.
        #[arg(long)]
        key: PathBuf,
        #[arg(long)]
        key_id: KeyId,
    },
    /// Put a request on paper, as PDF, from its opened texts. It is made here; its digest is recorded in the request.
    ///
    /// Example: causeway mla paper INCIDENT REQUEST --form budapest-29 --out request.pdf --key agency.key --key-id de-1
    Paper(paper::Paper),
    /// What the agency owes and is owed, soonest first, and what has changed since yesterday.
    Due {
        /// An instant, such as 2026-11-25T08:00:00Z; a day ago without.
        #[arg(long)]
        since: Option<jiff::Timestamp>,
        /// How many items, 1 to 1000; 200 without.
        #[arg(long)]
        limit: Option<usize>,
    },
    /// The yearly statistics on orders (Regulation (EU) 2023/1543, Article 28(2)).
    Statistics {
        year: i16,
        /// As they stood at an instant; now without.
        #[arg(long)]
        as_of: Option<jiff::Timestamp>,
    },
}

impl Mla {
    pub async fn run(self, client: &Client, output: &Output) -> anyhow::Result<()> {
        match self {
            Self::Bases { requesting, requested, measure, date, kind } => {
                let mut path = format!(
                    "/v1/legal-bases?requesting={requesting}&requested={requested}&measure={measure}"
                );
                path.extend(date.map(|date| format!("&date={date}")));
                path.extend(kind.map(|kind| format!("&kind={kind}")));
                let bases: LegalBases = client.get(&path).await?;
                output.print(&bases, || bases_text(&bases))
            }
            Self::Draft { incident, file } => {
                let path = format!("/v1/incidents/{incident}/requests");
                write(client, output, &path, "draft", &read(&file)?).await
            }
            Self::Amend { incident, request, file } => {
                let path = format!("/v1/incidents/{incident}/requests/{request}/amend");
                write(client, output, &path, "amend", &read(&file)?).await
            }
            Self::Show { incident, request: Some(request) } => {
                let view: RequestView =
                    client.get(&format!("/v1/incidents/{incident}/requests/{request}")).await?;
                output.print(&view, || request_text(&view))
            }
            Self::Show { incident, request: None } => {
                let all: Requests = client.get(&format!("/v1/incidents/{incident}/requests")).await?;
                output.print(&all, || requests_text(&all))
            }
            Self::Step { incident, request, step, says, note, reference } => {
                let says: Value = serde_json::from_str(&says).context("what the step says is no JSON")?;
                let mut body = json!({ "step": says });
                let texts = [("note", note), ("reference", reference)];
                for (name, text) in texts.into_iter().filter_map(|(name, text)| Some((name, text?))) {
                    body[name] = text.into();
                }
                let path = format!("/v1/incidents/{incident}/requests/{request}/{step}");
                write(client, output, &path, step.code(), &body).await
            }
            Self::Involve { incident, request, agency } => {
                let path = format!("/v1/incidents/{incident}/requests/{request}/units");
                write(client, output, &path, "involve", &Unit { agency }).await
            }
            Self::Open { incident, request, key, key_id } => {
                let keys = read_key(&key)?;
                let opened = client.open_request(incident, request, &key_id, &keys, &anew("open")).await?;
                for facet in &opened {
                    output.print(facet, || {
                        let content = serde_json::to_string_pretty(&facet.content).unwrap_or_default();
                        format!("{} {}\n{content}\n", facet.kind, facet.facet_id)
                    })?;
                }
                Ok(())
            }
            Self::Paper(paper) => paper.run(client, output).await,
            Self::Due { since, limit } => {
                let since = since.map(|since| format!("since={since}"));
                let asked: Vec<String> =
                    since.into_iter().chain(limit.map(|limit| format!("limit={limit}"))).collect();
                let due: Due = client.get(&format!("/v1/mla/due?{}", asked.join("&"))).await?;
                output.print(&due, || due_text(&due))
            }
            Self::Statistics { year, as_of } => {
                let as_of = as_of.map_or(String::new(), |as_of| format!("&as_of={as_of}"));
                let yearly: Yearly = client.get(&format!("/v1/mla/statistics?year={year}{as_of}")).await?;
                output.print(&yearly, || statistics_text(&yearly))
            }
        }
    }
}

fn read(file: &Path) -> anyhow::Result<Asked> {
    let text = std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no request", file.display()))
}

async fn write(
    client: &Client,
    output: &Output,
    path: &str,
    verb: &str,
    body: &impl serde::Serialize,
) -> anyhow::Result<()> {
    let view: RequestView = client.command(path, &anew(verb), body).await?;
    output.print(&view, || request_text(&view))
}

fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn codes<T: ToString>(values: &[T]) -> String {
    let codes: Vec<String> = values.iter().map(ToString::to_string).collect();
    if codes.is_empty() { "-".to_owned() } else { codes.join(", ") }
}

fn bases_text(bases: &LegalBases) -> String {
    let mut text =
        format!("{} asks {} for {} on {}\n\n", bases.requesting, bases.requested, bases.measure, bases.date);
    let candidates = bases.candidates.iter().map(|one| {
        let clocks = one.clocks.iter().map(|clock| clock.id.as_str()).collect::<Vec<_>>().join(", ");
        vec![one.instrument.to_string(), one.mark.to_string(), one.articles.join(", "), clocks]
    });
    text += &table(&["candidate", "mark", "articles", "periods"], &candidates.collect::<Vec<_>>());
    let unsure = bases.candidates.iter().filter_map(|one| Some((&one.instrument, one.notice.as_ref()?)));
    text += &notices(unsure);
    let limits = bases.candidates.iter().filter(|one| !one.limits.is_empty());
    for one in limits {
        text += &format!("  {}: {}\n", one.instrument, one.limits.join("; "));
    }
    let excluded = bases.excluded.iter().map(|one| {
        let reasons = one.reasons.iter().map(|reason| match &reason.country {
            Some(country) => format!("{} ({country})", reason.code),
            None => reason.code.to_string(),
        });
        vec![one.instrument.to_string(), one.answer.to_string(), reasons.collect::<Vec<_>>().join(", ")]
    });
    text += &format!("\n{}", table(&["not offered", "answer", "because"], &excluded.collect::<Vec<_>>()));
    text + "\n" + &bases.disclaimer + "\n"
}

fn requests_text(all: &Requests) -> String {
    let rows = all.requests.iter().map(|view| {
        vec![
            view.request_id.to_string(),
            view.kind.to_string(),
            view.state.to_string(),
            format!("{} to {}", view.requesting.country, view.requested.country),
            codes(&view.measures),
        ]
    });
    let watched = all.watched.iter().map(|view| {
        let between = format!("{} to {}", view.requesting, view.requested);
        vec!["-".to_owned(), view.kind.to_string(), view.state.to_string(), between, codes(&view.measures)]
    });
    table(&["request", "kind", "state", "between", "measures"], &rows.chain(watched).collect::<Vec<_>>())
}

fn request_text(view: &RequestView) -> String {
    let mut text = format!(
        "request {}  {}  {}\n{} ({}) to {} ({})  for {}  as {}\n",
        view.request_id,
        view.kind,
        view.state,
        view.requesting.country,
        view.requesting.authority,
        view.requested.country,
        view.requested.authority,
        codes(&view.measures),
        view.role,
    );
    if let Some(basis) = &view.basis {
        text += &format!("basis {} ({})  {}\n", basis.instrument, basis.mark, basis.title);
        text.extend(basis.notice.iter().map(|notice| format!("  note: {notice}\n")));
    }
    for missing in &view.missing {
        text += &format!("missing: {} ({}, {})\n", missing.element, missing.article, missing.mark);
    }
    for advice in &view.advice {
        let article = advice.article.as_ref().map_or(String::new(), |article| format!(" ({article})"));
        text += &format!("can be done: {}{article}\n", advice.advice);
    }
    if !view.conditions.is_empty() {
        let agreed = if view.conditions_agreed { "agreed" } else { "not agreed yet" };
        text += &format!("conditions: {} ({agreed})\n", codes(&view.conditions));
    }
    text += &periods_text(&view.periods);
    if !view.evidence.is_empty() {
        text += &format!("\n{}", custody_text(view));
    }
    let steps = view.history.iter();
    let steps = steps.map(|step| {
        let says = step.said.iter().filter(|(_, value)| !value.is_null());
        let says: Vec<String> = says.map(|(name, value)| format!("{name} {value}")).collect();
        vec![step.at.to_string(), step.step.to_string(), or_dash(step.by.as_ref()), codes(&says)]
    });
    text + "\n" + &table(&["when", "step", "by", "says"], &steps.collect::<Vec<_>>())
}

fn periods_text(periods: &[PeriodView]) -> String {
    if periods.is_empty() {
        return String::new();
    }
    let rows = periods.iter().map(|period| {
        let stands = match (period.end, period.ran_out, period.paused) {
            (Some(end), _, _) => end.to_string(),
            (None, Some(_), _) => "run out".to_owned(),
            (None, None, Some(_)) => "paused".to_owned(),
            (None, None, None) => "runs".to_owned(),
        };
        vec![
            period.clock.clone(),
            period.article.clone(),
            format!("{} {}", period.kind, period.due),
            period.owed_by.to_string(),
            stands,
            period.mark.to_string(),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let head = ["period", "article", "until before", "owed by", "stands", "mark"];
    let unsure = periods.iter().filter_map(|period| Some((&period.clock, period.notice.as_ref()?)));
    format!("\n{}{}", table(&head, &rows), notices(unsure))
}

/// What is not sure of something, once for each of its name.
fn notices<'a, T: ToString>(unsure: impl Iterator<Item = (T, &'a String)>) -> String {
    let lines: BTreeSet<String> =
        unsure.map(|(name, notice)| format!("  {}: {notice}\n", name.to_string())).collect();
    lines.into_iter().collect()
}

/// The chain of custody of what was transmitted: each piece by its digest, from whom it went to whom, and what came of
/// comparing it.
fn custody_text(view: &RequestView) -> String {
    let rows = view.evidence.iter().map(|one| {
        vec![
            one.digest.clone(),
            one.data_holder.to_string(),
            one.channel.to_string(),
            format!("{} {}", one.sent, one.sent_by),
            one.received
                .map_or_else(|| "-".to_owned(), |at| format!("{at} {}", or_dash(one.received_by.as_ref()))),
            or_dash(one.check),
        ]
    });
    let head = ["evidence (SHA-256)", "data holder", "channel", "sent", "received", "digest"];
    table(&head, &rows.collect::<Vec<_>>())
}

fn due_text(due: &Due) -> String {
    let rows: Vec<Vec<String>> = due.items.iter().map(due_row).collect();
    let head = ["due before", "whose turn", "with", "reason", "article", "measures", "request"];
    let mut text = table(&head, &rows);
    text.extend(due.more.then_some("there is more: raise --limit\n"));
    text += &notices(due.items.iter().filter_map(|item| Some((item.clock.as_ref()?, item.notice.as_ref()?))));
    let changed = due.changed.iter().map(|one| {
        let ran_out = one.ran_out.iter().map(|clock| format!("{clock} ran out"));
        let what: Vec<String> = one.steps.iter().map(ToString::to_string).chain(ran_out).collect();
        vec![one.at.to_string(), one.state.to_string(), what.join(", "), one.request_id.to_string()]
    });
    let rows: Vec<Vec<String>> = changed.collect();
    format!("{text}\nsince {}\n{}", due.since, table(&["when", "state", "what", "request"], &rows))
}

fn due_row(item: &DueItem) -> Vec<String> {
    let article = match (&item.article, item.mark) {
        (Some(article), Some(mark)) => format!("{} {article} ({mark})", or_dash(item.instrument.as_ref())),
        _ => "-".to_owned(),
    };
    vec![
        if item.paused { "paused".to_owned() } else { or_dash(item.due) },
        if item.owed_by_us { "ours" } else { "theirs" }.to_owned(),
        item.with.to_string(),
        item.reason.to_string(),
        article,
        codes(&item.measures),
        item.request_id.to_string(),
    ]
}

fn statistics_text(yearly: &Yearly) -> String {
    let rows = yearly.issued.iter().map(|row| {
        let (group, figures) = (&row.group, &row.figures);
        vec![
            group.kind.to_string(),
            group.data.to_string(),
            or_dash(group.addressee.as_ref()),
            if group.emergency { "emergency" } else { "-" }.to_owned(),
            figures.issued.to_string(),
            figures.fulfilled.to_string(),
            figures.not_fulfilled.to_string(),
            figures.pending.to_string(),
            or_dash(figures.average_seconds),
        ]
    });
    let head = [
        "orders",
        "data",
        "addressee",
        "situation",
        "issued",
        "fulfilled",
        "not",
        "pending",
        "average seconds",
    ];
    let enforced = &yearly.enforced;
    format!(
        "{} {}, as of {}\n{}\nenforcement asked of it: {}, fulfilled {}\n",
        yearly.country,
        yearly.year,
        yearly.as_of,
        table(&head, &rows.collect::<Vec<_>>()),
        enforced.received,
        enforced.fulfilled,
    )
}
