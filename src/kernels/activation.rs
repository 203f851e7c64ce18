//! The activation functions.

/// An activation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// GELU by its tanh approximation (Hendrycks and Gimpel 2016); `gelu_new` in Hugging Face's configurations.
    GeluNew,
    /// The exact GELU, with the error function; `nn.GELU()` in PyTorch, `gelu` in Hugging Face's configurations. It
    /// uses `libm`, one number at a time.
    Gelu,
    /// max(0, x).
    Relu,
}

impl Activation {
    /// All of them, with their names in `config.json` and in GGUF's `peargpt.activation`.
    pub const NAMES: [(&str, Activation); 3] =
        [("gelu_new", Activation::GeluNew), ("gelu", Activation::Gelu), ("relu", Activation::Relu)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Activation::NAMES.iter().find(|(_, activation)| *activation == self).map_or("", |(name, _)| name)
    }

    /// The activation function with this name.
    pub fn named(name: &str) -> Option<Activation> {
        Activation::NAMES.iter().find(|(known, _)| *known == name).map(|(_, activation)| *activation)
    }
}

/// 2 · √(2/π): ½ x (1 + tanh z) is x / (1 + e^(−2z)), with z = √(2/π) (x + [`CUBE`] x³).
pub const TWICE_ROOT: f32 = 1.595_769;
/// See [`TWICE_ROOT`].
pub const CUBE: f32 = 0.044715;

/// ½ x (1 + erf(x / √2)).
pub fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2))
}

/// The slope of [`gelu`]: Φ(x) + x φ(x).
pub fn gelu_slope(x: f32) -> f32 {
    /// 1 / √(2π).
    const DENSITY: f32 = 0.398_942_3;
    let below = 0.5 * (1.0 + libm::erff(x * std::f32::consts::FRAC_1_SQRT_2));
    below + x * DENSITY * libm::expf(-0.5 * x * x)
}
