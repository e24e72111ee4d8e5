//! The yearly statistics of Regulation (EU) 2023/1543, Article 28(2), over orders as they stood at a moment.
//!
//! Every figure follows from steps and their times, so that it comes out the same whenever it is asked as of the same
//! moment. A request is counted under each category of data that it asks for.

use std::collections::BTreeMap;

use schemas::Timestamp;
use schemas::codes::{Measure, RefusalGround, RequestKind, RequestRole, RequestStep};
use schemas::ids::{AgencyId, Country};
use schemas::mla::{Costs, Step};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::state::{Request, refused};

/// What one row counts: by type of data, addressee and situation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(as = OrderGroup)]
pub struct Group {
    pub kind: RequestKind,
    pub data: Measure,
    pub addressee: Option<AgencyId>,
    pub emergency: bool,
}

/// Figures of the orders that a State has issued.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = OrderFigures)]
pub struct Figures {
    /// (a)
    pub issued: u64,
    /// (b)
    pub fulfilled: u64,
    /// (c)
    pub not_fulfilled: u64,
    /// Neither yet.
    pub pending: u64,
    /// (d) notifications under Article 8.
    pub notified: u64,
    /// (d) orders refused, by ground.
    pub refused: BTreeMap<String, u64>,
    /// (e) production orders: average time from issue to the data. (f) preservation orders: to the later request for
    /// production. In seconds; none where there was none.
    pub average_seconds: Option<u64>,
    /// (g) orders sent to an enforcing State, and those of them that were fulfilled.
    pub sent_for_enforcement: u64,
    pub fulfilled_after_enforcement: u64,
    /// (h) reviews of objections under Article 17.
    pub objections_reviewed: u64,
    /// (h) other remedies in this State, by who has sought them.
    pub remedies: BTreeMap<String, u64>,
    /// (i) validations afterwards that were not granted.
    pub validations_not_granted: u64,
    /// (j) in the smallest unit of each currency.
    pub costs_claimed: BTreeMap<String, i64>,
    pub costs_reimbursed: BTreeMap<String, i64>,
}

/// Figures of the orders that a State was asked to enforce (g).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = EnforcementFigures)]
pub struct Enforced {
    pub received: u64,
    pub fulfilled: u64,
    /// By ground.
    pub refused: BTreeMap<String, u64>,
    /// (h) remedies in this State, by who has sought them: also of orders that it was only notified of.
    pub remedies: BTreeMap<String, u64>,
}

/// An order as it stood at a moment.
struct AsOf<'a> {
    request: &'a Request,
    moment: Timestamp,
}

impl AsOf<'_> {
    fn first(&self, step: RequestStep) -> Option<Timestamp> {
        let taken = self.request.history.iter().find(|taken| taken.step() == step);
        taken.map(|taken| taken.at).filter(|at| *at <= self.moment)
    }

    fn took(&self, step: RequestStep) -> bool {
        self.first(step).is_some()
    }

    fn is_fulfilled(&self) -> bool {
        self.took(fulfils(self.request.draft.kind))
    }

    fn is_given_up(&self) -> bool {
        let ends =
            [RequestStep::NonExecution, RequestStep::Refusal, RequestStep::Withdrawal, RequestStep::Closure];
        let refused = self.refused_on().is_some();
        let lapsed = self.request.periods.values().any(|period| {
            period.started.then == schemas::codes::ClockConsequence::Lapses
                && period.ran_out.is_some_and(|at| at <= self.moment)
        });
        refused || lapsed || ends.into_iter().any(|step| self.took(step))
    }

    fn refused_on(&self) -> Option<RefusalGround> {
        refused(self.request.history.iter().filter(|taken| taken.at <= self.moment))
    }

    /// Adds the remedies sought in the State of one side.
    fn count_remedies(&self, side: RequestRole, by: &mut BTreeMap<String, u64>) {
        let taken = self.request.history.iter().filter(|taken| taken.at <= self.moment);
        for taken in taken.filter(|taken| taken.role == side) {
            if let Step::LegalRemedy(remedy) = &taken.said {
                *by.entry(remedy.by.to_string()).or_default() += 1;
            }
        }
    }

    fn costs(&self, reimbursed: bool) -> impl Iterator<Item = &Costs> {
        let taken = self.request.history.iter().filter(|taken| taken.at <= self.moment);
        taken.filter_map(move |taken| match &taken.said {
            Step::Costs(costs) if costs.reimbursed == reimbursed => Some(costs),
            _ => None,
        })
    }
}

