//! Conversions as a whole: the same bytes as ever, and no panic whatever the input.

#![cfg(test)]

use aws_lc_rs::digest::{SHA256, digest};
use weights::{Precision, convert_whisper};

#[test]
fn a_small_model_converts_to_the_same_bytes_as_ever() {
    let (weights, vocabulary) = small_whisper();
    let mut tensors = Vec::new();
    for (precision, pinned) in [
        (
            Precision::F16,
            "4afc9688bcc350da25cb7a57764a0a546db3989d4316cbcc8bb052199213015a",
        ),
        (
            Precision::Q8,
            "079ff102fdaf23b2963b49e5e8680d92472d976e88efd85e4e329c93b8ab5d53",
        ),
    ] {
        let mut out = Vec::new();
        convert_whisper(&weights, &vocabulary, precision, &mut out).unwrap();
        assert_eq!(sha256(&out), pinned, "{precision:?}, {} bytes", out.len());
        tensors.push(out);
    }
    assert!(tensors[1].len() < tensors[0].len());
}

#[test]
fn weights_that_are_cut_off_or_changed_never_panic() {
    let (weights, vocabulary) = small_whisper();
    for step in 0..200 {
        let cut = weights.len() * step / 200;
        let result = convert_whisper(&weights[..cut], &vocabulary, Precision::Q8, Vec::new());
        assert!(result.is_err(), "cut at {cut}");
    }
    let mut seed = 7usize;
    for _ in 0..300 {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mut changed = weights.clone();
        let at = (seed >> 20) % changed.len().min(4_000);
        changed[at] ^= 1 << (seed % 8);
        let _ = convert_whisper(&changed, &vocabulary, Precision::Q8, Vec::new());
    }
}

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Weights of one encoder and one decoder layer of width 64, filled with a plain pattern.
fn small_whisper() -> (Vec<u8>, Vec<u8>) {
    const WIDTH: usize = 64;
    let mut arrays: Vec<(String, Vec<usize>)> = vec![
        (
            "encoder/position_encodings/encodings".into(),
            vec![10, WIDTH],
        ),
        ("encoder/conv1/weight".into(), vec![WIDTH, 80, 3]),
        ("encoder/conv1/bias".into(), vec![WIDTH]),
        ("encoder/conv2/weight".into(), vec![WIDTH, WIDTH, 3]),
        ("encoder/conv2/bias".into(), vec![WIDTH]),
        (
            "decoder/position_encodings/encodings".into(),
            vec![7, WIDTH],
        ),
        ("decoder/embeddings/weight".into(), vec![5, WIDTH]),
    ];
    let mut norm = |name: String| {
        arrays.push((format!("{name}/gamma"), vec![WIDTH]));
        arrays.push((format!("{name}/beta"), vec![WIDTH]));
    };
    for side in ["encoder", "decoder"] {
        norm(format!("{side}/layer_norm"));
        norm(format!("{side}/layer_0/self_attention/layer_norm"));
        norm(format!("{side}/layer_0/ffn/layer_norm"));
    }
    norm("decoder/layer_0/attention/layer_norm".into());
    let mut linear = |name: &str, rows: usize, columns: usize| {
        arrays.push((format!("{name}/weight"), vec![rows, columns]));
        arrays.push((format!("{name}/bias"), vec![rows]));
    };
    for side in ["encoder", "decoder"] {
        linear(
            &format!("{side}/layer_0/self_attention/linear_0"),
            3 * WIDTH,
            WIDTH,
        );
        linear(
            &format!("{side}/layer_0/self_attention/linear_1"),
            WIDTH,
            WIDTH,
        );
        linear(&format!("{side}/layer_0/ffn/linear_0"), 4 * WIDTH, WIDTH);
        linear(&format!("{side}/layer_0/ffn/linear_1"), WIDTH, 4 * WIDTH);
    }
    linear("decoder/layer_0/attention/linear_0", WIDTH, WIDTH);
    linear("decoder/layer_0/attention/linear_1", 2 * WIDTH, WIDTH);
    linear("decoder/layer_0/attention/linear_2", WIDTH, WIDTH);
    let vocabulary = "!\nthe\n\u{120}a\n<|endoftext|>\n<|en|>\n"
        .as_bytes()
        .to_vec();
    (weights_file(&arrays), vocabulary)
}

fn weights_file(arrays: &[(String, Vec<usize>)]) -> Vec<u8> {
    let string = |text: &str| {
        let length = u16::try_from(text.len() + 1).unwrap().to_le_bytes();
        [length.as_slice(), text.as_bytes(), &[0]].concat()
    };
    let size = |value: usize| u32::try_from(value).unwrap().to_le_bytes();
    let mut out = [
        &size(6)[..],
        &string("WhisperSpec"),
        &size(3),
        &size(arrays.len()),
    ]
    .concat();
    for (index, (name, shape)) in arrays.iter().enumerate() {
        let count: usize = shape.iter().product();
        out.extend(string(name));
        out.push(u8::try_from(shape.len()).unwrap());
        shape.iter().for_each(|extent| out.extend(size(*extent)));
        out.push(0);
        out.extend(size(count * 4));
        for i in 0..count {
            let step = u16::try_from((i * 37 + index * 101) % 4_001).unwrap();
            out.extend((f32::from(step) / 1_000.0 - 2.0).to_le_bytes());
        }
    }
    out.extend(size(0));
    out
}
