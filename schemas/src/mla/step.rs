//! The steps of a request: what is done, as the law names it.
//!
//! One record stands for a step in the command that asks for it and in the event that says it was taken.

use apache_avro::AvroSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::codes::{
    Channel, ConditionCode, ConsultationSubject, ContentElement, DelayReason, DigestCheck, Measure,
    NonExecutionReason, PaperForm, PostponementGround, RefusalGround, RelatedProceedings, RemedyApplicant,
    RequestStep, Validator, WithdrawalReason,
};
use crate::ids::AgencyId;
use crate::time::Timestamp;

/// Declares the steps: a record each, their union, and the code of each.
macro_rules! steps {
    ($($(#[doc = $doc:literal])+ $name:ident { $($field:tt)* })+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema, ToSchema)]
            #[avro(namespace = "org.causeway.mla.step")]
            #[serde(deny_unknown_fields)]
            #[schema(as = step::$name)]
            pub struct $name {
                $($field)*
            }

            impl From<$name> for Step {
                fn from(step: $name) -> Self {
                    Self::$name(step)
                }
            }
        )+

        /// One step, whichever it is.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, AvroSchema)]
        #[avro(repr = "bare_union")]
        pub enum Step {
            $($name($name),)+
        }

        impl Step {
            pub const fn code(&self) -> RequestStep {
                match self { $(Self::$name(_) => RequestStep::$name,)+ }
            }
        }
    };
}

steps! {
    /// Signed or validated by a judge, court or prosecutor.
    ///
    /// Directive 2014/41/EU Article 2(c); Regulation (EU) 2023/1543 Article 4.
    Validation {
        pub by: Validator,
    }

    /// Sent to the other side.
    ///
    /// Budapest Convention Article 27(2); UNCAC Article 46(13).
    Transmission {
        pub channel: Channel,
        /// Whether it was made orally. Written confirmation follows then, as it does by INTERPOL and by 24/7 points.
        #[serde(default)]
        pub oral: bool,
    }

    /// What was asked orally or by an urgent channel is confirmed in writing.
    ///
    /// UNCAC Article 46(14); Budapest Convention Article 25(3).
    WrittenConfirmation {}

    /// Received by the other side; of an order the issuing authority may say so, with the proof of service in the note.
    ///
    /// Directive 2014/41/EU Article 16(1).
    Receipt {}

    /// Sent back, since something is missing.
    ReturnDeficient {
        pub missing: Vec<ContentElement>,
    }

    /// Passed on to the authority whose it is.
    ///
    /// Budapest Convention Article 27(9)(c); Directive 2014/41/EU Article 7(6).
    Forwarding {
        /// The authority whose it is, of the same State.
        pub to: AgencyId,
    }

    /// Registered, with a reference.
    ///
    /// Directive 2014/41/EU Article 16(1).
    Acknowledgement {}

    /// More is needed.
    ///
    /// UNCAC Article 46(16).
    InformationRequest {
        /// What more is needed.
        pub elements: Vec<ContentElement>,
    }

    /// More is given.
    ///
    /// UNCAC Article 46(16).
    Information {
        /// What is given; the sealed note holds it.
        pub elements: Vec<ContentElement>,
    }

    /// One side asks the other to talk before it decides.
    ///
    /// UNCAC Article 46(26); Directive 2014/41/EU Article 11(4).
    Consultation {
        pub subject: ConsultationSubject,
    }

    /// The consultation is over.
    ///
    /// UNCAC Article 46(26).
    ConsultationConclusion {}

    /// Recognised, or granted, with conditions or without.
    ///
    /// Directive 2014/41/EU Article 9; Budapest Convention Article 28(2).
    Acceptance {
        /// Empty means without conditions.
        pub conditions: Vec<ConditionCode>,
    }

    /// The other side's conditions are agreed to: those of an acceptance, or those on information given unasked.
    ///
    /// UNCAC Article 46(26); Budapest Convention Article 26(2).
    ConditionsAgreement {}

    /// Put off.
    ///
    /// Budapest Convention Article 27(5); Directive 2014/41/EU Article 15.
    Postponement {
        pub ground: PostponementGround,
        /// How long it is expected to last.
        pub until: Option<Timestamp>,
        /// Where the legal basis asks for a consultation where appropriate: that it was not.
        #[serde(default)]
        pub consultation_not_appropriate: bool,
    }

    /// What was put off goes on.
    ///
    /// Directive 2014/41/EU Article 15(2).
    Resumption {}

    /// Refused, with the ground.
    ///
    /// Budapest Convention Article 27(4); Directive 2014/41/EU Article 11.
    Refusal {
        pub ground: RefusalGround,
        /// Where the legal basis asks for a consultation where appropriate: that it was not.
        #[serde(default)]
        pub consultation_not_appropriate: bool,
    }

    /// The measure begins.
    ///
    /// UNCAC Article 46(17).
    Execution {}

    /// Another measure is used.
    ///
    /// Directive 2014/41/EU Article 10.
    Substitution {
        pub measure: Measure,
    }

    /// It takes longer, with the reason and an estimate.
    ///
    /// Directive 2014/41/EU Article 12(5) and (6); Budapest Convention Article 27(7).
    Delay {
        pub reason: DelayReason,
        /// When it is expected.
        pub expected: Option<Timestamp>,
    }

    /// Data are preserved at their holder.
    ///
    /// Budapest Convention Article 29(7).
    Preserved {
        /// Until when the data holder says that it keeps the data; none where it has not said.
        pub holder_end: Option<Timestamp>,
    }

    /// Until when the data holder keeps the data.
    HolderEnd {
        /// Until when the data holder says that it keeps the data.
        pub ends: Timestamp,
    }

    /// What came of the measure.
    ///
    /// UNCAC Article 46(24).
    Outcome {
        /// Whether only a part was carried out.
        #[serde(default)]
        pub partial: bool,
    }

    /// Evidence is held back while a legal remedy is pending.
    ///
    /// Directive 2014/41/EU Article 13(2).
    TransferSuspension {}

    /// Evidence may go.
    ///
    /// Directive 2014/41/EU Article 13(2).
    TransferResumption {}

    /// Evidence went by a channel outside this system; its digest stands here.
    ///
    /// Directive 2014/41/EU Article 13(1).
    EvidenceTransmission {
        /// SHA-256 of what went, 64 hexadecimal digits.
        pub digest: String,
        /// Who held the data.
        pub data_holder: AgencyId,
        pub channel: Channel,
        /// Whether it has to be sent back.
        #[serde(default)]
        pub return_required: bool,
    }

    /// The other side has compared the digest.
    EvidenceReceipt {
        /// The digest that was stated.
        pub digest: String,
        pub check: DigestCheck,
    }

    /// What it costs, and who bears it.
    ///
    /// UNTOC Article 18(28); Regulation (EU) 2023/1543 Article 14.
    Costs {
        /// In the currency's smallest unit.
        pub amount: i64,
        /// ISO 4217.
        pub currency: String,
        /// Whether it was reimbursed, or only claimed.
        #[serde(default)]
        pub reimbursed: bool,
    }

    /// The request was put on paper; the digest of the paper stands here.
    Document {
        pub form: PaperForm,
        /// BCP 47 language tag.
        pub language: String,
        /// SHA-256 of the PDF, 64 hexadecimal digits.
        pub digest: String,
    }

    /// Nothing is left to be done.
    Closure {}

    /// No longer required.
    ///
    /// UNCAC Article 46(24); Directive 2014/41/EU Article 6(3).
    Withdrawal {
        pub reason: WithdrawalReason,
    }

    /// The enforcing authority is notified of an order.
    ///
    /// Regulation (EU) 2023/1543 Article 8.
    Notification {}

    /// The enforcing authority has received the notification.
    ///
    /// Regulation (EU) 2023/1543 Article 10(2).
    NotificationReceipt {}

    /// The enforcing authority will raise no ground for refusal.
    ///
    /// Regulation (EU) 2023/1543 Article 10(2).
    NoGroundConfirmation {}

    /// The provider cannot comply without more (Annex III).
    ///
    /// Regulation (EU) 2023/1543 Articles 10(6) and 11(5).
    ClarificationRequest {}

    /// The issuing authority answers.
    ///
    /// Regulation (EU) 2023/1543 Articles 10(6) and 11(5).
    Clarification {}

    /// The provider objects, since the law of a third country forbids it.
    ///
    /// Regulation (EU) 2023/1543 Article 17(1).
    Objection {}

    /// The order is upheld or lifted on review.
    ///
    /// Regulation (EU) 2023/1543 Article 17(3).
    ObjectionReview {
        /// Whether the order stands.
        pub upheld: bool,
    }

    /// The provider does not comply, and says why (Annex III).
    ///
    /// Regulation (EU) 2023/1543 Articles 10(7) and 11(6).
    NonExecution {
        pub reason: NonExecutionReason,
    }

    /// An order issued in an emergency is validated afterwards, or not.
    ///
    /// Regulation (EU) 2023/1543 Article 4(5).
    ExPostValidation {
        pub granted: bool,
        pub by: Validator,
    }

    /// The preservation is extended (Annex VI).
    ///
    /// Regulation (EU) 2023/1543 Article 11(1).
    Extension {}

    /// A request for production was issued (Annex V).
    ///
    /// Regulation (EU) 2023/1543 Article 11(2).
    ProductionConfirmation {}

    /// The issuing authority asks the enforcing State to enforce.
    ///
    /// Regulation (EU) 2023/1543 Article 16(1).
    EnforcementRequest {}

    /// The enforcing authority recognises the order, or not.
    ///
    /// Regulation (EU) 2023/1543 Article 16(2).
    Recognition {
        pub recognised: bool,
        /// On what it is not recognised.
        pub ground: Option<RefusalGround>,
    }

    /// The enforcing authority lets data that were already sent be used only under conditions. They bind at once.
    ///
    /// Regulation (EU) 2023/1543 Article 10(4).
    ConditionsOnUse {
        pub conditions: Vec<ConditionCode>,
    }

    /// Data that may not be used were deleted, or their use was restricted.
    ///
    /// Regulation (EU) 2023/1543 Articles 4(5) and 10(4).
    Deletion {
        /// Whether they are kept under restriction.
        #[serde(default)]
        pub restricted: bool,
    }

    /// A legal remedy was sought in the State of the side that says so.
    ///
    /// Regulation (EU) 2023/1543 Articles 18 and 28(2)(h); Directive 2014/41/EU Article 14.
    LegalRemedy {
        pub by: RemedyApplicant,
    }

    /// A case conducted elsewhere belongs to it; its reference goes with the step, sealed.
    ///
    /// Budapest Convention Article 24; Regulation (EU) 2024/3011.
    RelatedCase {
        pub proceedings: RelatedProceedings,
    }
}
