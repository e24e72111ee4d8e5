//! Victim identification on the command line: for the officers of units that look for children.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use client::Client;
use schemas::Timestamp;
use schemas::codes::{
    AgeBand, AttributionReason, ChildStatus, ColdReason, Confidence, HandoverDeclineReason, LinkSide,
    NotificationPreference, Remedy,
};
use schemas::ids::{AgencyId, ChildRef, Country, IncidentId, KeyId, LinkId, OfferId, SeriesId};
use serde_json::{Value, json};
use victim_id::http::{ChildView, Children, Found, Queue, Recorded, WatchedChild};

use super::Output;
use super::agency::{anew, read_key};
use super::exposure;
use super::table::table;

const MINUTES_A_DAY: i64 = 24 * 60;

/// A child of an incident.
#[derive(Args)]
pub struct At {
    incident: IncidentId,
    child: ChildRef,
}

#[derive(Subcommand)]
pub enum Child {
    /// The children before the agency, and what speaks for looking at each of them now.
    Queue {
        /// How many, 1 to 1000; 100 without.
        #[arg(long)]
        limit: Option<usize>,
    },
    /// The children of an incident, or one of them.
    Show { incident: IncidentId, child: Option<ChildRef> },
    /// Register a child that the referral does not name.
    Register {
        incident: IncidentId,
        #[arg(long)]
        age_band: AgeBand,
    },
    /// Take up the search for a child that nobody has, or that a coordinator has asked the agency to take over.
    Take {
        #[command(flatten)]
        at: At,
        /// How long you may say nothing before others may be asked, in days.
        #[arg(long, default_value_t = 30)]
        limit_days: i32,
    },
    /// Offer the custody to an agency at work on the incident. It stays with you until it is accepted.
    Offer {
        #[command(flatten)]
        at: At,
        #[arg(long)]
        to: AgencyId,
        /// How long the offer stands, in days.
        #[arg(long, default_value_t = 7)]
        days: i64,
        /// Language, needs, and the child's own view; sealed.
        #[arg(long)]
        handover: Option<String>,
    },
    /// Accept the custody that is offered.
    Accept {
        #[command(flatten)]
        at: At,
        offer: OfferId,
        /// How long you may say nothing before others may be asked, in days.
        #[arg(long, default_value_t = 30)]
        limit_days: i32,
    },
    /// Decline it.
    Decline {
        #[command(flatten)]
        at: At,
        offer: OfferId,
        #[arg(long)]
        reason: HandoverDeclineReason,
    },
    /// Take an offer back.
    Withdraw {
        #[command(flatten)]
        at: At,
        offer: OfferId,
    },
    /// Say that you are at work: your own limit runs anew.
    Confirm {
        #[command(flatten)]
        at: At,
    },
    /// As a coordinator: ask agencies to take over where nobody looks, or the custodian is past its own limit.
    Invite {
        #[command(flatten)]
        at: At,
        #[arg(long = "agency", required = true)]
        agencies: Vec<AgencyId>,
    },
    /// Say in which country the child is thought to be, and why.
    Attribute {
        #[command(flatten)]
        at: At,
        #[arg(long)]
        country: Country,
        #[arg(long)]
        confidence: Confidence,
        #[arg(long = "reason", required = true)]
        reasons: Vec<AttributionReason>,
    },
    /// Record how the search stands.
    ///
    /// Example: causeway child status INCIDENT CHILD tentative
    Status {
        #[command(flatten)]
        at: At,
        status: ChildStatus,
        /// Why it goes cold.
        #[arg(long)]
        cold: Option<ColdReason>,
        /// Where the child was identified before; sealed.
        #[arg(long)]
        reference: Option<String>,
    },
    /// Ask a support service of your own State to receive the child.
    Support {
        #[command(flatten)]
        at: At,
        #[arg(long)]
        service: AgencyId,
        /// Language, needs, and the child's own view; sealed.
        #[arg(long)]
        handover: String,
    },
    /// As a support service: the child was received.
    Acknowledge {
        #[command(flatten)]
        at: At,
    },
    /// Say that a support service is not there for the child any more: as the custodian, or as the service.
    EndSupport {
        #[command(flatten)]
        at: At,
        #[arg(long)]
        service: AgencyId,
    },
    /// Record which remedies were explained.
    Remedies {
        #[command(flatten)]
        at: At,
        #[arg(required = true)]
        remedies: Vec<Remedy>,
    },
    /// Record whether, and how, the survivor wants to hear of further material.
    Notify {
        #[command(flatten)]
        at: At,
        preference: NotificationPreference,
        /// The representative has no interest against the child's own.
        #[arg(long)]
        without_conflict: bool,
        /// The month in which the survivor comes of age, such as 2031-05.
        #[arg(long)]
        majority: Option<String>,
    },
    /// Propose that a child of another incident is the same one.
    Link {
        #[command(flatten)]
        at: At,
        #[arg(long)]
        other_incident: IncidentId,
        #[arg(long)]
        other_child: ChildRef,
        /// On which side the search goes on.
        #[arg(long)]
        stays: LinkSide,
    },
    /// Agree to a link that the other side has proposed.
    Agree {
        #[command(flatten)]
        at: At,
        link: LinkId,
    },
    /// Decline a link, or take one back that you have proposed.
    EndLink {
        #[command(flatten)]
        at: At,
        link: LinkId,
    },
    /// Put the child into a series: the custodians of its other children are told.
    Join {
        #[command(flatten)]
        at: At,
        series: SeriesId,
    },
    /// Take the child out of a series.
    Leave {
        #[command(flatten)]
        at: At,
        series: SeriesId,
    },
    /// Record that you had to view material of the child.
    Viewed {
        #[command(flatten)]
        at: At,
        /// How many items.
        #[arg(long)]
        items: i32,
        /// Somebody else of your agency, by the actor of their tokens.
        #[arg(long)]
        person: Option<String>,
    },
    /// Open what goes with a child. Decrypts here: the private key never leaves this machine.
    Open {
        #[command(flatten)]
        at: At,
        /// The file of the agency's private key, as `causeway keygen` writes it.
        #[arg(long)]
        key: PathBuf,
        #[arg(long)]
        key_id: KeyId,
    },
}

