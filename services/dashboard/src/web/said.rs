//! The overview's own codes, as the pages say them.

use pages::words::Words;

use crate::domain::overview::{Concern, Stage};

/// What the overview's own codes are called.
pub trait OverviewWords {
    fn stage(&self, stage: Stage) -> String;
    fn concern_text(&self, concern: Concern) -> String;
}

impl OverviewWords for Words {
    fn stage(&self, stage: Stage) -> String {
        match stage {
            Stage::Unassigned => self.stage_unassigned(),
            Stage::Offered => self.stage_offered(),
            Stage::AtWork => self.stage_at_work(),
            Stage::Ended => self.stage_ended(),
            Stage::Withdrawn => self.stage_withdrawn(),
        }
    }

    fn concern_text(&self, concern: Concern) -> String {
        match concern {
            Concern::Unanswered => self.concern_unanswered(),
            Concern::PeriodRanOut => self.concern_period_ran_out(),
            Concern::NobodyLooks => self.concern_nobody_looks(),
            Concern::CustodianSilent => self.concern_custodian_silent(),
            Concern::LeadDisputed => self.concern_lead_disputed(),
            Concern::Unopened => self.concern_unopened(),
            Concern::PeriodEndsSoon => self.concern_period_ends_soon(),
        }
    }
}
