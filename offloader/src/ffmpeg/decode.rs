//! Pictures as they were sent, decoded.
//!
//! In: whole pictures in order. Out: what is seen.
//! Not here: which packets are a picture (`capture::picture`).

use ff::util::frame::Video;
use ff::{Packet, codec};
use ffmpeg_next as ff;

use super::{Frame, MediaError, refused};
use crate::client::Coding;

/// Decoders of AV1 that need no particular hardware, the fastest first. FFmpeg's own, `av1`, does.
const AV1: [&str; 3] = ["libdav1d", "libgav1", "libaom-av1"];

/// Decodes the pictures of one track.
pub struct PictureDecoder {
    decoder: codec::decoder::Video,
}

impl std::fmt::Debug for PictureDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PictureDecoder")
    }
}

impl PictureDecoder {
    /// Whether there is a decoder.
    ///
    /// # Errors
    /// When FFmpeg has none.
    pub fn find(coding: Coding) -> Result<(), MediaError> {
        super::init();
        codec(coding).map(|_| ())
    }

    /// Makes a decoder.
    ///
    /// # Errors
    /// When FFmpeg has none.
    pub fn new(coding: Coding) -> Result<Self, MediaError> {
        let codec = codec(coding)?;
        let mut context = codec::Context::new_with_codec(codec);
        // Frame threads would hold pictures back; one thread gives each at once.
        context.set_threading(codec::threading::Config::count(1));
        context.set_flags(codec::Flags::LOW_DELAY);
        let decoder = context
            .decoder()
            .open_as(codec)
            .and_then(codec::decoder::Opened::video)
            .map_err(refused("open the decoder of pictures"))?;
        Ok(Self { decoder })
    }

    /// Decodes one picture; a damaged one gives nothing.
    pub fn decode(&mut self, picture: &[u8]) -> Option<Frame> {
        self.decoder.send_packet(&Packet::copy(picture)).ok()?;
        let mut newest = None;
        let mut frame = Video::empty();
        while self.decoder.receive_frame(&mut frame).is_ok() {
            newest = Some(Frame(std::mem::replace(&mut frame, Video::empty())));
        }
        newest
    }
}

fn codec(coding: Coding) -> Result<ff::Codec, MediaError> {
    let (found, name) = match coding {
        Coding::Usual => (codec::decoder::find(codec::Id::VP8), "vp8"),
        Coding::Av1 => {
            let mut names = AV1.into_iter();
            (names.find_map(codec::decoder::find_by_name), AV1[0])
        }
    };
    found.ok_or(MediaError::Missing {
        what: "decoder",
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_packets_are_no_reason_to_panic() {
        super::super::init();
        for coding in [Coding::Usual, Coding::Av1] {
            let mut decoder = PictureDecoder::new(coding).unwrap();
            for packet in [
                &[][..],
                &[0],
                &[0xff; 7],
                &[3, 0xff, 0xff],
                &[0x9d, 1, 0x2a, 0, 0],
                &[0x0a, 2, 0, 0, 0x32, 1, 0],
            ] {
                assert!(decoder.decode(packet).is_none(), "{packet:?}");
            }
        }
    }
}
