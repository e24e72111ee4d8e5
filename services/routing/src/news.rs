//! What `referral.events` tells routing: a referral was received and committed.

use chassis::decider::Heard;
use schemas::codec::{Codec, CodecError};
use schemas::referral::ReferralEvent;
use schemas::{Event, InputPosition};

use crate::domain::CommittedReferral;

pub fn hear(
    codec: &Codec,
    position: &InputPosition,
    value: &[u8],
) -> Result<Option<Heard<CommittedReferral>>, CodecError> {
    let event: Event<ReferralEvent> = codec.decode::<ReferralEvent, _>(value)?;
    let ReferralEvent::ReferralReceived(received) = event.body else { return Ok(None) };
    Ok(Some(Heard {
        aggregate_id: event.aggregate_id,
        cause: event.event_id.to_string(),
        time: event.time,
        agency: event.agency,
        news: CommittedReferral { referral: received.referral, at: position.clone() },
    }))
}
