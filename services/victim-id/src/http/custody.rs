//! One page for each thing that is done for a child.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chassis::auth::Caller;
use chassis::front::{AtPosition, IdempotencyKey};
use chassis::http::{Body, Path, answered};
use chassis::problem::Problem;
use schemas::Timestamp;
use schemas::codes::{
    AttributionReason, ChildStatus, ColdReason, Confidence, HandoverDeclineReason, LinkSide,
    NotificationPreference, Remedy,
};
use schemas::ids::{AgencyId, ChildRef, Country, IncidentId, LinkId, OfferId, SeriesId};
use schemas::referral::SealedFacet;
use schemas::victim_id::{
    AcceptCustody, AcknowledgeSupport, AgreeToLink, AttributeChild, ChildAddress, ConfirmCustody,
    DeclineCustody, EndLink, EndSupport, ExplainRemedies, InviteTakers, JoinSeries, LeaveSeries,
    OfferCustody, ProposeLink, RecordStatus, ReferToSupport, SetNotification, TakeCustody, WithdrawOffer,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Pages;
use super::view::{self, ChildView, WatchedChild};
use crate::VictimId;

/// Declares what is asked of each page.
macro_rules! asked {
    ($($(#[doc = $doc:literal])+ $name:ident { $($(#[$meta:meta])* $field:ident: $type:ty,)* })+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        #[schema(as = child::$name)]
        struct $name { $($(#[$meta])* $field: $type,)* }
    )+};
}

asked! {
    /// How long the custodian may say nothing before others may be asked: its own word.
    Limit {
        /// 1 to 180.
        limit_days: i32,
    }
    /// To whom custody is offered, and until when.
    OfferTo {
        to: AgencyId,
        /// The first moment at which it can be accepted no more; 60 days ahead at most.
        until: Timestamp,
        /// Language, needs, and the child's own view, for whoever takes over; sealed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        handover: Option<String>,
    }
    /// Why custody is not accepted.
    Declined { reason: HandoverDeclineReason, }
    /// Whom a coordinator asks to take over.
    Takers { agencies: Vec<AgencyId>, }
    /// In which country the child is thought to be, and why.
    Attributed { country: Country, confidence: Confidence, reasons: Vec<AttributionReason>, }
    /// How the search stands.
    Status {
        status: ChildStatus,
        /// Why it goes cold, and only then.
        #[serde(default)]
        cold: Option<ColdReason>,
        /// Where the child was identified before, and only then; sealed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
    }
    /// Which service receives the child.
    Support {
        service: AgencyId,
        /// Language, needs, and the child's own view (CRC Article 12); sealed.
        handover: String,
    }
    /// What the child was told that it is entitled to.
    Remedies { remedies: Vec<Remedy>, }
    /// Whether, and how, the survivor wants to hear of further material.
    Notification {
        preference: NotificationPreference,
        /// Whether whoever represents the child has no interest against the child's own.
        #[serde(default)]
        without_conflict: bool,
        /// The month in which the survivor comes of age, such as `2031-05`.
        #[serde(default)]
        majority: Option<String>,
    }
    /// Which child elsewhere is the same one, and on which side the search goes on.
    SameAs { other: ChildAddress, stays: LinkSide, }
    /// Which series the child joins.
    InSeries { series_id: SeriesId, }
    /// Nothing more is said.
    Nothing {}
}

/// Declares the pages on which nothing is sealed: path, what is asked, and the command that it becomes.
macro_rules! pages {
    ($($name:ident $path:literal $doc:literal [$($part:literal: $type:ident)?] $asked:ident
        |$place:ident, $body:ident| $command:expr;)+) => {
        $(
            #[doc = $doc]
            #[utoipa::path(post, path = $path, tag = "victim-id",
                params(("incident" = IncidentId, Path), ("child" = ChildRef, Path),
                    $(($part = $type, Path),)? ("Idempotency-Key" = String, Header)),
                request_body = $asked,
                responses((status = 201, body = ChildView), (status = 404, body = Problem),
                    (status = 409, body = Problem), (status = 422, body = Problem)))]
            async fn $name(
                caller: Caller,
                key: IdempotencyKey,
                State(pages): State<Pages>,
                Path($place): Path<(IncidentId, ChildRef, $($type)?)>,
                Body($body): Body<$asked>,
            ) -> Result<Response, Problem> {
                let asked = (stringify!($name), $place, $body.clone());
                let about = ($place.0, $place.1);
                pages.submit(&caller, &key, about, (&asked, None), |_| $command.into()).await
            }
        )+

        pub fn pages() -> OpenApiRouter<Pages> {
            OpenApiRouter::new()
                .routes(routes!(invite))
                .routes(routes!(offer))
                .routes(routes!(record))
                .routes(routes!(refer))
                .routes(routes!(end_support))
                .routes(routes!(join))
                $(.routes(routes!($name)))+
        }
    };
}

pages! {
    take "/v1/incidents/{incident}/children/{child}/custody"
        "Takes up the search that nobody has; or that its custodian has left, where a coordinator has asked."
        [] Limit |place, asked| TakeCustody { child_ref: place.1, limit_days: asked.limit_days };
    accept "/v1/incidents/{incident}/children/{child}/offers/{offer}/accept"
        "Accepts the custody that is offered: from then on the caller is the custodian, and nobody else."
        ["offer": OfferId] Limit |place, asked|
        AcceptCustody { child_ref: place.1, offer_id: place.2, limit_days: asked.limit_days };
    decline "/v1/incidents/{incident}/children/{child}/offers/{offer}/decline"
        "Declines the custody that is offered; it stays with whoever offers it."
        ["offer": OfferId] Declined |place, asked|
        DeclineCustody { child_ref: place.1, offer_id: place.2, reason: asked.reason };
    withdraw "/v1/incidents/{incident}/children/{child}/offers/{offer}/withdraw"
        "Takes an offer back."
        ["offer": OfferId] Nothing |place, _asked| WithdrawOffer { child_ref: place.1, offer_id: place.2 };
    confirm "/v1/incidents/{incident}/children/{child}/confirm"
        "Says that the custodian is at work: its own limit runs anew."
        [] Nothing |place, _asked| ConfirmCustody { child_ref: place.1 };
    attribute "/v1/incidents/{incident}/children/{child}/attribution"
        "Says in which country the child is thought to be, and why."
        [] Attributed |place, asked| AttributeChild {
            child_ref: place.1,
            country: asked.country,
            confidence: asked.confidence,
            reasons: asked.reasons,
        };
    acknowledge "/v1/incidents/{incident}/children/{child}/support/acknowledge"
        "A support service has received the child."
        [] Nothing |place, _asked| AcknowledgeSupport { child_ref: place.1 };
    explain "/v1/incidents/{incident}/children/{child}/remedies"
        "Records which remedies were explained."
        [] Remedies |place, asked| ExplainRemedies { child_ref: place.1, remedies: asked.remedies };
    notify "/v1/incidents/{incident}/children/{child}/notification"
        "Records whether, and how, the survivor wants to hear of further material."
        [] Notification |place, asked| SetNotification {
            child_ref: place.1,
            preference: asked.preference,
            without_conflict: asked.without_conflict,
            majority: asked.majority,
        };
    propose "/v1/incidents/{incident}/children/{child}/links"
        "Proposes that a child elsewhere is the same one, and on which side the search goes on."
        [] SameAs |place, asked| ProposeLink { child_ref: place.1, other: asked.other, stays: asked.stays };
    agree "/v1/incidents/{incident}/children/{child}/links/{link}/agree"
        "Agrees to a link that the other side has proposed."
        ["link": LinkId] Nothing |place, _asked| AgreeToLink { child_ref: place.1, link_id: place.2 };
    end "/v1/incidents/{incident}/children/{child}/links/{link}/end"
        "Declines a link, or takes back one that the caller has proposed."
        ["link": LinkId] Nothing |place, _asked| EndLink { child_ref: place.1, link_id: place.2 };
    leave "/v1/incidents/{incident}/children/{child}/series/{series}/leave"
        "Takes the child out of a series."
        ["series": SeriesId] Nothing |place, _asked| LeaveSeries { child_ref: place.1, series_id: place.2 };
}

/// A coordinator asks agencies to take over where nobody looks, or the custodian is past its own limit.
#[utoipa::path(post, path = "/v1/incidents/{incident}/children/{child}/invitations", tag = "victim-id",
    params(("incident" = IncidentId, Path), ("child" = ChildRef, Path), ("Idempotency-Key" = String, Header)),
    request_body = Takers,
    responses((status = 201, body = WatchedChild), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn invite(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident, child_ref)): Path<(IncidentId, ChildRef)>,
    Body(Takers { agencies }): Body<Takers>,
) -> Result<Response, Problem> {
    let request = key.request::<VictimId>(&caller, incident, InviteTakers { child_ref, agencies });
    let answer = pages.front.submit(request).await?;
    let state = pages.front.state(&incident.to_string())?;
    let watched = view::watched(state.state.incident(), &caller.agency, pages.front.clock().now());
    let view = watched.into_iter().find(|child| child.child_ref == child_ref);
    Ok(answered::<VictimId>(&answer, StatusCode::CREATED, &view))
}

/// Offers the custody to an agency that is at work on the incident. Until it accepts, nothing changes.
#[utoipa::path(post, path = "/v1/incidents/{incident}/children/{child}/offers", tag = "victim-id",
    params(("incident" = IncidentId, Path), ("child" = ChildRef, Path), ("Idempotency-Key" = String, Header)),
    request_body = OfferTo,
    responses((status = 201, body = ChildView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
async fn offer(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path(place): Path<(IncidentId, ChildRef)>,
    Body(asked): Body<OfferTo>,
) -> Result<Response, Problem> {
    let text = asked.handover.as_deref().map(|text| ("/handover", text));
    let (child_ref, to, until) = (place.1, asked.to.clone(), asked.until);
    let command = |handover| OfferCustody { child_ref, to, until, handover }.into();
    pages.submit(&caller, &key, place, (&("offer", &asked), text), command).await
}

/// Records how the search stands. Everything can be corrected, and what was recorded stays on record.
#[utoipa::path(post, path = "/v1/incidents/{incident}/children/{child}/status", tag = "victim-id",
    params(("incident" = IncidentId, Path), ("child" = ChildRef, Path), ("Idempotency-Key" = String, Header)),
    request_body = Status,
    responses((status = 201, body = ChildView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
async fn record(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path(place): Path<(IncidentId, ChildRef)>,
    Body(asked): Body<Status>,
) -> Result<Response, Problem> {
    let text = asked.reference.as_deref().map(|text| ("/reference", text));
    let (child_ref, status, cold) = (place.1, asked.status, asked.cold);
    let command = |reference| RecordStatus { child_ref, status, cold, reference }.into();
    pages.submit(&caller, &key, place, (&("status", &asked), text), command).await
}

/// Puts the child into a series that exists; the custodians of its other children are told.
#[utoipa::path(post, path = "/v1/incidents/{incident}/children/{child}/series", tag = "victim-id",
    params(("incident" = IncidentId, Path), ("child" = ChildRef, Path), ("Idempotency-Key" = String, Header)),
    request_body = InSeries,
    responses((status = 201, body = ChildView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
async fn join(
    caller: Caller,
    key: IdempotencyKey,
    at: AtPosition,
    State(pages): State<Pages>,
    Path(place): Path<(IncidentId, ChildRef)>,
    Body(asked): Body<InSeries>,
) -> Result<Response, Problem> {
    pages.front.await_position(at.0.as_ref()).await?;
    let (child_ref, series_id) = (place.1, asked.series_id);
    if pages.front.state(&series_id.to_string())?.state.series().opened_by.is_none() {
        let told = "no series has this id: ask whoever has opened it, or open one";
        return Err(Problem::invalid().field("/series_id", told));
    }
    let command = |_| JoinSeries { child_ref, series_id }.into();
    pages.submit(&caller, &key, place, (&("join", &asked), None), command).await
}

/// Asks a support service of the custodian's own State to receive the child.
#[utoipa::path(post, path = "/v1/incidents/{incident}/children/{child}/support", tag = "victim-id",
    params(("incident" = IncidentId, Path), ("child" = ChildRef, Path), ("Idempotency-Key" = String, Header)),
    request_body = Support,
    responses((status = 201, body = ChildView), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
async fn refer(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path(place): Path<(IncidentId, ChildRef)>,
    Body(asked): Body<Support>,
) -> Result<Response, Problem> {
    let text = Some(("/handover", asked.handover.as_str()));
    let (child_ref, service) = (place.1, asked.service.clone());
    let command = |handover: Option<SealedFacet>| {
        let handover = handover.expect("what was given to be sealed comes back sealed");
        ReferToSupport { child_ref, service, handover }.into()
    };
    pages.submit(&caller, &key, place, (&("support", &asked), text), command).await
}

/// The service is not there for the child any more: what was written for it is closed to it. The custodian says so, or
/// the service itself, which is shown nothing from then on.
#[utoipa::path(post, path = "/v1/incidents/{incident}/children/{child}/support/{service}/end", tag = "victim-id",
    params(("incident" = IncidentId, Path), ("child" = ChildRef, Path), ("service" = AgencyId, Path),
        ("Idempotency-Key" = String, Header)),
    request_body = Nothing,
    responses((status = 201, body = Option<ChildView>), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn end_support(
    caller: Caller,
    key: IdempotencyKey,
    State(pages): State<Pages>,
    Path((incident, child_ref, service)): Path<(IncidentId, ChildRef, AgencyId)>,
    Body(Nothing {}): Body<Nothing>,
) -> Result<Response, Problem> {
    let asked = ("end-support", service.clone());
    let command = |_| EndSupport { child_ref, service }.into();
    pages.submit(&caller, &key, (incident, child_ref), (&asked, None), command).await
}
