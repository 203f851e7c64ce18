//! Tokens that are taken instead of those that are drawn.

use super::error::GenerationError;
use super::settings::Take;

/// The tokens that a text takes, by position.
#[derive(Clone, Debug, Default)]
pub struct Takes(Vec<Take>);

impl Takes {
    /// Checks that each position is behind a prompt of so many tokens and there once, and each token one of `size`.
    pub fn new(takes: &[Take], prompt: usize, size: usize) -> Result<Self, GenerationError> {
        let mut takes = takes.to_vec();
        takes.sort_unstable();
        if let Some(pair) = takes.windows(2).find(|pair| pair[0].position == pair[1].position) {
            return Err(GenerationError::TakenTwice { position: pair[0].position });
        }
        for Take { position, id } in takes.iter().copied() {
            if (position as usize) < prompt {
                return Err(GenerationError::TakenPrompt { position, prompt });
            }
            if id as usize >= size {
                return Err(GenerationError::UnknownId { id, size });
            }
        }
        Ok(Takes(takes))
    }

    /// The token that is taken at this position.
    pub fn at(&self, position: usize) -> Option<u32> {
        let index = self.0.binary_search_by_key(&position, |take| take.position as usize);
        index.ok().map(|index| self.0[index].id)
    }

    /// The first position at which other tokens are taken.
    pub fn first_difference(&self, others: &Takes) -> Option<usize> {
        let is_alone = |take: &&Take, others: &Takes| others.at(take.position as usize) != Some(take.id);
        let first = |takes: &Takes, others: &Takes| {
            takes.0.iter().find(|take| is_alone(take, others)).map(|take| take.position as usize)
        };
        first(self, others).into_iter().chain(first(others, self)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(pairs: &[(u32, u32)]) -> Takes {
        let takes: Vec<Take> = pairs.iter().map(|&(position, id)| Take { position, id }).collect();
        Takes::new(&takes, 3, 100).unwrap()
    }

    #[test]
    fn the_first_difference_is_where_another_token_is_taken() {
        let list = takes(&[(9, 2), (5, 1)]);
        for (other, first) in [
            (takes(&[(5, 1), (9, 2)]), None),
            (takes(&[(5, 1), (9, 3)]), Some(9)),
            (takes(&[(5, 1), (7, 0), (9, 2)]), Some(7)),
            (takes(&[(9, 2)]), Some(5)),
            (takes(&[]), Some(5)),
            (takes(&[(3, 1), (5, 1), (9, 2)]), Some(3)),
        ] {
            assert_eq!((list.first_difference(&other), other.first_difference(&list)), (first, first), "{other:?}");
        }
        assert_eq!((list.at(9), list.at(8)), (Some(2), None));
    }

    #[test]
    fn what_cannot_be_taken_is_named() {
        let error = |pairs: &[(u32, u32)]| {
            let takes: Vec<Take> = pairs.iter().map(|&(position, id)| Take { position, id }).collect();
            Takes::new(&takes, 3, 100).unwrap_err().to_string()
        };
        assert_eq!(error(&[(2, 1)]), "tokens can be taken from position 3 on, behind the prompt, found position 2");
        assert_eq!(error(&[(7, 1), (7, 2)]), "one token can be taken at a position, found two at position 7");
        assert!(error(&[(7, 100)]).contains("token 100"), "{}", error(&[(7, 100)]));
    }
}
