//! Fine-tuning on a text with characters that the model does not know.

use candle_core::{Device, Result, Tensor};

use super::random::{Purpose, normals, sequence};
use crate::kernels::ops::with_numbers;
use crate::model::Config;
use crate::tokenizer::{TokenizerSpec, bytes};

/// Standard deviation of a new character's weights, around the mean of those that are there.
const DEVIATION: f32 = 0.02;

/// Adds characters to a character model, behind those that it has: a row of `n_embd` numbers each in the embedding, and in a head
/// of its own, and a number in that head's bias. Each begins as the mean of the others, and a little noise by the seed, so that
/// all are as likely as an average one. Fails where a tensor's numbers are not float32.
pub fn add_characters(
    config: &mut Config,
    tokenizer: &mut TokenizerSpec,
    tensors: &mut [(String, Tensor)],
    characters: &[char],
    seed: u64,
) -> Result<()> {
    tokenizer.tokens.extend(characters.iter().map(|character| bytes::spell(character.to_string().as_bytes())));
    config.vocabulary_size += characters.len();
    let named = ["token_embd.weight", "output.weight", "output.bias"].into_iter().enumerate();
    for (index, name) in named {
        let Some((_, tensor)) = tensors.iter_mut().find(|(other, _)| other == name) else { continue };
        let mut shape = tensor.dims().to_vec();
        let (rows, columns) = (shape[0], tensor.elem_count() / shape[0]);
        let mut numbers = with_numbers(&tensor.contiguous()?, <[f32]>::to_vec)?;
        let mean = |column: usize| numbers.iter().skip(column).step_by(columns).sum::<f32>() / rows as f32;
        let mean: Vec<f32> = (0..columns).map(mean).collect();
        let mut normal = normals(sequence(seed, Purpose::Characters(index)));
        for _ in characters {
            numbers.extend(mean.iter().map(|mean| mean + DEVIATION * normal()));
        }
        shape[0] += characters.len();
        *tensor = Tensor::from_vec(numbers, shape, &Device::Cpu)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::layout;
    use crate::checkpoint::testing::small;
    use crate::model::config::Head;
    use crate::tokenizer::Tokenizer;
    use crate::train::Parameters;

    #[test]
    fn the_model_grows_by_rows_and_keeps_what_it_has() {
        let alphabet: Vec<char> = ('a'..).take(small().vocabulary_size).collect();
        for head in [Head::Tied, Head::Untied { bias: true }] {
            let mut config = Config { head, ..small() };
            let mut tokenizer = TokenizerSpec::of_characters(&alphabet);
            let random = Parameters::random(&config, 1).unwrap();
            let mut tensors: Vec<_> =
                random.iter().map(|(name, variable)| (name.to_string(), variable.as_detached_tensor())).collect();
            let before = tensors.clone();
            add_characters(&mut config, &mut tokenizer, &mut tensors, &['ö', '😀'], 1).unwrap();
            let ids = Tokenizer::new(tokenizer).unwrap().encode("aö😀").unwrap();
            assert_eq!(ids, [0, alphabet.len() as u32, alphabet.len() as u32 + 1]);
            for (name, shape) in layout::tensors(&config) {
                let of = |tensors: &[(String, Tensor)]| {
                    let tensor = tensors.iter().find(|(other, _)| *other == name).unwrap().1.clone();
                    (tensor.dims().to_vec(), tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap())
                };
                let ((dims, after), (_, before)) = (of(&tensors), of(&before));
                assert_eq!(dims, shape, "{name}");
                assert_eq!(after[..before.len()], before, "{name}");
                assert!(after[before.len()..].iter().all(|number| *number != 0.0 && number.abs() < 0.2), "{name}");
            }
        }
    }
}
