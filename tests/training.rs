//! Learning, held to PyTorch, to finite differences, and to itself with other numbers of threads. The figures are made by
//! `fixtures/make_training.py`.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test")]

use std::collections::HashMap;
use std::io::Cursor;

use candle_core::{DType, Device, Tensor, Var, safetensors};
use peargpt::checkpoint::import::{Answers, Inspection, Named, inspect, to_gguf};
use peargpt::checkpoint::precision::Precision;
use peargpt::kernels::ops::{self, Attended, Matrix};
use peargpt::kernels::{Activation, Heads};
use peargpt::model::config::Head;
use peargpt::model::{Config, Gpt};
use peargpt::train::gradients::{Batch, Gradients};
use peargpt::train::optimizer::{AdamW, Muon, Optimizers};
use peargpt::train::{Parameters, Plan, Settings, Trainer, Windows};
use serde_json::Value;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/training");

fn tensors(file: &str) -> HashMap<String, Tensor> {
    safetensors::load(format!("{FIXTURES}/{file}"), &Device::Cpu).unwrap()
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn ids(tensor: &Tensor) -> Vec<u32> {
    tensor.to_dtype(DType::U32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Fails unless all numbers are within `share` of the largest of those expected.
fn expect_near(name: &str, found: &Tensor, expected: &Tensor, share: f32) {
    assert_eq!(found.dims(), expected.dims(), "{name}");
    let (found, expected) = (numbers(found), numbers(expected));
    let most = expected.iter().fold(0.0f32, |most, x| most.max(x.abs()));
    let distance = found.iter().zip(&expected).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
    assert!(distance <= share * most, "{name}: {distance} of {most}");
    assert!(most > 0.0, "{name} is all zeros");
}

/// One operation of `operations.safetensors`: its tensors as variables, and what is expected.
struct Case<'a> {
    name: &'a str,
    all: &'a HashMap<String, Tensor>,
    x: Var,
    weight: Option<Var>,
    bias: Option<Var>,
}

impl<'a> Case<'a> {
    fn new(all: &'a HashMap<String, Tensor>, name: &'a str) -> Self {
        let variable = |part: &str| all.get(&format!("{name}.{part}")).map(|tensor| Var::from_tensor(tensor).unwrap());
        let x = variable("x").unwrap_or_else(|| Var::zeros(1, DType::F32, &Device::Cpu).unwrap());
        Case { name, all, x, weight: variable("weight"), bias: variable("bias") }
    }

    fn get(&self, part: &str) -> &Tensor {
        &self.all[&format!("{}.{part}", self.name)]
    }

    fn weight(&self) -> &Tensor {
        self.weight.as_ref().unwrap().as_tensor()
    }

    fn bias(&self) -> &Tensor {
        self.bias.as_ref().unwrap().as_tensor()
    }

    fn expect(&self, out: &Tensor) {
        expect_near(self.name, out, &self.get("out").reshape(out.dims()).unwrap(), 1e-5);
        // The gradient of the sum of out · upstream is that of out, times upstream.
        let sum = match self.all.get(&format!("{}.upstream", self.name)) {
            Some(upstream) if out.rank() > 0 => (out * upstream).unwrap().sum_all().unwrap(),
            _ => out.clone(),
        };
        let gradients = sum.backward().unwrap();
        let variables = [("x", Some(&self.x)), ("weight", self.weight.as_ref()), ("bias", self.bias.as_ref())];
        let mut compared = 0;
        for (part, variable) in variables {
            let Some(expected) = self.all.get(&format!("{}.{part}_gradient", self.name)) else { continue };
            let gradient = gradients.get(variable.unwrap()).unwrap();
            expect_near(&format!("{}.{part}_gradient", self.name), gradient, expected, 1e-4);
            compared += 1;
        }
        assert!(compared > 0);
    }
}

#[test]
fn every_operation_has_pytorchs_result_and_gradients() {
    let all = tensors("operations.safetensors");
    let linears = [
        ("linear", None),
        ("linear_unbiased", None),
        ("linear_gelu_new", Some(Activation::GeluNew)),
        ("linear_gelu", Some(Activation::Gelu)),
        ("linear_relu", Some(Activation::Relu)),
    ];
    for (name, activation) in linears {
        let case = Case::new(&all, name);
        let (weight, bias) = (Matrix::Learned(case.weight().clone()), case.bias.as_ref().map(Var::as_tensor));
        case.expect(&ops::linear(&case.x, &weight, bias, activation).unwrap());
    }
    let case = Case::new(&all, "layer_norm");
    case.expect(&ops::layer_norm(&case.x, case.weight(), case.bias(), 1e-5).unwrap());
    for (name, heads) in [
        ("attention", Heads { count: 3, head_dim: 8, context: 37 }),
        ("attention_long", Heads { count: 2, head_dim: 4, context: 150 }),
    ] {
        let case = Case::new(&all, name);
        case.expect(&ops::attend(&case.x, Attended::Rows(heads), heads.context).unwrap());
    }
    let case = Case::new(&all, "embedding");
    let read = case.get("ids").to_dtype(DType::U32).unwrap();
    case.expect(&ops::embedding(&read, None, &Matrix::Learned(case.weight().clone()), (case.bias(), 0)).unwrap());
    let case = Case::new(&all, "cross_entropy");
    let targets = ids(case.get("ids"));
    case.expect(&ops::cross_entropy(&case.x, &targets, targets.len()).unwrap());
}

fn config() -> Config {
    Config {
        layers: 2,
        heads: 4,
        n_embd: 32,
        n_inner: 128,
        context: 16,
        vocabulary_size: 27,
        layer_norm_epsilon: 1e-5,
        activation: Activation::GeluNew,
        head: Head::Tied,
        qkv_bias: true,
    }
}

/// The fixture's model, and its batches.
struct Small {
    all: HashMap<String, Tensor>,
}

impl Small {
    fn read() -> Self {
        Small { all: tensors("model.safetensors") }
    }

    fn parameters(&self) -> Parameters {
        let is_weight = |name: &str| name.ends_with(".weight") || name.ends_with(".bias");
        let weights = self.all.iter().filter(|(name, _)| is_weight(name) && !name.starts_with("gradient."));
        Parameters::new(weights.map(|(name, tensor)| (name.clone(), tensor.clone())).collect()).unwrap()
    }

    /// The batch of a step, from 0.
    fn windows(&self, step: usize) -> Windows {
        let of = |name: &str| ids(&self.all[name].get(step).unwrap());
        Windows { ids: of("ids"), targets: of("targets") }
    }

    fn gradients(&self, parameters: &Parameters, leaf: usize, threads: usize) -> Gradients {
        let windows = self.windows(0);
        let batch = Batch { config: &config(), parameters, windows: &windows, leaf, dropout: (0.0, 0) };
        batch.gradients(threads).unwrap()
    }
}

#[test]
fn a_small_model_has_pytorchs_loss_and_gradients() {
    let small = Small::read();
    let parameters = small.parameters();
    let found = small.gradients(&parameters, 3, 1);
    let loss = f64::from(numbers(&small.all["loss"])[0]);
    assert!((found.loss - loss).abs() < 1e-5, "{} {loss}", found.loss);
    assert_eq!(found.tensors.len(), 28);
    for ((name, _), gradient) in parameters.iter().zip(&found.tensors) {
        expect_near(name, gradient, &small.all[&format!("gradient.{name}")], 1e-4);
    }
}

#[test]
fn our_way_back_gives_the_bits_of_candles() {
    let small = Small::read();
    let (parameters, windows) = (small.parameters(), small.windows(0));
    let found = small.gradients(&parameters, 8, 1);
    let gpt = Gpt::load(&config(), &mut parameters.weights().unwrap()).unwrap();
    let shape = (windows.ids.len() / config().context, config().context);
    let ids = Tensor::from_slice(&windows.ids, shape, &Device::Cpu).unwrap();
    let logits = gpt.forward(&ids, None).unwrap();
    let loss = ops::cross_entropy(&logits, &windows.targets, windows.targets.len()).unwrap();
    let expected = loss.backward().unwrap();
    assert_eq!(found.loss as f32, loss.to_scalar::<f32>().unwrap());
    for ((name, variable), gradient) in parameters.iter().zip(&found.tensors) {
        let bits = |tensor: &Tensor| numbers(tensor).into_iter().map(f32::to_bits).collect::<Vec<_>>();
        assert!(bits(gradient) == bits(expected.get(variable).unwrap()), "{name}");
    }
}

#[test]
fn a_models_file_has_the_bytes_of_the_converters() {
    let text = "to be or not to be, that is the question. ".repeat(40);
    // A width that 32 does not divide, too, which no block of Q8_0 fits.
    for n_embd in [32, 48] {
        let plan =
            Plan { n_layer: Some(1), n_head: Some(2), n_embd: Some(n_embd), block_size: Some(16), ..Plan::default() };
        let run = plan.begin(&text, "", None).unwrap();
        for precision in [Precision::F32, Precision::F16, Precision::Q8_0] {
            let model = run.model(Some(precision), "mine").unwrap();
            let whole = Named {
                name: "a.gguf".to_string(),
                reader: Cursor::new(run.model(Some(Precision::F32), "mine").unwrap()),
            };
            let mut files = [whole];
            let Inspection::Ready(info) = inspect(&mut files, &Answers::default()).unwrap() else {
                panic!("incomplete")
            };
            let mut expected = Vec::new();
            to_gguf(&info, "mine", Some(precision)).unwrap().write(&info, &mut files, &mut expected).unwrap();
            assert!(model == expected, "{n_embd} wide, {precision:?}");
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let small = Small::read();
    let parameters = small.parameters();
    let found = small.gradients(&parameters, 8, 1);
    for ((name, variable), gradient) in parameters.iter().zip(&found.tensors) {
        // Along the gradient the loss rises as fast as the gradient is long, whatever the tensor.
        let before = variable.as_tensor().copy().unwrap();
        let length = gradient.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
        let step = 0.01 / length;
        let [above, below] = [f64::from(step), -f64::from(step)].map(|step| {
            variable.set(&(&before + (gradient * step).unwrap()).unwrap()).unwrap();
            small.gradients(&parameters, 8, 1).loss
        });
        variable.set(&before).unwrap();
        let slope = (above - below) / 0.02;
        assert!((slope / f64::from(length) - 1.0).abs() < 0.02, "{name}: {slope}, gradient {length}");
    }
}

/// A fixture's optimizers.
fn optimizers(kind: &str) -> Optimizers {
    let adamw = AdamW { learning_rate: 1e-3, betas: [0.9, 0.99], epsilon: 1e-8, weight_decay: 0.1 };
    match kind {
        "adamw" => Optimizers { adamw, muon: None },
        _ => Optimizers {
            adamw: AdamW { learning_rate: 3e-3, weight_decay: 0.0, ..adamw },
            muon: Some(Muon { learning_rate: 0.02, momentum: 0.95, weight_decay: 0.1 }),
        },
    }
}

fn settings() -> Settings {
    Settings { batch: 8, leaf: 3, dropout: 0.0, clip: 1.0, ema: 0.9, seed: 1 }
}

#[test]
fn twenty_steps_have_pytorchs_losses() {
    let (small, losses) = (Small::read(), std::fs::read_to_string(format!("{FIXTURES}/losses.json")).unwrap());
    let losses: Value = serde_json::from_str(&losses).unwrap();
    for kind in ["adamw", "muon"] {
        let mut trainer = Trainer::new(&config(), settings(), small.parameters(), optimizers(kind)).unwrap();
        let expected = losses[kind]["float64"].as_array().unwrap();
        assert_eq!(expected.len(), 20);
        for (step, expected) in expected.iter().enumerate() {
            let found = trainer.step(&small.windows(step), 1.0).unwrap();
            let distance = (found.loss - expected.as_f64().unwrap()).abs();
            assert!(distance < 1e-4, "{kind}, step {step}: {} {expected}", found.loss);
        }
    }
}

#[test]
fn any_number_of_threads_learns_the_same_bytes() {
    let small = Small::read();
    let learned = |threads| {
        let settings = Settings { leaf: 1, dropout: 0.2, ..settings() };
        let mut trainer = Trainer::new(&config(), settings, small.parameters(), optimizers("muon")).unwrap();
        trainer.set_threads(threads);
        let losses: Vec<u64> =
            (0..6).map(|step| trainer.step(&small.windows(step), 1.0).unwrap().loss.to_bits()).collect();
        let bits = |parameters: &Parameters| -> Vec<u32> {
            parameters.iter().flat_map(|(_, variable)| numbers(variable)).map(f32::to_bits).collect()
        };
        (losses, bits(trainer.parameters()), bits(&trainer.mean().unwrap()))
    };
    let one = learned(1);
    assert_ne!(one.1, one.2);
    for threads in [2, 3, 8] {
        assert!(learned(threads) == one, "{threads} threads");
    }
}
