//! Which variables each member updates, and in which pieces their numbers are exchanged.

use std::cmp::Reverse;
use std::ops::Range;

/// The variables of one member: their numbers stand in a line, one variable's behind the other's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The variables, in ascending order.
    pub variables: Vec<usize>,
    /// Where each one's numbers end.
    ends: Vec<usize>,
}

/// What a variable has in a piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The variable, counted along the line.
    pub index: usize,
    /// Which of its numbers.
    pub numbers: Range<usize>,
    /// Where they are in the piece.
    pub place: Range<usize>,
}

impl Line {
    /// Numbers in the line.
    pub fn length(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// How many numbers each variable has.
    pub fn counts(&self) -> impl Iterator<Item = usize> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        self.ends.iter().zip(starts).map(|(end, start)| end - start)
    }

    /// What is in a piece of the line.
    pub fn parts(&self, piece: Range<usize>) -> impl Iterator<Item = Part> {
        let first = self.ends.partition_point(|end| *end <= piece.start);
        (first..self.ends.len()).map_while(move |index| {
            let start = if index == 0 { 0 } else { self.ends[index - 1] };
            let (begin, end) = (start.max(piece.start), self.ends[index].min(piece.end));
            (start < piece.end).then(|| Part {
                index,
                numbers: begin - start..end - start,
                place: begin - piece.start..end - piece.start,
            })
        })
    }
}

/// Shares variables out among so many members, the most costly first, each to the member that has least to do. `variables`
/// has the count of numbers of each, and what its update costs.
pub fn share_variables(variables: &[(usize, u64)], members: usize) -> Vec<Line> {
    let mut order: Vec<usize> = (0..variables.len()).collect();
    order.sort_by_key(|variable| Reverse(variables[*variable].1));
    let (mut costs, mut lines) = (vec![0; members], vec![Line::default(); members]);
    for variable in order {
        let Some(member) = (0..members).min_by_key(|member| costs[*member]) else { break };
        costs[member] += variables[variable].1;
        lines[member].variables.push(variable);
    }
    for line in &mut lines {
        line.variables.sort_unstable();
        let end = |end: &mut usize, variable: &usize| {
            *end += variables[*variable].0;
            Some(*end)
        };
        line.ends = line.variables.iter().scan(0, end).collect();
    }
    lines
}

/// Ranges of so many numbers, the last one shorter, that are `length` together.
pub fn pieces(length: usize, step: usize) -> impl Iterator<Item = Range<usize>> {
    (0..length).step_by(step.max(1)).map(move |start| start..length.min(start + step.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_has_one_owner_and_the_dearest_are_shared_out_first() {
        let variables = [(10, 10), (6, 600), (4, 400), (5, 300), (1, 1)];
        let lines = share_variables(&variables, 2);
        assert_eq!(lines[0].variables, [0, 1, 4]);
        assert_eq!(lines[1].variables, [2, 3]);
        assert_eq!((lines[0].length(), lines[1].length()), (17, 9));
        assert_eq!(lines[0].counts().collect::<Vec<_>>(), [10, 6, 1]);
        assert_eq!(share_variables(&variables[..1], 3)[2], Line::default());
    }

    #[test]
    fn pieces_of_a_line_have_all_numbers_of_its_variables_once() {
        let line = &share_variables(&[(10, 1), (6, 1), (1, 1)], 1)[0];
        for step in 1..20 {
            let mut found = [vec![0; 10], vec![0; 6], vec![0; 1]];
            for piece in pieces(line.length(), step) {
                let mut end = 0;
                for Part { index, numbers, place } in line.parts(piece.clone()) {
                    assert_eq!((place.start, place.len()), (end, numbers.len()));
                    end = place.end;
                    found[index][numbers].iter_mut().for_each(|count| *count += 1);
                }
                assert_eq!(end, piece.len());
            }
            assert!(found.iter().flatten().all(|count| *count == 1), "{step}");
        }
    }
}
