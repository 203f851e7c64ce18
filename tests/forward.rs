//! One forward pass: to write, to look inside, to learn. Whoever looks changes no bit, and what is replaced counts.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

mod common;

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarMap;
use peargpt::checkpoint::precision::Precision;
use peargpt::checkpoint::random;
use peargpt::model::config::{Activation, Head};
use peargpt::model::{Config, Gpt, Hook, Observer, Outputs};
use peargpt::model::{Weight, Weights};

fn config() -> Config {
    Config {
        layers: 3,
        heads: 4,
        n_embd: 64,
        n_inner: 96,
        context: 48,
        vocabulary_size: 61,
        layer_norm_epsilon: 1e-5,
        activation: Activation::GeluNew,
        head: Head::Tied,
        qkv_bias: true,
    }
}

fn weights(precision: Precision) -> Weights {
    common::in_precision(&config(), random::weights(&config(), 5).unwrap(), precision)
}

/// With 8-bit matrices and keys, and with all in float32.
fn models() -> [Gpt; 2] {
    [Precision::Q8_0, Precision::F32].map(|precision| Gpt::load(&config(), &mut weights(precision)).unwrap())
}

fn ids(count: u32) -> Vec<u32> {
    (0..count).map(|index| (index * 17 + index / 3) % 61).collect()
}

/// `[1, ids]`.
fn row(ids: &[u32]) -> Tensor {
    Tensor::from_slice(ids, (1, ids.len()), &Device::Cpu).unwrap()
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

/// Keeps all that it sees, and replaces what it is told to.
#[derive(Default)]
struct Recorder {
    seen: BTreeMap<Hook, Tensor>,
    order: Vec<Hook>,
    replace: BTreeMap<Hook, Tensor>,
    only: Option<Hook>,
}

impl Recorder {
    fn replacing(hook: Hook, value: Tensor) -> Recorder {
        Recorder { replace: [(hook, value)].into(), ..Recorder::default() }
    }
}

impl Observer for Recorder {
    fn wants(&self, hook: Hook) -> bool {
        self.only.is_none_or(|only| only == hook)
    }

    fn see(&mut self, hook: Hook, value: &Tensor) -> Option<Tensor> {
        self.order.push(hook);
        self.seen.insert(hook, value.clone());
        self.replace.remove(&hook)
    }
}

/// Every hook with the shape of its value.
fn all_hooks(rows: usize) -> Vec<(Hook, Vec<usize>)> {
    let stream = vec![1, rows, 64];
    let block = |block| {
        [
            (Hook::AttentionNorm(block), stream.clone()),
            (Hook::AttentionWeights(block), vec![1, 4, rows, rows]),
            (Hook::HeadOutputs(block), stream.clone()),
            (Hook::AttentionOutput(block), stream.clone()),
            (Hook::ResidualMiddle(block), stream.clone()),
            (Hook::MlpNorm(block), stream.clone()),
            (Hook::MlpHidden(block), vec![1, rows, 96]),
            (Hook::MlpOutput(block), stream.clone()),
            (Hook::Residual(block), stream.clone()),
        ]
    };
    let begin = [(Hook::Embedding, stream.clone())].into_iter();
    begin
        .chain((0..3).flat_map(block))
        .chain([(Hook::Norm, stream.clone()), (Hook::Logits, vec![1, rows, 61])])
        .collect()
}

#[test]
fn an_observer_sees_every_named_value_in_order_and_changes_no_bit() {
    for gpt in models() {
        let (ids, mut recorder) = (ids(20), Recorder::default());
        let mut cache = gpt.new_cache().unwrap();
        let observed = gpt.forward_observed(&row(&ids), Some(&mut cache), &mut recorder).unwrap();
        assert_eq!(bits(&observed), bits(&gpt.forward_all(&ids, None).unwrap()));
        let shapes: Vec<(Hook, Vec<usize>)> =
            recorder.order.iter().map(|hook| (*hook, recorder.seen[hook].dims().to_vec())).collect();
        assert_eq!(shapes, all_hooks(20));
        assert_eq!(bits(&recorder.seen[&Hook::Logits]), bits(&observed));
    }
}

#[test]
fn the_values_that_are_seen_fit_together() {
    for gpt in models() {
        let mut recorder = Recorder::default();
        gpt.forward_observed(&row(&ids(12)), Some(&mut gpt.new_cache().unwrap()), &mut recorder).unwrap();
        let seen = |hook| &recorder.seen[&hook];
        for block in 0..3 {
            let before = if block == 0 { seen(Hook::Embedding) } else { seen(Hook::Residual(block - 1)) };
            let middle = (before + seen(Hook::AttentionOutput(block))).unwrap();
            assert_eq!(bits(&middle), bits(seen(Hook::ResidualMiddle(block))));
            let after = (&middle + seen(Hook::MlpOutput(block))).unwrap();
            assert_eq!(bits(&after), bits(seen(Hook::Residual(block))));
            let sums = seen(Hook::AttentionWeights(block)).sum_keepdim(3).unwrap();
            let sums: Vec<f32> = sums.flatten_all().unwrap().to_vec1().unwrap();
            assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-5), "{sums:?}");
        }
    }
}