impl Child {
    pub async fn run(self, client: &Client, output: &Output) -> anyhow::Result<()> {
        let (at, what, body) = match self {
            Self::Queue { limit } => {
                let limit = limit.map_or(String::new(), |limit| format!("?limit={limit}"));
                let queue: Queue = client.get(&format!("/v1/children{limit}")).await?;
                return output.print(&queue, || queue_text(&queue));
            }
            Self::Show { incident, child: Some(child) } => {
                let view: ChildView =
                    client.get(&format!("/v1/incidents/{incident}/children/{child}")).await?;
                return output.print(&view, || child_text(&view));
            }
            Self::Show { incident, child: None } => {
                let all: Children = client.get(&format!("/v1/incidents/{incident}/children")).await?;
                return output.print(&all, || children_text(&all));
            }
            Self::Register { incident, age_band } => {
                let path = format!("/v1/incidents/{incident}/children");
                let view: ChildView = client.command(&path, &anew("register"), &Found { age_band }).await?;
                return output.print(&view, || child_text(&view));
            }
            Self::Invite { at, agencies } => {
                let path = format!("/v1/incidents/{}/children/{}/invitations", at.incident, at.child);
                let body = json!({ "agencies": agencies });
                let view: WatchedChild = client.command(&path, &anew("invite"), &body).await?;
                return output.print(&view, || watched_text(std::slice::from_ref(&view)));
            }
            Self::Viewed { at, items, person } => {
                let path = format!("/v1/incidents/{}/children/{}/exposures", at.incident, at.child);
                let body = json!({ "items": items, "person": person });
                let recorded: Recorded = client.command(&path, &anew("viewed"), &body).await?;
                return output.print(&recorded, || {
                    let person = recorded.person.as_ref().map_or(String::new(), exposure::text);
                    format!("{items} items recorded\n{person}")
                });
            }
            Self::Open { at, key, key_id } => {
                let keys = read_key(&key)?;
                let opened =
                    client.open_handover(at.incident, at.child, &key_id, &keys, &anew("open")).await?;
                for facet in &opened {
                    output.print(&facet.content, || {
                        facet.content["text"].as_str().unwrap_or_default().to_owned()
                    })?;
                }
                return Ok(());
            }
            Self::EndSupport { at, service } => {
                let path =
                    format!("/v1/incidents/{}/children/{}/support/{service}/end", at.incident, at.child);
                let view: Option<ChildView> = client.command(&path, &anew("end-support"), &json!({})).await?;
                return output.print(&view, || {
                    view.as_ref()
                        .map_or("ended: the child is not shown to you any more".to_owned(), child_text)
                });
            }
            Self::Take { at, limit_days } => (at, "custody".to_owned(), json!({ "limit_days": limit_days })),
            Self::Offer { at, to, days, handover } => {
                let until = Timestamp::from(jiff::Timestamp::now()).plus_minutes(days * MINUTES_A_DAY);
                let mut body = json!({ "to": to, "until": until });
                if let Some(handover) = handover {
                    body["handover"] = handover.into();
                }
                (at, "offers".to_owned(), body)
            }
            Self::Accept { at, offer, limit_days } => {
                (at, format!("offers/{offer}/accept"), json!({ "limit_days": limit_days }))
            }
            Self::Decline { at, offer, reason } => {
                (at, format!("offers/{offer}/decline"), json!({ "reason": reason }))
            }
            Self::Withdraw { at, offer } => (at, format!("offers/{offer}/withdraw"), json!({})),
            Self::Confirm { at } => (at, "confirm".to_owned(), json!({})),
            Self::Attribute { at, country, confidence, reasons } => {
                let body = json!({ "country": country, "confidence": confidence, "reasons": reasons });
                (at, "attribution".to_owned(), body)
            }
            Self::Status { at, status, cold, reference } => {
                let mut body = json!({ "status": status, "cold": cold });
                if let Some(reference) = reference {
                    body["reference"] = reference.into();
                }
                (at, "status".to_owned(), body)
            }
            Self::Support { at, service, handover } => {
                (at, "support".to_owned(), json!({ "service": service, "handover": handover }))
            }
            Self::Acknowledge { at } => (at, "support/acknowledge".to_owned(), json!({})),
            Self::Remedies { at, remedies } => (at, "remedies".to_owned(), json!({ "remedies": remedies })),
            Self::Notify { at, preference, without_conflict, majority } => {
                let body = json!({ "preference": preference, "without_conflict": without_conflict,
                    "majority": majority });
                (at, "notification".to_owned(), body)
            }
            Self::Link { at, other_incident, other_child, stays } => {
                let other = json!({ "incident_id": other_incident, "child_ref": other_child });
                (at, "links".to_owned(), json!({ "other": other, "stays": stays }))
            }
            Self::Agree { at, link } => (at, format!("links/{link}/agree"), json!({})),
            Self::Join { at, series } => (at, "series".to_owned(), json!({ "series_id": series })),
            Self::Leave { at, series } => (at, format!("series/{series}/leave"), json!({})),
            Self::EndLink { at, link } => (at, format!("links/{link}/end"), json!({})),
        };
        act(client, output, &at, &what, &body).await
    }
}

