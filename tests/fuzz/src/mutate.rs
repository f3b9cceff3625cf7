//! Inputs made of inputs, the same ones every time.

use harness::random::Random;

/// Longest input that is made.
const LONGEST: usize = 96 * 1024;
/// Values at which lengths and counters go wrong.
const INTERESTING: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, 0xc0, 0xdf, b'\n'];

/// Changes an input in one to eight places; `other` lends pieces.
#[must_use]
pub fn mutate(random: &mut Random, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut made = input.to_vec();
    for _ in 0..=random.below(8) {
        change(random, &mut made, other);
    }
    made.truncate(LONGEST);
    made
}

fn change(random: &mut Random, made: &mut Vec<u8>, other: &[u8]) {
    let at = random.place(made.len());
    match random.below(8) {
        0 => {
            let bit = random.below(8);
            set(made, at, |byte| byte ^ 1 << bit);
        }
        1 => {
            let new = random.byte();
            set(made, at, |_| new);
        }
        2 => {
            let new = INTERESTING.get(random.place(INTERESTING.len()));
            set(made, at, |byte| new.copied().unwrap_or(byte));
        }
        3 => {
            let delta = random.byte() % 35;
            set(made, at, |byte| byte.wrapping_add(delta).wrapping_sub(17));
        }
        4 => made.truncate(at),
        5 => {
            let end = at + random.place((made.len() - at).min(64) + 1);
            made.drain(at..end);
        }
        6 => {
            let piece = piece(random, &made.clone());
            made.splice(at..at, piece);
        }
        _ => {
            let piece = piece(random, other);
            made.splice(at..at, piece);
        }
    }
}

fn set(made: &mut [u8], at: usize, new: impl FnOnce(u8) -> u8) {
    if let Some(byte) = made.get_mut(at) {
        *byte = new(*byte);
    }
}

fn piece(random: &mut Random, of: &[u8]) -> Vec<u8> {
    let start = random.place(of.len());
    let rest = of.get(start..).unwrap_or_default();
    let end = random.place(rest.len().min(512) + 1);
    rest.get(..end).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_inputs_and_another_makes_others() {
        let make = |seed| {
            let mut random = Random::new(seed);
            (0..50)
                .map(|_| mutate(&mut random, b"an input", b"another"))
                .collect::<Vec<_>>()
        };
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
        assert!(make(1).iter().any(|made| made != b"an input"));
        assert!(!mutate(&mut Random::new(3), b"", b"").len() > 8);
    }
}