#[test]
fn hooks_have_the_names_of_the_field() {
    let names: Vec<String> = all_hooks(1).iter().map(|(hook, _)| hook.to_string()).collect();
    assert_eq!(names[0], "blocks.0.hook_resid_pre");
    assert_eq!(
        names[10..19].join(" "),
        "blocks.1.ln1.hook_normalized blocks.1.attn.hook_pattern blocks.1.attn.hook_z \
        blocks.1.hook_attn_out blocks.1.hook_resid_mid blocks.1.ln2.hook_normalized blocks.1.mlp.hook_post \
        blocks.1.hook_mlp_out blocks.1.hook_resid_post"
    );
    assert_eq!(names[28..], ["ln_final.hook_normalized", "logits"]);
}

#[test]
fn what_is_replaced_counts_from_there_on() {
    for gpt in models() {
        let ids = ids(9);
        let plain = gpt.forward_all(&ids, None).unwrap();
        let mut recorder = Recorder::default();
        gpt.forward_observed(&row(&ids), Some(&mut gpt.new_cache().unwrap()), &mut recorder).unwrap();
        for (hook, value) in &recorder.seen {
            let mut other = Recorder::replacing(*hook, value.affine(0.5, 0.125).unwrap());
            let found = gpt.forward_observed(&row(&ids), Some(&mut gpt.new_cache().unwrap()), &mut other).unwrap();
            assert_ne!(bits(&found), bits(&plain), "{hook}");
            let unchanged = other.order.iter().take_while(|seen| *seen != hook);
            unchanged
                .for_each(|seen| assert_eq!(bits(&other.seen[seen]), bits(&recorder.seen[seen]), "{hook}: {seen}"));
        }
    }
}

#[test]
fn a_head_without_output_adds_nothing_but_the_bias() {
    for gpt in models() {
        let (ids, hook) = (ids(9), Hook::HeadOutputs(1));
        let zeros = Tensor::zeros((1, 9, 64), DType::F32, &Device::Cpu).unwrap();
        let mut recorder = Recorder::replacing(hook, zeros);
        gpt.forward_observed(&row(&ids), None, &mut recorder).unwrap();
        let bias = weights(Precision::F32).get("blk.1.attn_output.bias").unwrap().dequantize(&Device::Cpu).unwrap();
        let output: Vec<Vec<f32>> = recorder.seen[&Hook::AttentionOutput(1)].squeeze(0).unwrap().to_vec2().unwrap();
        assert!(output.iter().all(|row| *row == bias.to_vec1::<f32>().unwrap()));
    }
}

#[test]
fn a_value_of_another_shape_is_refused_by_name() {
    let [gpt, _] = models();
    let mut recorder =
        Recorder::replacing(Hook::MlpOutput(2), Tensor::zeros((1, 4, 63), DType::F32, &Device::Cpu).unwrap());
    let error = gpt.forward_observed(&row(&ids(4)), None, &mut recorder).unwrap_err().to_string();
    assert!(error.starts_with("blocks.2.hook_mlp_out: expected float32 numbers of shape [1, 4, 64]"), "{error}");
}

#[test]
fn attention_weights_that_nobody_wants_are_not_computed() {
    let [gpt, _] = models();
    let mut recorder = Recorder { only: Some(Hook::Residual(0)), ..Recorder::default() };
    gpt.forward_observed(&row(&ids(4)), None, &mut recorder).unwrap();
    assert_eq!(recorder.order, [Hook::Residual(0)]);
}