async fn act(client: &Client, output: &Output, at: &At, what: &str, body: &Value) -> anyhow::Result<()> {
    let path = format!("/v1/incidents/{}/children/{}/{what}", at.incident, at.child);
    let view: ChildView = client.command(&path, &anew("child"), body).await?;
    output.print(&view, || child_text(&view))
}

fn codes<T: ToString>(values: &[T]) -> String {
    let codes: Vec<String> = values.iter().map(ToString::to_string).collect();
    if codes.is_empty() { "-".to_owned() } else { codes.join(", ") }
}

fn custodian(view: &ChildView) -> String {
    view.custody.as_ref().map_or_else(
        || "nobody".to_owned(),
        |custody| {
            let silent = if custody.silent { ", past its limit" } else { "" };
            format!("{} ({}{silent})", custody.custodian, custody.country)
        },
    )
}

fn queue_text(queue: &Queue) -> String {
    let rows = queue.items.iter().map(|item| {
        vec![
            codes(&item.factors),
            custodian(&item.child),
            item.child.status.to_string(),
            item.waits_since.to_string(),
            item.child.child_ref.to_string(),
            item.child.incident_id.to_string(),
        ]
    });
    let head = ["why now", "looked for by", "status", "waits since", "child", "incident"];
    let text = table(&head, &rows.collect::<Vec<_>>());
    let more = if queue.more { "there are more: --limit\n" } else { "" };
    format!("{text}{more}The order shows what speaks for whom. You decide.\n")
}

