//! Digests of files and pictures, and how they are written.

use std::fmt;

/// What a digest was computed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    Md5,
    Sha1,
    Sha256,
    Pdq,
}

impl Algorithm {
    pub const ALL: [Self; 4] = [Self::Md5, Self::Sha1, Self::Sha256, Self::Pdq];

    /// Length of a digest, in bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 | Self::Pdq => 32,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha-1",
            Self::Sha256 => "sha-256",
            Self::Pdq => "pdq",
        })
    }
}

/// A text that is no digest of its algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a digest: expected {} hexadecimal digits for {algorithm}", algorithm.bytes() * 2)]
pub struct InvalidDigest {
    pub algorithm: Algorithm,
}

/// A digest. Two are the same when algorithm and bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    Md5([u8; 16]),
    Sha1([u8; 20]),
    Sha256([u8; 32]),
    Pdq(Pdq),
}

impl Digest {
    /// From hexadecimal digits of either case.
    ///
    /// # Errors
    /// When the text is not as long as the algorithm's digests, or holds something else.
    pub fn parse(algorithm: Algorithm, text: &str) -> Result<Self, InvalidDigest> {
        fn bytes<const N: usize>(algorithm: Algorithm, text: &str) -> Result<[u8; N], InvalidDigest> {
            let mut bytes = [0; N];
            hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidDigest { algorithm })?;
            Ok(bytes)
        }
        Ok(match algorithm {
            Algorithm::Md5 => Self::Md5(bytes(algorithm, text)?),
            Algorithm::Sha1 => Self::Sha1(bytes(algorithm, text)?),
            Algorithm::Sha256 => Self::Sha256(bytes(algorithm, text)?),
            Algorithm::Pdq => Self::Pdq(Pdq::from_bytes(bytes(algorithm, text)?)),
        })
    }

    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Md5(_) => Algorithm::Md5,
            Self::Sha1(_) => Algorithm::Sha1,
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Pdq(_) => Algorithm::Pdq,
        }
    }
}

impl fmt::Display for Digest {
    /// In hexadecimal digits, as [`Digest::parse`] reads them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Md5(bytes) => f.write_str(&hex::encode(bytes)),
            Self::Sha1(bytes) => f.write_str(&hex::encode(bytes)),
            Self::Sha256(bytes) => f.write_str(&hex::encode(bytes)),
            Self::Pdq(Pdq(words)) => words.iter().try_for_each(|word| write!(f, "{word:016x}")),
        }
    }
}

/// A PDQ digest: 256 bits, of which pictures that look alike share most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pdq([u64; 4]);

impl Pdq {
    pub const BITS: u32 = 256;

    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_be_bytes(*bytes);
        }
        Self(words)
    }

    pub const fn from_words(words: [u64; 4]) -> Self {
        Self(words)
    }

    pub const fn words(&self) -> &[u64; 4] {
        &self.0
    }

    /// In how many bits two digests differ.
    pub const fn distance(&self, other: &Self) -> u32 {
        let [a, b, c, d] = self.0;
        let [e, f, g, h] = other.0;
        (a ^ e).count_ones() + (b ^ f).count_ones() + (c ^ g).count_ones() + (d ^ h).count_ones()
    }

    /// One of its sixteen parts of sixteen bits.
    pub(crate) const fn part(&self, number: usize) -> u16 {
        (self.0[number / 4] >> (48 - 16 * (number % 4))) as u16
    }
}
