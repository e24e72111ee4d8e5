//! Refused submissions are on record, as counts: no content, and no flood of events from a broken client.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chassis::front::{Request, WeakFront};
use parking_lot::Mutex;
use schemas::codes::RefusalReason;
use schemas::digest;
use schemas::ids::{AgencyId, CommandId};
use schemas::referral::{CountRefusals, ReferralCommand, RefusalCount};
use schemas::{Actor, Body};

use crate::Intake;
use crate::gate::Fault;

/// Counts are written this often.
const FLUSH: Duration = Duration::from_secs(5);
/// Most different fields counted for one agency between two flushes; the rest count as one.
const MAX_FIELDS: usize = 100;

type Fields = BTreeMap<(RefusalReason, String), i64>;
type Counts = BTreeMap<AgencyId, Fields>;

/// Counts refusals. Cheap to clone.
#[derive(Clone, Default)]
pub struct Refusals(Arc<Mutex<Counts>>);

impl Refusals {
    pub fn count(&self, agency: &AgencyId, faults: &[Fault]) {
        let mut counts = self.0.lock();
        let counts = counts.entry(agency.clone()).or_default();
        for fault in faults {
            let field = (fault.reason, without_positions(&fault.recorded_pointer()));
            let full = counts.len() >= MAX_FIELDS && !counts.contains_key(&field);
            let field = if full { (fault.reason, String::new()) } else { field };
            *counts.entry(field).or_default() += 1;
        }
    }

    /// Counts that could not be written wait for the next time.
    fn take_back(&self, agency: &AgencyId, fields: Fields) {
        let mut counts = self.0.lock();
        let counts = counts.entry(agency.clone()).or_default();
        for (field, count) in fields {
            *counts.entry(field).or_default() += count;
        }
    }

    /// Writes the counts, for as long as the pages are served.
    pub async fn flush_while_served(self, front: WeakFront<Intake>) {
        loop {
            tokio::time::sleep(FLUSH).await;
            let Some(front) = front.upgrade() else { return };
            let counts = std::mem::take(&mut *self.0.lock());
            for (agency, fields) in counts {
                let request = command(agency.clone(), fields.clone());
                if let Err(problem) = front.submit(request).await {
                    tracing::warn!(
                        problem = problem.code(),
                        "failed to record refused submissions, trying again"
                    );
                    self.take_back(&agency, fields);
                }
            }
        }
    }
}

fn command(agency: AgencyId, fields: Fields) -> Request<ReferralCommand> {
    let refusals = fields
        .into_iter()
        .map(|((reason, pointer), count)| RefusalCount { reason, pointer, count })
        .collect();
    // Two instances may count at the same moment.
    let once: [u8; 16] = rand::random();
    let body = ReferralCommand::CountRefusals(CountRefusals { refusals });
    Request {
        command_id: CommandId::derive(&[body.name().as_bytes(), agency.as_str().as_bytes(), &once]),
        aggregate_id: format!("refusals/{agency}"),
        digest: digest::sha256(&[&once]).to_vec(),
        agency,
        actor: Actor::service("intake"),
        signature: None,
        body,
    }
}

/// `/people/3/names/0` counts as `/people/names`.
fn without_positions(pointer: &str) -> String {
    let kept = pointer.split('/').filter(|part| !part.is_empty() && part.parse::<usize>().is_err());
    kept.map(|part| format!("/{part}")).collect()
}
