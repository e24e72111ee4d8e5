//! The index against comparing one by one: on random digests, and on those that sit around the threshold.

use known_material::{MAX_DISTANCE, Near, NearIndex, Pdq};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::seq::index::sample;
use rand::{Rng, SeedableRng};

fn random(random: &mut StdRng) -> Pdq {
    Pdq::from_words(random.random())
}

/// The digest with so many bits turned over.
fn turned(digest: &Pdq, bits: impl IntoIterator<Item = usize>) -> Pdq {
    let mut words = *digest.words();
    for bit in bits {
        words[bit / 64] ^= 1 << (bit % 64);
    }
    Pdq::from_words(words)
}

fn one_by_one(digests: &[Pdq], removed: &[u32], digest: &Pdq, distance: u32) -> Vec<Near> {
    let all = (0u32..).zip(digests).filter(|(number, _)| !removed.contains(number));
    let mut near: Vec<Near> = all
        .map(|(number, other)| Near { distance: digest.distance(other), number })
        .filter(|near| near.distance <= distance)
        .collect();
    near.sort_unstable();
    near
}

#[test]
fn digests_around_the_threshold_are_found_or_not_as_they_are() {
    let mut dice = StdRng::seed_from_u64(7);
    let mut digests: Vec<Pdq> = (0..20_000).map(|_| random(&mut dice)).collect();
    let queries: Vec<Pdq> = (0..200).map(|_| random(&mut dice)).collect();
    for query in &queries {
        // As far as the distance allows, and a bit farther; spread over the parts as evenly as can be, so that each of
        // them differs; and all in a few parts.
        for bits in 28..=34 {
            digests.push(turned(query, sample(&mut dice, 256, bits)));
            let evenly = (0..bits).map(|bit| (bit % 16) * 16 + bit / 16);
            digests.push(turned(query, evenly));
            digests.push(turned(query, 0..bits));
        }
    }
    let index = NearIndex::of(digests.iter().copied());
    for query in &queries {
        for distance in [0, 1, 16, 30, MAX_DISTANCE] {
            assert_eq!(index.within(query, distance), one_by_one(&digests, &[], query, distance));
        }
    }
}

#[test]
fn digests_that_crowd_in_one_bucket_are_all_found() {
    let mut dice = StdRng::seed_from_u64(11);
    let middle = random(&mut dice);
    let crowd: Vec<Pdq> = (0..3_000)
        .map(|_| {
            let bits = dice.random_range(0..40);
            turned(&middle, sample(&mut dice, 256, bits))
        })
        .collect();
    let index = NearIndex::of(crowd.iter().copied());
    assert_eq!(index.within(&middle, MAX_DISTANCE), one_by_one(&crowd, &[], &middle, MAX_DISTANCE));
}

#[test]
fn what_is_added_is_found_and_what_is_taken_out_is_not() {
    let mut dice = StdRng::seed_from_u64(13);
    let (mut index, mut digests, mut removed) = (NearIndex::default(), Vec::new(), Vec::new());
    for step in 0..10_000_u32 {
        let digest = match digests.last() {
            Some(last) if step % 3 == 0 => turned(last, sample(&mut dice, 256, 20)),
            _ => random(&mut dice),
        };
        assert_eq!(index.add(digest), step);
        digests.push(digest);
        if step % 5 == 0 {
            let number = dice.random_range(0..=step);
            index.remove(number);
            removed.push(number);
        }
        if step % 500 == 0 {
            let query = digests[dice.random_range(0..digests.len())];
            let expected = one_by_one(&digests, &removed, &query, MAX_DISTANCE);
            assert_eq!(index.within(&query, MAX_DISTANCE), expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn two_digests_are_as_far_apart_as_they_differ(
        words in any::<[u64; 4]>(),
        bits in proptest::collection::btree_set(0..256usize, 0..64),
        within in 0..=MAX_DISTANCE,
    ) {
        let digest = Pdq::from_words(words);
        let other = turned(&digest, bits.iter().copied());
        prop_assert_eq!(digest.distance(&other) as usize, bits.len());
        let found = NearIndex::of([other]).within(&digest, within);
        prop_assert_eq!(!found.is_empty(), bits.len() <= within as usize);
    }
}