const fn fulfils(kind: RequestKind) -> RequestStep {
    match kind {
        RequestKind::PreservationOrder => RequestStep::Preserved,
        RequestKind::ProductionOrder | RequestKind::Assistance => RequestStep::EvidenceTransmission,
    }
}

/// When an order was issued: when it first left its State.
pub fn issued(request: &Request) -> Option<Timestamp> {
    let sent = request.history.iter().find(|taken| taken.step() == RequestStep::Transmission);
    sent.map(|taken| taken.at).filter(|_| request.draft.kind != RequestKind::Assistance)
}

/// Of the orders that a State has issued, by group.
pub fn issued_by<'a>(
    country: &Country,
    orders: impl IntoIterator<Item = &'a Request>,
    moment: Timestamp,
) -> BTreeMap<Group, Figures> {
    let mut found: BTreeMap<Group, (Figures, Vec<i64>)> = BTreeMap::new();
    for request in orders.into_iter().filter(|request| request.country == *country) {
        let order = AsOf { request, moment };
        for data in &request.draft.measures {
            let group = Group {
                kind: request.draft.kind,
                data: *data,
                addressee: request.draft.addressee.clone(),
                emergency: request.draft.emergency.is_some(),
            };
            let (figures, times) = found.entry(group).or_default();
            count(figures, times, &order);
        }
    }
    let averaged = found.into_iter().map(|(group, (mut figures, times))| {
        figures.average_seconds = average(&times);
        (group, figures)
    });
    averaged.collect()
}

fn count(figures: &mut Figures, times: &mut Vec<i64>, order: &AsOf<'_>) {
    let Some(issued) = issued(order.request).filter(|at| *at <= order.moment) else { return };
    figures.issued += 1;
    match (order.is_fulfilled(), order.is_given_up()) {
        (true, _) => figures.fulfilled += 1,
        (false, true) => figures.not_fulfilled += 1,
        (false, false) => figures.pending += 1,
    }
    figures.notified += u64::from(order.took(RequestStep::Notification));
    if let Some(ground) = order.refused_on() {
        *figures.refused.entry(ground.to_string()).or_default() += 1;
    }
    let until = match order.request.draft.kind {
        RequestKind::PreservationOrder => RequestStep::ProductionConfirmation,
        RequestKind::ProductionOrder | RequestKind::Assistance => RequestStep::EvidenceTransmission,
    };
    times.extend(
        order.first(until).filter(|_| order.is_fulfilled()).map(|at| at.as_millis() - issued.as_millis()),
    );
    let enforced = order.took(RequestStep::EnforcementRequest);
    figures.sent_for_enforcement += u64::from(enforced);
    figures.fulfilled_after_enforcement += u64::from(enforced && order.is_fulfilled());
    figures.objections_reviewed += u64::from(order.took(RequestStep::ObjectionReview));
    order.count_remedies(RequestRole::Requesting, &mut figures.remedies);
    let not_granted = order.took(RequestStep::ExPostValidation) && order.request.validator.is_none();
    figures.validations_not_granted += u64::from(not_granted);
    for cost in order.costs(false) {
        *figures.costs_claimed.entry(cost.currency.clone()).or_default() += cost.amount;
    }
    for cost in order.costs(true) {
        *figures.costs_reimbursed.entry(cost.currency.clone()).or_default() += cost.amount;
    }
}

fn average(millis: &[i64]) -> Option<u64> {
    let count = i64::try_from(millis.len()).ok().filter(|count| *count > 0)?;
    u64::try_from(millis.iter().sum::<i64>() / count / 1_000).ok()
}

/// Of the orders that a State was asked to enforce.
pub fn enforced_by<'a>(
    country: &Country,
    orders: impl IntoIterator<Item = &'a Request>,
    moment: Timestamp,
) -> Enforced {
    let mut found = Enforced::default();
    for request in orders.into_iter().filter(|request| request.draft.requested == *country) {
        let order = AsOf { request, moment };
        order.count_remedies(RequestRole::Requested, &mut found.remedies);
        if !order.took(RequestStep::EnforcementRequest) {
            continue;
        }
        found.received += 1;
        found.fulfilled += u64::from(order.is_fulfilled());
        if let Some(ground) = order.refused_on() {
            *found.refused.entry(ground.to_string()).or_default() += 1;
        }
    }
    found
}
