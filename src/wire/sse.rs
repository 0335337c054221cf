//! Server-sent events as bytes: finds where frames end, without copying the stream.

/// Splits a byte stream into frames. Only a frame that is cut by the end of a chunk is copied.
#[derive(Default)]
pub struct Frames {
    partial: Vec<u8>,
}

impl Frames {
    /// Reads one chunk. For each frame that ends in it, `seen` gets the whole frame (with its blank line) and the offset
    /// in this chunk at which the frame begins; a frame that began in an earlier chunk begins at 0.
    pub fn push(&mut self, chunk: &[u8], mut seen: impl FnMut(&[u8], usize)) {
        let mut start = 0;
        let mut from = 0;
        while let Some(end) = self.frame_end(chunk, start, &mut from) {
            if start == 0 && !self.partial.is_empty() {
                self.partial.extend_from_slice(&chunk[..end]);
                seen(&self.partial, 0);
                self.partial.clear();
            } else {
                seen(&chunk[start..end], start);
            }
            start = end;
            from = end;
        }
        self.partial.extend_from_slice(&chunk[start..]);
    }

    /// Whether the stream stands between two frames, so that a frame of our own may go in.
    pub const fn between(&self) -> bool {
        self.partial.is_empty()
    }

    /// The frame that the end of the stream cut off.
    pub fn rest(&self) -> &[u8] {
        &self.partial
    }

    /// The end of the frame that begins at `start`, looking for line ends from `from` on.
    fn frame_end(&self, chunk: &[u8], start: usize, from: &mut usize) -> Option<usize> {
        while let Some(at) = memchr::memchr(b'\n', &chunk[*from..]).map(|found| *from + found) {
            *from = at + 1;
            // the line that this line end closes is empty: look back over an optional carriage return
            let carried = if start == 0 { self.partial.as_slice() } else { &[] };
            let before = |back: usize| {
                let here = at - start;
                if back <= here { Some(chunk[at - back]) } else { carried.iter().rev().nth(back - here - 1).copied() }
            };
            let blank = match before(1) {
                None | Some(b'\n') => true,
                Some(b'\r') => matches!(before(2), None | Some(b'\n')),
                Some(_) => false,
            };
            if blank {
                return Some(at + 1);
            }
        }
        *from = chunk.len();
        None
    }
}

/// The first `data:` line of a frame, without the one space after the colon.
pub fn data(frame: &[u8]) -> Option<&[u8]> {
    field(frame, b"data:")
}

/// The `event:` line of a frame.
pub fn event(frame: &[u8]) -> Option<&[u8]> {
    field(frame, b"event:")
}

fn field<'a>(frame: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let frame = frame.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(frame);
    let line = frame.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(name))?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    Some(line.strip_prefix(b" ").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b": hi\n\ndata: {\"a\":1}\r\n\r\nevent: x\ndata:2\n\n\n\ndata: [DONE]\n\n";

    fn split(cuts: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut frames = Frames::default();
        let mut got = Vec::new();
        for chunk in STREAM.chunks(cuts) {
            frames.push(chunk, |frame, _| got.push(frame.to_vec()));
        }
        (got, frames.rest().to_vec())
    }

    #[test]
    fn frames_are_the_same_however_the_stream_is_cut() {
        let whole = split(STREAM.len());
        assert_eq!(whole.0.concat(), STREAM);
        assert!(whole.1.is_empty());
        assert_eq!(data(&whole.0[1]), Some(b"{\"a\":1}".as_slice()));
        assert_eq!((event(&whole.0[2]), data(&whole.0[2])), (Some(b"x".as_slice()), Some(b"2".as_slice())));
        for cuts in 1..STREAM.len() {
            assert_eq!(split(cuts), whole, "cut every {cuts} bytes");
        }
    }

    #[test]
    fn offsets_point_at_the_frame_in_its_chunk() {
        let mut frames = Frames::default();
        let mut starts = Vec::new();
        frames.push(b"data: 1\n\ndata: 2\n\nda", |_, start| starts.push(start));
        assert!(!frames.between());
        frames.push(b"ta: 3\n\ndata: 4\n\n", |_, start| starts.push(start));
        assert!(frames.between());
        assert_eq!(starts, [0, 9, 0, 7]);
    }
}
