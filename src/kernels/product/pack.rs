//! Brings blocks of both factors into the order in which the tiles read them.

use std::ops::Range;

use super::Operand;

/// Rows of the first factor in strips of `R`: for each step of the depth, a number of each row. Rows that are missing in
/// the last strip are 0.
pub(super) fn pack_first<const R: usize>(
    operand: Operand<'_>,
    rows: Range<usize>,
    depth: Range<usize>,
    packed: &mut Vec<f32>,
) {
    let strip = depth.len() * R;
    resize(packed, rows.len().div_ceil(R) * strip);
    for (top, strip) in rows.clone().step_by(R).zip(packed.chunks_exact_mut(strip)) {
        let there = R.min(rows.end - top);
        let steps = strip.as_chunks_mut::<R>().0;
        if there < R {
            steps.fill([0.0; R]);
        }
        let begin = top * operand.row + depth.start * operand.column;
        if operand.row == 1 && there == R {
            for (step, packed) in steps.iter_mut().enumerate() {
                packed.copy_from_slice(&operand.numbers[begin + step * operand.column..][..R]);
            }
        } else {
            for row in 0..there {
                let numbers = operand.numbers[begin + row * operand.row..].iter().step_by(operand.column);
                steps.iter_mut().zip(numbers).for_each(|(packed, number)| packed[row] = *number);
            }
        }
    }
}

/// Columns of the second factor in panels of `width`: for each step of the depth, a number of each column. Columns that
/// are missing in the last panel are 0.
pub(super) fn pack_second(
    operand: Operand<'_>,
    depth: Range<usize>,
    columns: usize,
    width: usize,
    packed: &mut Vec<f32>,
) {
    let panel = depth.len() * width;
    resize(packed, columns.div_ceil(width) * panel);
    for (left, panel) in (0..columns).step_by(width).zip(packed.chunks_exact_mut(panel)) {
        let there = width.min(columns - left);
        if there < width {
            panel.fill(0.0);
        }
        let begin = depth.start * operand.row + left * operand.column;
        let steps = panel.chunks_exact_mut(width);
        if operand.column == 1 {
            for (step, packed) in steps.enumerate() {
                packed[..there].copy_from_slice(&operand.numbers[begin + step * operand.row..][..there]);
            }
        } else {
            // A few steps at a time: their numbers lie side by side, and the columns' lines stay in the cache.
            for (block, packed) in panel.chunks_mut(STEPS * width).enumerate() {
                for column in 0..there {
                    let from = begin + block * STEPS * operand.row + column * operand.column;
                    let numbers = operand.numbers[from..].iter().step_by(operand.row);
                    packed[column..].iter_mut().step_by(width).zip(numbers).for_each(|(packed, x)| *packed = *x);
                }
            }
        }
    }
}

/// Steps of the depth that are packed together.
const STEPS: usize = 16;

fn resize(packed: &mut Vec<f32>, length: usize) {
    // What is there is overwritten.
    packed.resize(length, 0.0);
}