#[test]
fn rows_of_the_window_are_read_again_without_changing_the_cache() {
    for gpt in models() {
        let (ids, mut cache) = (ids(30), gpt.new_cache().unwrap());
        let all = gpt.forward_all(&ids, Some(&mut cache)).unwrap();
        for rows in [0..1, 7..8, 29..30, 3..17] {
            let again = gpt.read_again(&row(&ids[rows.clone()]), rows.start, &cache, None).unwrap();
            assert_eq!(bits(&again), bits(&all.narrow(0, rows.start, rows.len()).unwrap()), "{rows:?}");
        }
        assert_eq!(cache.len(), 30);
        let next = gpt.next_logits(&[5], &mut cache).unwrap();
        let whole = gpt.forward_all(&[ids.as_slice(), &[5]].concat(), None).unwrap();
        assert_eq!(bits(&next), bits(&whole.get(30).unwrap()), "the text goes on as if nobody had looked");
        let error = gpt.read_again(&row(&[1, 2]), 30, &cache, None).unwrap_err().to_string();
        assert_eq!(error, "expected positions below 31, which the cache holds, found 32");
    }
}

#[test]
fn a_truncated_cache_goes_on_as_one_that_never_had_more() {
    for gpt in models() {
        let (ids, mut cache) = (ids(40), gpt.new_cache().unwrap());
        gpt.next_logits(&ids, &mut cache).unwrap();
        for len in [33, 8, 1, 0] {
            cache.truncate(len);
            assert_eq!(cache.len(), len);
            let other = [&ids[..len], &[7, 9, 11]].concat();
            let found = gpt.forward_all(&[7, 9, 11], Some(&mut cache)).unwrap();
            let expected = gpt.forward_all(&other, None).unwrap().narrow(0, len, 3).unwrap();
            assert_eq!(bits(&found), bits(&expected), "{len}");
        }
        cache.truncate(1000);
        assert_eq!(cache.len(), 3);
    }
}

#[test]
fn a_batch_without_a_cache_gives_what_each_sequence_gives() {
    let [_, gpt] = models();
    let sequences = [ids(10), (0..10).map(|index| index * 31 % 61).collect(), vec![3; 10]];
    let batch = Tensor::from_vec(sequences.concat(), (3, 10), &Device::Cpu).unwrap();
    let logits = gpt.forward(&batch, None).unwrap();
    assert_eq!(logits.dims(), [3, 10, 61]);
    for (index, ids) in sequences.iter().enumerate() {
        let alone = gpt.forward_all(ids, None).unwrap();
        assert_eq!(bits(&logits.get(index).unwrap()), bits(&alone), "sequence {index}");
    }
    let error = gpt.forward(&batch, Some(&mut gpt.new_cache().unwrap())).unwrap_err().to_string();
    assert!(error.contains("expected 1 sequence, found 3"), "{error}");
}

#[test]
fn a_pass_does_not_go_on_with_another_cache() {
    let [gpt, _] = models();
    let mut cache = gpt.new_cache().unwrap();
    let mut pass = gpt.begin(&ids(5), &cache, Outputs::Last).unwrap();
    assert!(!gpt.next_block(&mut pass, &mut cache).unwrap());
    gpt.next_logits(&ids(3), &mut cache).unwrap();
    let error = gpt.next_block(&mut pass, &mut cache).unwrap_err().to_string();
    assert_eq!(error, "the cache has 3 tokens, expected the 0 that it had when the pass began");
}

/// The float32 weights of the very same model as variables under the checkpoint's names, as a trainer holds them.
#[test]
fn a_var_map_holds_the_weights() {
    let (variables, mut taken) = (VarMap::new(), Weights::default());
    for (name, weight) in weights(Precision::F32) {
        let variable = Var::from_tensor(&weight.dequantize(&Device::Cpu).unwrap()).unwrap();
        taken.put(&name, Weight::F32(variable.as_tensor().clone())).unwrap();
        variables.data().lock().unwrap().insert(name, variable);
    }
    let (gpt, [_, plain]) = (Gpt::load(&config(), &mut taken).unwrap(), models());
    assert_eq!(taken.iter().count(), 0);
    let (ids, logits) = (ids(10), plain.forward_all(&ids(10), None).unwrap());
    assert_eq!(bits(&gpt.forward(&row(&ids), None).unwrap()), bits(&logits));
    let names: Vec<String> = variables.data().lock().unwrap().keys().cloned().collect();
    for name in names {
        // What is written into a variable is what the model computes with.
        let variable = variables.data().lock().unwrap()[&name].clone();
        let before = variable.as_tensor().copy().unwrap();
        variable.set(&before.affine(1.5, 0.25).unwrap()).unwrap();
        assert_ne!(bits(&gpt.forward(&row(&ids), None).unwrap()), bits(&logits), "{name}");
        variable.set(&before).unwrap();
        assert_eq!(bits(&gpt.forward(&row(&ids), None).unwrap()), bits(&logits), "{name}");
    }
}
