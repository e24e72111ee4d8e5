//! What `referral.events` tells routing: a referral was received, amended or withdrawn.

use chassis::decider::Heard;
use schemas::codec::{Codec, CodecError};
use schemas::referral::ReferralEvent;
use schemas::{Event, InputPosition};

use crate::domain::{CommittedReferral, ReferralNews};

pub fn hear(
    codec: &Codec,
    position: &InputPosition,
    value: &[u8],
) -> Result<Option<Heard<ReferralNews>>, CodecError> {
    let event: Event<ReferralEvent> = codec.decode::<ReferralEvent, _>(value)?;
    let committed = |amendment, referral| {
        ReferralNews::Committed(CommittedReferral { amendment, referral, at: position.clone() })
    };
    let news = match event.body {
        ReferralEvent::ReferralReceived(received) => committed(0, received.referral),
        ReferralEvent::ReferralAmended(amended) => committed(amended.amendment, amended.referral),
        ReferralEvent::ReferralWithdrawn(withdrawn) => ReferralNews::Withdrawn(withdrawn.reason),
        _ => return Ok(None),
    };
    Ok(Some(Heard {
        aggregate_id: event.aggregate_id,
        cause: event.event_id.to_string(),
        time: event.time,
        agency: event.agency,
        news,
    }))
}