fn children_text(all: &Children) -> String {
    let rows = all.children.iter().map(|view| {
        vec![
            view.child_ref.to_string(),
            view.age_band.to_string(),
            view.status.to_string(),
            custodian(view),
            codes(&view.factors),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let own = table(&["child", "age", "status", "looked for by", "why now"], &rows);
    if all.watched.is_empty() { own } else { watched_text(&all.watched) }
}

fn watched_text(watched: &[WatchedChild]) -> String {
    let rows = watched.iter().map(|child| {
        let custodian = child.custodian.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
        vec![
            child.child_ref.to_string(),
            child.status.to_string(),
            custodian,
            child.week.clone(),
            codes(&child.takers),
            codes(&child.invited),
        ]
    });
    let head = ["child", "status", "looked for in", "since", "could be invited", "invited"];
    table(&head, &rows.collect::<Vec<_>>())
}

fn child_text(view: &ChildView) -> String {
    let mut text = format!(
        "child {}  {}  {}\nlooked for by {}\n",
        view.child_ref,
        view.age_band,
        view.status,
        custodian(view)
    );
    let own = view.custody.as_ref().filter(|_| view.held_by_us);
    if let Some((limit, days)) = own.and_then(|own| own.limit.zip(own.limit_days)) {
        text += &format!("say something before {limit} ({days} days)\n");
    }
    if let Some(offer) = &view.offer {
        text += &format!("offer {} to {} until before {}\n", offer.offer_id, offer.to, offer.until);
    }
    if !view.invited.is_empty() {
        text += &format!("asked to take over: {}\n", codes(&view.invited));
    }
    if let Some(attribution) = &view.attribution {
        let (country, confidence) = (&attribution.country, attribution.confidence);
        text += &format!("thought to be in {country} ({confidence}): {}\n", codes(&attribution.reasons));
    }
    for link in &view.links {
        let waits = match (link.ours, link.agreed) {
            (true, _) => "awaits the other side",
            (false, true) => "agreed, awaits the other side",
            (false, false) => "awaits your answer",
        };
        let other = link.other;
        text += &format!(
            "link {}: the same as {} in {}, the search stays {}; {waits}\n",
            link.link_id, other.child_ref, other.incident_id, link.stays
        );
    }
    for other in &view.linked {
        text += &format!("the same as {} in {}\n", other.child_ref, other.incident_id);
    }
    if let Some(to) = &view.ceded_to {
        text += &format!("the search goes on as {} in {}\n", to.child_ref, to.incident_id);
    }
    for viewed in &view.viewed {
        text +=
            &format!("viewed at {}: {} items by {} people\n", viewed.agency, viewed.items, viewed.persons);
    }
    for series in &view.series {
        text += &format!("in series {series}\n");
    }
    for support in &view.support {
        let received = if support.acknowledged { "received" } else { "asked" };
        text += &format!("support: {} ({received})\n", support.service);
    }
    if !view.remedies.is_empty() {
        text += &format!("remedies explained: {}\n", codes(&view.remedies));
    }
    if let Some(notification) = &view.notification {
        let majority =
            notification.majority.as_ref().map_or(String::new(), |month| format!(", of age in {month}"));
        text += &format!("further material: {}{majority}\n", notification.preference);
    }
    if !view.factors.is_empty() {
        text += &format!("why now: {}\n", codes(&view.factors));
    }
    let happened = view.history.iter().map(|one| {
        let by = one.by.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        vec![one.at.to_string(), one.what.clone(), by]
    });
    let happened: Vec<Vec<String>> = happened.collect();
    if happened.is_empty() { text } else { text + "\n" + &table(&["when", "what", "by"], &happened) }
}
